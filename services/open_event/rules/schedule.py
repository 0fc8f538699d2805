"""No two sessions at one time in one room, nor of one speaker."""

from __future__ import annotations

import sqlalchemy as sa

from licet.authz import VIEW
from licet.authz.flask import current_caller, current_session
from services.open_event import policies
from services.open_event.models import Session, Speaker, speaking

from .refusals import attribute, conflict, is_changed
from .states import FREE
from .turns import take_turn

_MOVED = "open_event.moved"


def note_move(session: Session) -> None:
    """Note that a change, not flushed yet, may have the session meet another one."""
    names = ("starts_at", "ends_at", "microlocation_id", "microlocation", "speakers", "state")
    if is_changed(session, *names, "event_id", "event"):
        current_session().info.setdefault(_MOVED, set()).add(session.id)


def note_speaker(speaker: Speaker) -> None:
    """Note the sessions that a change of the speaker, not flushed yet, adds to theirs."""
    added = sa.inspect(speaker).attrs["sessions"].history.added
    current_session().info.setdefault(_MOVED, set()).update(one.id for one in added)


def check_moves() -> None:
    """Check the sessions that were noted, now that they are flushed.

    Raises:
        Refused: 409; one of them meets another session.
    """
    for session_id in sorted(current_session().info.pop(_MOVED, ())):
        check_slot(session_id)


def check_slot(session_id: int) -> None:
    """Check one session, as it is flushed.

    Raises:
        Refused: 409; it meets another session, which is named to callers who may see that.
    """
    db = current_session()
    event_id = db.scalar(sa.select(Session.event_id).where(Session.id == session_id))
    if event_id is None:
        return
    take_turn(event_id)
    other = db.scalars(_meeting(session_id, event_id)).first()
    if other is None:
        return
    is_seen = policies.sessions.decide(current_caller(), VIEW, other).allowed
    named = f"the session {other.id}, “{other.title}”" if is_seen else "another session"
    raise conflict(
        f"The session overlaps with {named}, in the same room or with the same speaker.",
        code="overlap",
        pointer=attribute("starts_at"),
    )


def _meeting(session_id: int, event_id: int) -> sa.Select[tuple[Session]]:
    """The sessions of the event that the session meets."""
    own, other = sa.orm.aliased(Session), Session
    first, second = speaking.alias(), speaking.alias()
    same_room = own.microlocation_id == other.microlocation_id
    same_speaker = (
        sa.exists()
        .where(
            first.c.session_id == own.id,
            second.c.session_id == other.id,
            first.c.speaker_id == second.c.speaker_id,
            first.c.speaker_id.in_(sa.select(Speaker.id).where(Speaker.deleted_at.is_(None))),
        )
        .correlate(own, other)
    )
    return (
        sa.select(other)
        .join(own, own.id == session_id)
        .where(
            other.id != session_id,
            other.event_id == event_id,
            other.starts_at < own.ends_at,
            own.starts_at < other.ends_at,
            *(one.deleted_at.is_(None) for one in (own, other)),
            *(one.state.not_in(FREE) for one in (own, other)),
            same_room | same_speaker,
        )
        .order_by(other.id)
    )
