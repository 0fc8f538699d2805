"""Which moment a decision is of when its caller names none: the request's, or the clock's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final

from flask import has_request_context

from licet.authz._moment import known_moment, using_moment
from licet.settings.state import request_state

__all__ = ["at_one_moment", "decision_moment"]

_KEY: Final = "authz.moment"


def decision_moment() -> datetime:
    """The moment of the decision that is being made; else of the request, which keeps its first."""
    known = known_moment()
    if known is not None:
        return known
    if not has_request_context():
        return datetime.now(UTC)
    state = request_state()
    if _KEY not in state:
        state[_KEY] = datetime.now(UTC)
    return state[_KEY]  # type: ignore[no-any-return]  # values are untyped


def at_one_moment(moment: datetime | None = None) -> AbstractContextManager[None]:
    """A block in which `now()` stays what it is, or is `moment`."""
    return using_moment(decision_moment() if moment is None else moment)
