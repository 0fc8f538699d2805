"""What counts as a requirement's answer, and what is told of one that gave none.

An answer is read by `bool`, so None is False and 1 is True. What only looks true is *invalid*: a
coroutine, generator or other iterator, a query that nobody has executed, a class, a function,
another requirement, a response, an exception, whether returned or raised. Neither log nor error
quotes the identity: of an exception they tell the kind and the place, not the text.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import PurePath
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.sansio.response import Response

from licet.errors import InvalidRequirement
from licet.errors.names import with_article

__all__ = [
    "COMPILE",
    "Check",
    "answering",
    "asking",
    "describe",
    "ensure_requirement",
    "log_invalid",
    "truth_of",
    "wants_request_too",
]


Check = Callable[[Any, Any], bool]
COMPILE = "__licet_node__"
log = logging.getLogger("licet.authz")
_PASSED_ON = (HTTPException, InvalidRequirement)
_PLAIN = frozenset({type(None), int, str, float, tuple, list, dict, set, frozenset})
_NO_ANSWERS = (
    *(type, partial, property, Awaitable, Future, Iterator, AsyncIterator),
    *(BaseException, Response, type(NotImplemented)),
)
_OF_QUERIES = ("one_or_none", "add_all")  # queries and results; collections that are write-only
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_LAZY = (
    (inspect.iscoroutinefunction, "a coroutine function"),
    (inspect.isasyncgenfunction, "an async generator function"),
    (inspect.isgeneratorfunction, "a generator function"),
)
_known: WeakKeyDictionary[FunctionType, dict[bool, bool]] = WeakKeyDictionary()


def asking(requirement: Any, *, through_fulfill: bool, with_request: bool) -> Check:
    """A check that calls the requirement, or its ``fulfill``, and answers True or False.

    ``fulfill`` is looked up at each check, so that tests can put mocks in its place. The common
    ways are written out, because a call between would take as long as a requirement.
    """
    if with_request and through_fulfill:
        return answering(requirement, lambda user, given: requirement.fulfill(user, given))  # noqa: PLW0108 - looked up late
    if with_request:
        return answering(requirement, requirement)
    return _asking_fulfill(requirement) if through_fulfill else _asking_itself(requirement)


def answering(requirement: object, call: Callable[[Any, Any], object]) -> Check:
    """A check that calls `call` with identity and request.

    It raises `InvalidRequirement` when there is no answer, and lets HTTP exceptions pass.
    """

    def check(user: Any, given: Any) -> bool:
        try:
            result = call(user, given)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def _asking_itself(requirement: Callable[[Any], object]) -> Check:
    def check(user: Any, _given: Any) -> bool:
        try:
            result = requirement(user)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def _asking_fulfill(requirement: Any) -> Check:
    def check(user: Any, _given: Any) -> bool:
        try:
            result = requirement.fulfill(user)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def truth_of(result: object, requirement: object) -> bool:
    """The answer that `result` is.

    Raises:
        InvalidRequirement: it only looks like one.
    """
    try:
        if type(result) is LocalProxy:  # its class has all methods, whatever it stands for
            result = result._get_current_object()  # noqa: SLF001 - werkzeug's
        if type(result) in _PLAIN or not _only_looks_true(result):
            return bool(result)
        if isinstance(result, Coroutine):
            result.close()  # else Python warns that nobody awaited it
    except _PASSED_ON:
        raise
    except Exception as error:
        raise _no_answer(requirement, error) from error
    raise InvalidRequirement(
        describe(requirement), f"returned {with_article(type(result).__name__)}"
    )


def _only_looks_true(result: object) -> bool:
    return (
        isinstance(result, _NO_ANSWERS)
        or inspect.isroutine(result)
        or hasattr(type(result), COMPILE)
        or _is_true_though_empty(type(result))
    )


def _is_true_though_empty(of_class: type[Any]) -> bool:
    """Whether its instances are true whatever they find, as SQLAlchemy's queries are."""
    is_query = any(hasattr(of_class, name) for name in _OF_QUERIES)
    return is_query and not (hasattr(of_class, "__bool__") or hasattr(of_class, "__len__"))


def log_invalid(error: Exception, checked: Iterable[object]) -> None:
    """One line in the log for a check of these that was denied because it got no answer."""
    if isinstance(error, InvalidRequirement):
        name, reason = error.requirement, error.reason
    else:
        name, reason = ", ".join(map(describe, checked)), _told(error)
    log.error("Requirement %s %s; access is denied", name, reason)


def _no_answer(requirement: object, error: Exception) -> InvalidRequirement:
    return InvalidRequirement(describe(requirement), _told(error))


def _told(error: Exception) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return f"raised {type(error).__name__}"
    file = PurePath(last.tb_frame.f_code.co_filename).name
    return f"raised {type(error).__name__} in {file}, line {last.tb_lineno}"


def describe(requirement: object) -> str:
    """A requirement's name in logs and tables: a function's own, else its repr."""
    while isinstance(requirement, partial):
        requirement = requirement.func
    name = getattr(requirement, "__name__", None)
    if isinstance(name, str):
        return name
    try:
        return repr(requirement)
    except Exception:  # noqa: BLE001 - a name for the log is never a reason to fail
        return f"<{type(requirement).__name__}>"


def ensure_requirement(requirement: object) -> None:
    """Refuse what would always pass, or never run.

    Raises:
        TypeError: a class, a coroutine or generator function, or nothing that can be called.
    """
    if inspect.isclass(requirement):
        raise TypeError(
            f"{requirement.__name__} is a class, not a requirement: give an instance, as in "
            f"{requirement.__name__}()."
        )
    if not callable(requirement):
        raise TypeError(
            f"{describe(requirement)} is not a requirement: give a function of the identity, or an "
            "instance of a Requirement."
        )
    of_class = type(requirement)
    for part in (requirement, of_class.__call__, getattr(of_class, "fulfill", None)):
        for is_lazy, kind in _LAZY:
            if is_lazy(part):
                raise TypeError(
                    f"{describe(requirement)} is {kind}: its result would be true whatever it "
                    "says. Requirements are plain functions."
                )


def wants_request_too(called: Callable[..., Any]) -> bool:
    """Whether `called` takes (user, request) and not the user alone.

    A second parameter counts when it has no default, or when it is called ``request``.

    Raises:
        TypeError: it takes neither.
    """
    function = getattr(called, "__func__", called)
    is_bound = function is not called
    if not isinstance(function, FunctionType):
        return _read(called, 0)
    known = _known.setdefault(function, {})
    if is_bound not in known:
        known[is_bound] = _read(function, int(is_bound))
    return known[is_bound]


def _read(called: Callable[..., Any], given: int) -> bool:
    """The answer, read from the signature; the first `given` arguments are there already."""
    try:
        parameters = _parameters(inspect.unwrap(called, stop=lambda f: not _takes_any(f)))
    except ValueError:  # some builtins tell nothing
        return False
    places = [p for p in parameters if p.kind in _POSITIONAL][given:]
    required = [p for p in places if p.default is p.empty]
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if named or len(required) > 2 or not (places or _takes_any(called)):
        raise TypeError(
            f"{describe(called)} cannot be a requirement: it must take the identity alone, or the "
            "identity and the request."
        )
    return len(required) == 2 or (len(places) > 1 and places[1].name == "request")


def _parameters(called: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(called, follow_wrapped=False).parameters.values())


def _takes_any(called: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in _parameters(called))
