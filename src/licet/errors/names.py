"""Names that nobody knows: which one was meant, and the error that says so.

A misspelt name must not be dropped: a provider whose ``runable_by`` is ignored is open to all.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec, TypeVar

from licet.errors._usage import UnknownName

__all__ = [
    "closest",
    "knows_its_options",
    "knows_options_of",
    "options_of",
    "refuse_unknown",
    "suggestion",
    "with_article",
]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=type)
_MOST_LISTED = 12
# a U is spoken as "you" in User, UUID, Unique, Union and the like
_BEGINS_WITH_A_VOWEL = re.compile(r"[aeio]|u(?!u|s|ni|r|t|k|$)", re.IGNORECASE)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a misspelling of; None when none is near.

    Case does not count.
    """
    by_lower_case = {each.lower(): each for each in sorted(known)}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[found[0]] if found else None


def suggestion(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown name: the one that was meant, or those there are."""
    if (near := closest(name, known)) is not None:
        return f"did you mean {near!r}?"
    listed = sorted(known)
    more = ", …" if len(listed) > _MOST_LISTED else ""
    return f"there is {', '.join(listed[:_MOST_LISTED])}{more}." if listed else "there is none."


def with_article(noun: str) -> str:
    """The noun with the article before it: "an int", "a str", "a UUID"."""
    return f"{'an' if _BEGINS_WITH_A_VOWEL.match(noun) else 'a'} {noun}"


def refuse_unknown(
    what: str, names: Iterable[str], known: Collection[str], *, remedy: str = ""
) -> None:
    """Refuse names that are not among `known`; `what` begins a sentence, as in "X has no field".

    `remedy` is a sentence at the end: what to do when no name is misspelt.

    Raises:
        UnknownName: some are not; each is told, with the one that was meant.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        told = " ".join(f"{what} {name!r}: {suggestion(name, known)}" for name in unknown)
        raise UnknownName(f"{told} {remedy}".rstrip(), unknown)


def knows_its_options(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which refuses unknown keywords with a suggestion instead of bare.

    Raises:
        UnknownName: as `refuse_unknown`; it is a TypeError, like Python's own.
    """
    known = options_of(function)
    what = f"{function.__qualname__} has no option"

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs.keys() <= known:
            refuse_unknown(what, kwargs, known)
        return function(*args, **kwargs)

    return checked


def knows_options_of(record: T) -> T:
    """A class, made as by `knows_its_options`: for frozen records that programs write."""
    made = knows_its_options(record.__init__)  # type: ignore[misc]  # this very class's
    record.__init__ = made  # type: ignore[misc]  # as above
    return record


def options_of(function: Callable[..., object]) -> frozenset[str]:
    """The names that a function takes as keywords, ``self`` excepted."""
    code = function.__code__
    named = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    return frozenset(named) - {"self"}
