"""The function that stands before another and lets only some pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Protocol, TypeAlias

from licet.authz.declared.marks import Access, AccessKind, mark
from licet.authz.requirements._answer import describe
from licet.authz.requirements._engine import Checklist

__all__ = ["Runner", "Throws", "access_to", "guard"]

Throws: TypeAlias = BaseException | type[BaseException]


class Runner(Protocol):
    """What a guard asks of an Allows."""

    def run(
        self,
        requirements: Iterable[Any],
        identity: Any = None,
        throws: Throws | None = None,
        on_fail: Any = None,
        f_args: tuple[Any, ...] = (),
        f_kwargs: Mapping[str, Any] = ...,
    ) -> Any:
        """None for those who may pass."""
        ...


def access_to(checklist: Checklist) -> Access:
    """What a guard that asks these requirements says about itself."""
    text = ", ".join(describe(each) for each in checklist) or "nothing but what is added"
    return Access(
        kind=AccessKind.REQUIRES, text=f"requires {text}", requirements=checklist.requirements
    )


def guard(
    runner: Callable[[], Runner],
    checklist: Checklist,
    *,
    identity: Any,
    throws: Throws | None,
    on_fail: Any,
) -> Callable[[Any], Any]:
    """A decorator that asks the runner's Allows before each call."""
    access = access_to(checklist)

    def decorate(view: Any) -> Any:
        if inspect.isclass(view):
            raise TypeError(
                f"{view.__name__} is a class: put the guard into its decorators, as in "
                "decorators = [requires(...)], or before one of its methods."
            )

        return mark(_asking_first(view, runner, checklist, (identity, throws, on_fail)), access)

    return decorate


def _asking_first(
    view: Callable[..., Any],
    runner: Callable[[], Runner],
    checklist: Checklist,
    options: tuple[Any, Throws | None, Any],
) -> Callable[..., Any]:
    identity, throws, on_fail = options
    if inspect.iscoroutinefunction(view):

        @wraps(view)
        async def guarded_coroutine(*args: Any, **kwargs: Any) -> Any:
            refusal = runner().run(checklist, identity, throws, on_fail, args, kwargs)
            return await view(*args, **kwargs) if refusal is None else refusal

        return guarded_coroutine

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        refusal = runner().run(checklist, identity, throws, on_fail, args, kwargs)
        return view(*args, **kwargs) if refusal is None else refusal

    return guarded
