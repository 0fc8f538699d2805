"""The named permissions of the original, as questions about the current caller.

    if not has_access("is_coorganizer", event_id=event.id): ...

Staff has all of them but `is_super_admin` and `is_user_itself`, and a rank has what those below it
have. Track organizers, moderators and registrars are siblings. An anonymous caller has none.

Source: seed document 003.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from licet.authz.flask import current_caller, current_session

from .models import Event, EventRole, Membership, Session, Speaker, speaking
from .policies import EVENT_ACCESS

Ids = dict[str, Any]
OWNER, ORGANIZER = EventRole.OWNER, EventRole.ORGANIZER


def roles_in(event_id: int | None) -> frozenset[EventRole]:
    """The roles of the current caller in an event that is not in the trash."""
    account_id = getattr(current_caller(), "account_id", None)
    if account_id is None or event_id is None:
        return frozenset()
    statement = sa.select(Membership.role).join(Event, Event.id == Membership.event_id)
    statement = statement.where(
        Membership.account_id == account_id,
        Membership.event_id == event_id,
        Event.deleted_at.is_(None),
    )
    with current_session().no_autoflush:
        return frozenset(current_session().scalars(statement))


def is_staff() -> bool:
    return bool(getattr(current_caller(), "is_admin", False))


def has_event_access(event_id: int | None) -> bool:
    """Whether the current caller is staff, or one of the first three ranks in the event."""
    return is_staff() or not roles_in(event_id).isdisjoint(EVENT_ACCESS)


def _in_event(*roles: EventRole) -> Callable[[Ids], bool]:
    return lambda ids: is_staff() or not roles_in(ids["event_id"]).isdisjoint(roles)


def _is_itself(ids: Ids) -> bool:
    return bool(current_caller().account_id == ids.get("user_id", ids.get("id")))


def _session(ids: Ids) -> Session | None:
    return current_session().get(Session, ids["session_id"])


def _is_self_submitted(ids: Ids) -> bool:
    session = _session(ids)
    if session is None:
        return False
    return session.creator_id == current_caller().account_id or has_event_access(session.event_id)


def _is_speaker_for_session(ids: Ids) -> bool:
    linked = sa.select(Speaker.id).join(speaking, speaking.c.speaker_id == Speaker.id)
    linked = linked.where(
        speaking.c.session_id == ids["session_id"],
        Speaker.account_id == current_caller().account_id,
        Speaker.deleted_at.is_(None),
    )
    return _is_self_submitted(ids) or current_session().scalar(linked) is not None


def _is_speaker_itself(ids: Ids) -> bool:
    speaker = current_session().get(Speaker, ids["speaker_id"])
    is_own = speaker is not None and speaker.account_id == current_caller().account_id
    return is_staff() or is_own


_coorganizer = _in_event(*EVENT_ACCESS)
_registrar = _in_event(*EVENT_ACCESS, EventRole.REGISTRAR)
PERMISSIONS: dict[str, Callable[[Ids], bool]] = {
    "is_super_admin": lambda _: bool(current_caller().is_super_admin),
    "is_admin": lambda _: is_staff(),
    "is_owner": _in_event(OWNER),
    "is_organizer": _in_event(OWNER, ORGANIZER),
    "is_coorganizer": _coorganizer,
    "is_track_organizer": _in_event(*EVENT_ACCESS, EventRole.TRACK_ORGANIZER),
    "is_registrar": _registrar,
    "is_moderator": _in_event(*EVENT_ACCESS, EventRole.MODERATOR),
    "is_user_itself": _is_itself,
    "is_coorganizer_or_user_itself": lambda ids: _is_itself(ids) or _coorganizer(ids),
    "is_registrar_or_user_itself": lambda ids: _is_itself(ids) or _registrar(ids),
    "is_speaker_for_session": _is_speaker_for_session,
    "is_session_self_submitted": _is_self_submitted,
    "is_speaker_itself_or_admin": _is_speaker_itself,
    "create_event": lambda _: is_staff() or bool(current_caller().is_verified),
}


def has_access(name: str, **ids: Any) -> bool:
    """Whether the current caller has the permission of this name.

    Raises:
        LookupError: there is no such permission.
    """
    if name not in PERMISSIONS:
        raise LookupError(
            f"There is no permission {name!r}. The permissions are: {', '.join(PERMISSIONS)}."
        )
    asking = current_caller()
    if not getattr(asking, "is_authenticated", False) or asking.account_id is None:
        return False
    return PERMISSIONS[name](ids)
