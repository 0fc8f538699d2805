"""Small guards of the tests' own, each leaving its mark as licet's do."""

import functools
from collections.abc import Callable
from typing import Any

from licet.authz.declared.marks import Access, AccessKind, mark

GUARDED = Access(kind=AccessKind.REQUIRES, text="guarded")


def guarded(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that lets everybody pass, and says that it asks for something."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return mark(wrapper, GUARDED)


def asks_for(resource: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that asks for a signed-in caller who may use `resource`."""
    access = Access(kind=AccessKind.AUTHENTICATED, text="signed in", resource=resource)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        return mark(wrapper, access)

    return decorate


def guard(text: str = "entire") -> Callable[[], None]:
    """What `before_request` takes, marked."""

    def before() -> None:
        return None

    return mark(before, Access(kind=AccessKind.REQUIRES, text=text))


def exempt(view: Callable[..., Any]) -> Callable[..., Any]:
    """The view, passed over by the guards of its blueprint and app."""
    view.__allows_exempt__ = True
    return view
