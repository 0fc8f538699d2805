"""Contexts that change checks for a while: who opened them, and where they are seen.

A context is a set of requirements, pushed by a manager and seen by that manager's checks only. The
contexts in force at a *place* are one immutable stack, kept in a context variable: threads, tasks
and greenlets do not see each other's pushes and pops. A place is a request context of Flask's, or
what lies outside of any. A copy of a request context is a place of its own, which begins with the
stack of the place where it was made, so ending a copy ends nothing elsewhere.

What a request begins with lies on the request object, made when somebody first asks for it, and is
the same in all copies. Nothing is ended with a request: its stack is let go with its contexts.

Source: seed document 002 ("Manipulating Requirements after the fact").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from licet.authz.requirements._current import (
    Place,
    current_place,
    follow_copies,
    in_force_at_copy,
    is_gone,
)
from licet.authz.requirements._requirement_set import RequirementSet
from licet.errors import UsageError
from licet.settings.state import request_state

__all__ = [
    "Manager",
    "StreamContexts",
    "begin_request",
    "drop_innermost",
    "end_all_of",
    "innermost",
    "no_context_is_open",
    "push_for",
]


_BEGUN: Final = "authz.begun"  # for which managers the request began
_MADE: Final = "authz.contexts"  # the stack that was made for them since
S = TypeVar("S", bound=RequirementSet)
T = TypeVar("T")


class Manager(Generic[S]):
    """Pushes and pops the contexts of one kind, and sees only its own."""

    kind: ClassVar[str]
    container: ClassVar[type[RequirementSet]]

    @property
    def current(self) -> S | None:
        """The innermost of this manager's contexts; None when it has none."""
        for entry in reversed(_stack()):
            if entry.manager is self:
                return entry.context  # type: ignore[no-any-return]  # of this manager's kind
        return None

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
        entry = _stack()[-1]
        try:
            yield entry.context
        finally:
            _end(entry)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A context, and the manager whose checks see it."""

    manager: Manager[Any]
    context: Any


_Stack: TypeAlias = tuple[_Entry, ...]
_Stacks: TypeAlias = Mapping[Place, _Stack]
_stacks: ContextVar[_Stacks] = ContextVar("licet.authz.contexts")
_NONE: Final[_Stacks] = {}


@dataclass(slots=True)
class _Use:
    """Whether this process ever opened a context; a program that does not is spared the search."""

    ever: bool = False


_use = _Use()


def no_context_is_open() -> bool:
    """Whether nothing was pushed or asked for here: then checks need not look further."""
    if not _use.ever:
        return True
    if _stacks.get(_NONE):
        return False
    try:
        return _MADE not in request_state() and not in_force_at_copy()
    except RuntimeError:  # outside of a request; asking first would take longer than most checks
        return True


def push_for(manager: Manager[Any], context: RequirementSet) -> None:
    """Push a context as it is."""
    _use.ever = True
    _keep((*_stack(), _Entry(manager, context)))


def innermost(kind: str) -> tuple[Manager[Any], Any] | None:
    """The innermost context of a kind, whoever pushed it, with its manager."""
    entry = _innermost(kind)
    return None if entry is None else (entry.manager, entry.context)


def drop_innermost(kind: str) -> None:
    """End the innermost context of a kind, whoever pushed it."""
    entry = _innermost(kind)
    if entry is not None:
        _keep(tuple(each for each in _stack() if each is not entry))


def end_all_of(manager: Manager[Any]) -> None:
    """End the contexts of one manager, and leave those of others."""
    stack = _stack()
    left = tuple(entry for entry in stack if entry.manager is not manager)
    if left != stack:
        _keep(left)


def begin_request(managers: tuple[Manager[Any], ...]) -> None:
    """Let the current request have contexts of these managers, empty at first.

    Managers for which it has begun keep theirs.
    """
    state = request_state()
    begun = state.get(_BEGUN)
    if begun:
        managers = tuple(manager for manager in managers if manager not in begun)
    state[_BEGUN] = (*begun, *managers) if begun else managers
    stacks = _stacks.get(_NONE)
    if stacks:
        _stacks.set(_living(stacks))
    if _MADE in state:  # somebody looked before these managers began
        before, entries = state[_MADE], _made_for(managers)
        state[_MADE] = (*before, *entries)
        if current_place() in stacks:
            begun_before = [entry for entry in _stack() if entry in before]
            pushed = [entry for entry in _stack() if entry not in before]
            _keep((*begun_before, *entries, *pushed))


def _innermost(kind: str) -> _Entry | None:
    return next((each for each in reversed(_stack()) if each.manager.kind == kind), None)


def _stack() -> _Stack:
    """What is in force at the current place, the innermost last."""
    place = current_place()
    stack = _stacks.get(_NONE).get(place)
    if stack is None and place is not None:
        stack = in_force_at_copy()
        return _begun() if stack is None else stack
    return stack or ()


def _begun() -> _Stack:
    """What the current request began with, made now if nobody asked for it before."""
    state = request_state()
    if _MADE not in state:  # setdefault, as tasks and threads of one request share it
        state.setdefault(_MADE, _made_for(state.get(_BEGUN, ())))
    return state[_MADE]  # type: ignore[no-any-return]  # the state is untyped


def _made_for(managers: tuple[Manager[Any], ...]) -> _Stack:
    _use.ever = _use.ever or bool(managers)
    return tuple(_Entry(manager, manager.container()) for manager in managers)


def _keep(stack: _Stack) -> None:
    """Let `stack` be in force at the current place, and in what is copied from it."""
    place = current_place()
    follow_copies(place, _kept_at)
    stacks = {**_living(_stacks.get(_NONE)), place: stack}
    if None in stacks and not stacks[None]:
        del stacks[None]  # so that nothing is left to search when all is ended outside of requests
    _stacks.set(stacks)


def _kept_at(place: Place) -> _Stack | None:
    return _stacks.get(_NONE).get(place)


def _living(stacks: _Stacks) -> dict[Place, _Stack]:
    """Without those of request contexts that exist no more."""
    return {place: stack for place, stack in stacks.items() if not is_gone(place)}


def _end(entry: _Entry) -> None:
    """End `entry` and what its manager pushed after it, so that nothing outlives the block."""
    entries = _stack()
    kind = entry.manager.kind
    if entry not in entries:
        raise UsageError(f"popped wrong {kind} context: the block's own was popped within it.")
    place = entries.index(entry)
    others = tuple(each for each in entries[place:] if each.manager is not entry.manager)
    _keep((*entries[:place], *others))
    if any(each.manager.kind == kind for each in others):
        raise UsageError(f"popped wrong {kind} context: another manager's was left in the block.")


class StreamContexts:
    """The contexts of a request while its response is streamed, when the request is over.

    It begins with what is in force where it is made.
    """

    def __init__(self) -> None:
        place = current_place()
        self._own = {place}  # as from the second part of `stream_with_context`
        self._readers: set[Place] = set()
        self._here = _stack()  # in force wherever the stream is read
        self._stacks: _Stacks = {place: self._here}

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a part of the streaming; what it pushes and pops counts in the next part, too."""
        place = current_place()
        stacks = self._stacks
        if place not in self._own:
            self._readers.add(place)
            stacks = {**stacks, place: self._here}
            follow_copies(place, _kept_at)  # a copy of it begins with the stream's stack
        token = _stacks.set(stacks)
        try:
            return work(*arguments)
        finally:
            self._stacks = _stacks.get()
            _stacks.reset(token)
            self._note(place, current_place())

    def _note(self, before: Place, after: Place) -> None:
        """Note at which places a part began and ended: one that it entered is the stream's own."""
        if after is not None and after not in self._readers:
            self._own.add(after)
        for place in (before, after):
            if place in self._readers:
                self._here = self._stacks.get(place, ())
