"""Contexts that change checks for a while: who opened them, and where they are seen.

A context is a set of requirements. It is pushed by a manager and seen by that manager's checks
only, in the request in which it was pushed, or outside of any. What is pushed lives in a context
variable, so that threads and tasks do not see each other's; what a request began with lives on the
request, made when somebody first asks for it, and is the same for all tasks of that request.

Source: seed document 002 ("Manipulating Requirements after the fact").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Self, TypeVar

from licet._state import request_state
from licet.authz._current import current_request, state_of_request
from licet.errors import UsageError

__all__ = [
    "Manager",
    "RequirementSet",
    "begin_request",
    "drop_innermost",
    "end_all_of_request",
    "end_request",
    "innermost",
    "no_context_is_open",
    "push_for",
]

_KEY = "authz.contexts"
_making = threading.Lock()


class RequirementSet:
    """Some requirements; two of a kind can be added, subtracted and compared."""

    def __init__(self, *requirements: Any) -> None:
        self._requirements = set(requirements)

    def add(self, requirement: Any, *requirements: Any) -> None:
        """Take one or more requirements in."""
        self._requirements.update((requirement, *requirements))

    def remove(self, requirement: Any, *requirements: Any) -> None:
        """Take one or more requirements out; those that are not in it are passed over."""
        self._requirements.difference_update((requirement, *requirements))

    def _is_like(self, other: Any) -> bool:
        return isinstance(other, type(self)) or isinstance(self, type(other))

    def __add__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        return type(self)(*(self._requirements | other._requirements))

    def __iadd__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        self._requirements |= other._requirements
        return self

    def __sub__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        return type(self)(*(self._requirements - other._requirements))

    def __isub__(self, other: Self) -> Self:
        if not self._is_like(other):
            return NotImplemented
        self._requirements -= other._requirements
        return self

    def __eq__(self, other: object) -> bool:
        if not self._is_like(other):
            return NotImplemented
        return self._requirements == other._requirements  # type: ignore[attr-defined, no-any-return]

    __hash__ = None  # type: ignore[assignment]  # what it holds changes

    def __contains__(self, requirement: object) -> bool:
        return requirement in self._requirements

    def __iter__(self) -> Iterator[Any]:
        return iter(self._requirements.copy())

    def __len__(self) -> int:
        return len(self._requirements)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._requirements))})"


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


@dataclass(slots=True)
class _Begun:
    """For whom a request began, and the contexts that were made for them since."""

    managers: list[Manager[Any]] = field(default_factory=list)
    made: dict[Manager[Any], RequirementSet] = field(default_factory=dict)


_pushed: ContextVar[tuple[_Entry, ...]] = ContextVar("licet.authz.pushed", default=())


def no_context_is_open() -> bool:
    """Whether nothing at all was pushed or asked for: then checks need not look further."""
    if _pushed.get():
        return False
    begun = _begun()
    return begun is None or not begun.made


def push_for(manager: Manager[Any], context: RequirementSet) -> None:
    """Push a context as it is."""
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
    begun, manager = _begun(), _last_begun(kind)
    if begun is not None and manager is not None:
        begun.managers.remove(manager)
        begun.made.pop(manager, None)


def begin_request(*managers: Manager[Any]) -> None:
    """Let the current request have contexts of these managers, empty at first."""
    request_state().setdefault(_KEY, _Begun()).managers.extend(managers)


def end_request(managers: Collection[Manager[Any]]) -> None:
    """End what these managers have in the current request, begun or pushed."""
    _forget_pushed(lambda entry: entry.manager in managers)
    begun = _begun()
    if begun is not None:
        begun.managers = [each for each in begun.managers if each not in managers]
        begun.made = {each: begun.made[each] for each in begun.managers if each in begun.made}


def end_all_of_request() -> None:
    """End everybody's contexts of the current request."""
    _forget_pushed(lambda _entry: True)
    request_state().pop(_KEY, None)


def _forget_pushed(is_meant: Callable[[_Entry], bool]) -> None:
    entries = _pushed.get()
    if entries:
        request = current_request()
        _pushed.set(tuple(e for e in entries if e.request is not request or not is_meant(e)))


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


def _begun() -> _Begun | None:
    state = state_of_request()
    return None if state is None else state.get(_KEY)


def _last_begun(kind: str) -> Manager[Any] | None:
    begun = _begun()
    managers = [] if begun is None else begun.managers
    return next((each for each in reversed(managers) if each.kind == kind), None)


def _begun_with(manager: Manager[Any]) -> RequirementSet | None:
    begun = _begun()
    if begun is None or manager not in begun.managers:
        return None
    with _making:  # tasks and threads of one request share it
        if manager not in begun.made:
            begun.made[manager] = manager.container()
        return begun.made[manager]
