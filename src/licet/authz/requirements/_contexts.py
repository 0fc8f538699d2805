"""Contexts that change checks for a while: who opened them, and where they are seen.

A context is a set of requirements. It is pushed by a manager and seen by that manager's checks
only, in the request in which it was pushed, or outside of any. What is pushed lives in a context
variable, so that threads and tasks do not see each other's; what a request began with lives on the
request, made when somebody first asks for it, and is the same for all tasks of that request.

Source: seed document 002 ("Manipulating Requirements after the fact").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from licet.authz.requirements._current import current_request, has_request_context
from licet.authz.requirements._requirement_set import RequirementSet
from licet.errors import UsageError
from licet.settings.state import request_state

__all__ = [
    "Manager",
    "begin_request",
    "drop_innermost",
    "end_all_of_request",
    "end_request",
    "innermost",
    "no_context_is_open",
    "push_for",
]


_BEGUN = "authz.begun"  # for which managers the request began
_MADE = "authz.contexts"  # and what was made for them since
_making = threading.Lock()
S = TypeVar("S", bound=RequirementSet)


class Manager(Generic[S]):
    """Pushes and pops the contexts of one kind, and sees only its own."""

    kind: ClassVar[str]
    container: ClassVar[type[RequirementSet]]

    @property
    def current(self) -> S | None:
        """The innermost of this manager's contexts; None when it has none."""
        request = current_request()
        for entry in reversed(_pushed.get()):
            if entry.manager is self and entry.request is request:
                return entry.context  # type: ignore[no-any-return]  # of this manager's kind
        return _begun_with(self)  # type: ignore[return-value]  # as above

    def push(self, context: S, use_parent: bool = False) -> None:  # noqa: FBT001, FBT002 - the seed's signature
        """Let `context` count instead of the current one, or both when `use_parent` is given.

        Both then make a new one; neither is changed.
        """
        parent = self.current if use_parent else None
        push_for(self, parent + context if parent else context)

    def pop(self) -> None:
        """End the innermost context.

        Raises:
            UsageError: there is none, or another manager pushed it, and it stays.
        """
        found = innermost(self.kind)
        if found is None or found[0] is not self:
            raise UsageError(
                f"popped wrong {self.kind} context ({found} instead of {self}): each push is ended "
                "once, by the manager that pushed."
            )
        drop_innermost(self.kind)

    def clear(self) -> None:
        """End all contexts of this kind.

        Raises:
            UsageError: one was pushed by another manager; it and those around it stay.
        """
        while innermost(self.kind) is not None:
            self.pop()

    @contextmanager
    def _for_a_while(self, context: S, *, use_parent: bool) -> Iterator[S]:
        self.push(context, use_parent)
        entry = _pushed.get()[-1]
        try:
            yield entry.context
        finally:
            _end(entry)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A pushed context: by whom, and in which request."""

    manager: Manager[Any]
    context: Any
    request: object | None


_pushed: ContextVar[tuple[_Entry, ...]] = ContextVar("licet.authz.pushed", default=())


@dataclass(slots=True)
class _Use:
    """Whether this process ever opened a context; a program that does not is spared the search."""

    ever: bool = False


_use = _Use()


def no_context_is_open() -> bool:
    """Whether nothing was pushed or asked for here: then checks need not look further."""
    if not _use.ever:
        return True
    if _pushed.get():
        return False
    try:
        return _MADE not in request_state()
    except RuntimeError:  # outside of a request; asking first would take longer than most checks
        return True


def push_for(manager: Manager[Any], context: RequirementSet) -> None:
    """Push a context as it is."""
    _use.ever = True
    _pushed.set((*_pushed.get(), _Entry(manager, context, current_request())))


def innermost(kind: str) -> tuple[Manager[Any], Any] | None:
    """The innermost context of a kind, whoever pushed it, with its manager."""
    entry = _innermost_pushed(kind)
    if entry is not None:
        return entry.manager, entry.context
    manager = _last_begun(kind)
    return None if manager is None else (manager, _begun_with(manager))


def drop_innermost(kind: str) -> None:
    """End the innermost context of a kind, whoever pushed it."""
    entry = _innermost_pushed(kind)
    if entry is not None:
        _pushed.set(tuple(each for each in _pushed.get() if each is not entry))
        return
    manager = _last_begun(kind)
    if manager is not None:
        _end_begun((manager,))


def begin_request(managers: tuple[Manager[Any], ...]) -> None:
    """Let the current request have contexts of these managers, empty at first."""
    state = request_state()
    begun = state.get(_BEGUN)
    state[_BEGUN] = (*begun, *managers) if begun else managers


def end_request(managers: tuple[Manager[Any], ...]) -> None:
    """End what these managers have in the current request, begun or pushed."""
    if _pushed.get():
        _forget_pushed(lambda entry: entry.manager in managers)
    state = request_state()
    if state.get(_BEGUN) is managers and _MADE not in state:
        del state[_BEGUN]  # as nearly always: nobody asked for them
    else:
        _end_begun(managers)


def end_all_of_request() -> None:
    """End everybody's contexts of the current request."""
    if _pushed.get():
        _forget_pushed(lambda _entry: True)
    if _use.ever:
        state = request_state()
        state.pop(_BEGUN, None)
        state.pop(_MADE, None)


def _forget_pushed(is_meant: Callable[[_Entry], bool]) -> None:
    request = current_request()
    kept = (e for e in _pushed.get() if e.request is not request or not is_meant(e))
    _pushed.set(tuple(kept))


def _end_begun(managers: tuple[Manager[Any], ...]) -> None:
    state = request_state()
    state[_BEGUN] = tuple(m for m in state.get(_BEGUN, ()) if m not in managers)
    if _MADE in state:
        state[_MADE] = {m: context for m, context in state[_MADE].items() if m not in managers}


def _end(entry: _Entry) -> None:
    """End `entry` and what its manager pushed after it, so that nothing outlives the block."""
    entries = _pushed.get()
    kind = entry.manager.kind
    if entry not in entries:
        raise UsageError(f"popped wrong {kind} context: the block's own was popped within it.")
    place = entries.index(entry)
    others = tuple(each for each in entries[place:] if each.manager is not entry.manager)
    _pushed.set((*entries[:place], *others))
    if any(each.manager.kind == kind for each in others):
        raise UsageError(f"popped wrong {kind} context: another manager's was left in the block.")


def _innermost_pushed(kind: str) -> _Entry | None:
    request = current_request()
    for entry in reversed(_pushed.get()):
        if entry.manager.kind == kind and entry.request is request:
            return entry
    return None


def _begun() -> tuple[Manager[Any], ...]:
    return request_state().get(_BEGUN, ()) if has_request_context() else ()


def _last_begun(kind: str) -> Manager[Any] | None:
    return next((each for each in reversed(_begun()) if each.kind == kind), None)


def _begun_with(manager: Manager[Any]) -> RequirementSet | None:
    if manager not in _begun():
        return None
    _use.ever = True
    with _making:  # tasks and threads of one request share it
        made: dict[Manager[Any], RequirementSet] = request_state().setdefault(_MADE, {})
        if manager not in made:
            made[manager] = manager.container()
        return made[manager]
