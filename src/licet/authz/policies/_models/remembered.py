"""Sessions that remember what their rows were before a flush; `licet.authz.writes` enters them.

A session that nothing guards knows which rows a flush has changed, but not what they were.
"""

from __future__ import annotations

from typing import Any, Final, Protocol
from weakref import ref

__all__ = [
    "MEMORIES",
    "Memory",
    "forget",
    "forget_flushed",
    "memory_of",
    "remember",
    "remember_flushed",
    "was_flushed",
]

_FLUSHED: Final = "licet.flushed"


class Memory(Protocol):
    """What one session remembers."""

    def was_allowed(self, policy: Any, verb: Any, owner: Any, identity: Any) -> bool | None:
        """Whether the caller might do it before the transaction; None when it was not touched."""

    def was_visible(self, policy: Any, owner: Any, identity: Any) -> bool:
        """Whether the caller could see the object before the transaction."""


MEMORIES: Final[dict[int, ref[Any]]] = {}  # by the number of a session; plain, as it is asked often


def remember(session_id: int, memory: Memory) -> None:
    """Let a session remember, for as long as the memory is kept."""

    def forget_it(gone: ref[Any]) -> None:
        if MEMORIES.get(session_id) is gone:
            forget(session_id)

    MEMORIES[session_id] = ref(memory, forget_it)


def forget(session_id: int) -> None:
    """The session remembers nothing any more."""
    MEMORIES.pop(session_id, None)


def memory_of(owner: Any) -> Memory | None:
    """What the object's session remembers, if it remembers anything."""
    found = MEMORIES.get(owner._sa_instance_state.session_id)
    return None if found is None else found()


def remember_flushed(owner: Any) -> None:
    """A flush has changed the object's row, and nothing has noted what it was."""
    state = owner._sa_instance_state
    if state.session is not None and state.key is not None:
        state.session.info.setdefault(_FLUSHED, set()).add(state.key)


def was_flushed(owner: Any) -> bool:
    """Whether the object's row was changed in this transaction, with nothing to note it."""
    state = owner._sa_instance_state
    return state.session is not None and state.key in state.session.info.get(_FLUSHED, ())


def forget_flushed(session: Any) -> None:
    """The session's transaction has ended."""
    session.info.pop(_FLUSHED, None)
