"""What a view function says about who may call it.

Every guard leaves a mark on the function that it returns, so that the audit can tell declared views
from forgotten ones, the matrix can print what each asks for, and a test can ask an endpoint what it
requires. The mark is on the guarding function only: a view that was registered before it was
decorated stays unmarked, and the audit finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial, update_wrapper
from inspect import ismethod
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

__all__ = [
    "Access",
    "AccessKind",
    "access_of",
    "arguments_of",
    "mark",
    "public",
    "take_arguments",
]

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__licet_access__"


class AccessKind(Enum):
    """Which guard stands before a view."""

    PUBLIC = "public"  # nobody is asked anything, and that is meant
    REQUIRES = "requires"  # requirements on the caller
    AUTHENTICATED = "authenticated"  # a signed-in caller, perhaps of certain roles
    POLICY = "policy"  # a policy decides about each object
    ACTION = "action"  # an action provider's own rules


@dataclass(frozen=True, kw_only=True)
class Access:
    """One declaration: which guard, what it asks for, and in whose words to print it."""

    kind: AccessKind
    text: str
    requirements: tuple[Any, ...] = ()
    resource: str | None = None


def mark(view: F, access: Access) -> F:
    """Say on `view` that `access` guards it, beside what it already says.

    A bound method takes no attribute: what says it then is a function of its own, around that.
    """
    marked = update_wrapper(partial(view), view) if ismethod(view) else view
    setattr(marked, _ATTRIBUTE, (access, *access_of(view)))
    return cast("F", marked)


def access_of(view: object) -> tuple[Access, ...]:
    """What a view says about its access, the outermost guard first; empty when it says nothing."""
    return getattr(view, _ATTRIBUTE, ())


_arguments: WeakKeyDictionary[Callable[..., Any], tuple[str, ...]] = WeakKeyDictionary()


def take_arguments(view: F, names: tuple[str, ...]) -> F:
    """Say that this very function needs these arguments of its rule; no wrapper of it does."""
    _arguments[view] = names
    return view


def arguments_of(view: Any) -> tuple[str, ...]:
    """The arguments that the function said to need."""
    return _arguments.get(view, ())


def public(view: F) -> F:
    """Say that anybody may call this view; nothing is checked."""
    return mark(view, Access(kind=AccessKind.PUBLIC, text="public"))
