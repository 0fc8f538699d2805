"""The rules of sessions and speakers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from licet.authz.flask import current_caller, current_session
from services.open_event.access import has_event_access, is_staff
from services.open_event.models import Account, Session, SessionState, Speaker, SpeakersCall
from services.open_event.resources.program import sessions, speakers

from .forms import check_form, touches_form
from .parts import event_of, require_enabled
from .refusals import (
    Denied,
    attribute,
    conflict,
    invalid,
    is_changed,
    is_short,
    refuse,
    relationship,
    was,
)
from .schedule import check_moves, check_slot, note_move, note_speaker
from .states import BY_ORGANIZER, BY_SPEAKER, FIRST_BY_SPEAKER
from .turns import take_turn

PARTS = ("track", "session_type", "microlocation")
PRIVATE = ("email", "mobile", "address")
FEATURE = ("is_sessions_speakers_enabled", "sessions and speakers")


def _event_id(part: Any) -> int | None:
    event = event_of(part)
    return None if event is None else event.id


# --- sessions ------------------------------------------------------------------------------------


@sessions.before_create
def own_session(session: Session) -> None:
    session.creator_id = current_caller().account_id
    session.state = session.state or SessionState.DRAFT
    if session.state is not SessionState.DRAFT:
        session.submitted_at = datetime.now(UTC)


@sessions.after_create
def session_created(session: Session) -> None:
    require_enabled(event_of(session), *FEATURE)
    if not has_event_access(session.event_id):
        _require_open_call(session.event_id)
        if session.state not in FIRST_BY_SPEAKER:
            raise Denied(f"A session is not proposed as {session.state}.", "state_not_allowed")
    _check_lock(session, is_locked=session.is_locked)
    check_session(session)
    check_form(session, "session")
    if session.starts_at is not None:
        check_slot(session.id)


def _require_open_call(event_id: int) -> None:
    now = datetime.now(UTC)
    call = current_session().scalar(
        sa.select(SpeakersCall).where(SpeakersCall.event_id == event_id)
    )
    if call is None or not call.starts_at <= now < call.ends_at:
        raise Denied("The call for speakers of this event is not open.", "call_closed")


@sessions.before_update
def session_changed(session: Session) -> None:
    if is_changed(session, "state"):
        _check_transition(session)
    if is_changed(session, "event_id", "event"):
        _go_to_event(session)
    _check_lock(session, is_locked=is_changed(session, "is_locked"))
    check_session(session)
    _check_form_of(session, "session", is_leaving=session.state is SessionState.WITHDRAWN)
    note_move(session)


@sessions.after_update
def session_moved(_session: Session) -> None:
    check_moves()


@sessions.after_restore
def session_restored(session: Session) -> None:
    check_slot(session.id)


def _go_to_event(session: Session) -> None:
    """A session that goes to another event is proposed there, and leaves all of the one before."""
    event = event_of(session)
    require_enabled(event, *FEATURE)
    if event is not None and not has_event_access(event.id):
        _require_open_call(event.id)
        if session.state not in FIRST_BY_SPEAKER:
            session.state = SessionState.PENDING
        session.starts_at = session.ends_at = None
        session.is_mail_sent = False
    for name in PARTS:
        if not is_changed(session, name, f"{name}_id"):
            setattr(session, name, None)
    if not is_changed(session, "speakers"):
        session.speakers = []


def _check_transition(session: Session) -> None:
    """Refuse a change of the state that is not the caller's to make.

    Raises:
        Denied: 403.
    """
    before, after = was(session, "state"), session.state
    allowed: set[SessionState] = set()
    if has_event_access(was(session, "event_id")):
        allowed.update(BY_ORGANIZER[before])
    if session.creator_id == current_caller().account_id:
        allowed.update(BY_SPEAKER[before])
    if after not in allowed:
        told = ", ".join(sorted(allowed)) or "none"
        raise Denied(
            f"You cannot lead a session from {before} to {after}; from {before} you can lead it "
            f"to: {told}.",
            "state_not_allowed",
        )
    if after is SessionState.PENDING and session.submitted_at is None:
        session.submitted_at = datetime.now(UTC)


def _check_lock(session: Session, *, is_locked: bool) -> None:
    if is_locked and not has_event_access(_event_id(session)):
        raise Denied("Only organizers of the event lock and unlock sessions.", "lock_not_allowed")


def check_session(session: Session) -> None:
    """Refuse moments, slides and parts that cannot be.

    Raises:
        Refused: 422, with each of them.
    """
    starts_at, ends_at = session.starts_at, session.ends_at
    refuse(
        invalid("ends_at", "ends-at must be after starts-at.")
        if starts_at is not None and ends_at is not None and ends_at <= starts_at
        else None,
        _slides(session.slides),
        *(_of_same_event(session, name) for name in PARTS),
    )
    for speaker in sa.inspect(session).attrs["speakers"].history.added or ():
        _require_same_event(session, speaker, "speakers")


def _slides(slides: Any) -> Any:
    if slides is None:
        return None
    is_list = isinstance(slides, list) and len(slides) <= 50
    if is_list and all(
        isinstance(one, dict)
        and one.keys() == {"name", "link"}
        and is_short(one["name"])
        and is_short(one["link"], 500)
        and one["link"].startswith(("https://", "http://"))
        for one in slides
    ):
        return None
    return invalid("slides", 'slides is a list of at most 50 objects {"name", "link"}.')


def _of_same_event(session: Session, name: str) -> Any:
    with current_session().no_autoflush:
        part = getattr(session, name)
    if part is None or part.event_id == _event_id(session):
        return None
    detail = f"{name.replace('_', '-')} must be one of the session's event."
    return invalid(name, detail, place=relationship(name))


def _require_same_event(session: Session, speaker: Speaker, name: str) -> None:
    if _event_id(session) != _event_id(speaker):
        detail = "A session and its speakers are of one event."
        refuse(invalid(name, detail, place=relationship(name)))


# --- speakers ------------------------------------------------------------------------------------


@speakers.before_create
def own_speaker(speaker: Speaker) -> None:
    speaker.account_id = current_caller().account_id
    _force_address(speaker)
    _check_duplicate(speaker)


@speakers.after_create
def speaker_created(speaker: Speaker) -> None:
    require_enabled(event_of(speaker), *FEATURE)
    for session in speaker.sessions:
        _require_same_event(session, speaker, "sessions")
    check_form(speaker, "speaker")
    for session in speaker.sessions:
        check_slot(session.id)


@speakers.before_update
def speaker_changed(speaker: Speaker) -> None:
    if is_changed(speaker, "event_id", "event"):
        require_enabled(event_of(speaker), *FEATURE)
        for session in speaker.sessions:
            _require_same_event(session, speaker, "sessions")
        _leave_rank(speaker)
    _keep_private(speaker)
    if is_changed(speaker, "email", "event_id", "event"):
        _force_address(speaker)
    _check_duplicate(speaker)
    links = sa.inspect(speaker).attrs["sessions"].history
    for session in links.added or ():
        _require_same_event(session, speaker, "sessions")
    for session in links.deleted or ():
        _check_form_of(session, "session")
    _check_form_of(speaker, "speaker")
    note_speaker(speaker)


@speakers.after_update
def speaker_moved(_speaker: Speaker) -> None:
    check_moves()


@speakers.after_restore
def speaker_restored(speaker: Speaker) -> None:
    for session in speaker.sessions:
        check_slot(session.id)


def _keep_private(speaker: Speaker) -> None:
    """Refuse to write over what the caller does not see: a track organizer sees no addresses.

    Raises:
        Refused: 422.
    """
    changed = [name for name in PRIVATE if is_changed(speaker, name)]
    if not changed or has_event_access(_event_id(speaker)):
        return
    asking = current_caller().account_id
    creators = {one.creator_id for one in speaker.sessions if one.deleted_at is None}
    if asking not in {speaker.account_id, *creators}:
        refuse(*(invalid(name, f"{name} may not be written.") for name in changed))


def _leave_rank(speaker: Speaker) -> None:
    """What only organizers give is not brought along from another event."""
    if not has_event_access(_event_id(speaker)):
        speaker.is_featured = speaker.is_email_overridden = False
        speaker.order = 0


def _force_address(speaker: Speaker) -> None:
    """The address of the speaker's own account, unless the caller has event access."""
    if not has_event_access(_event_id(speaker)):
        key = speaker.account_id
        account = None if key is None else current_session().get(Account, key)
        speaker.email = None if account is None else account.email


def _check_duplicate(speaker: Speaker) -> None:
    """Refuse an address that another speaker of the event has.

    Whoever may not write other addresses than their own learns of no other.

    Raises:
        Refused: 409.
    """
    event_id = _event_id(speaker)
    if speaker.email_key is None or event_id is None:
        return
    if not is_changed(speaker, "email", "event_id", "event"):
        return
    take_turn(event_id)  # the unique key alone would say 403 of a race, as the key is hidden
    others = sa.select(Speaker.id).where(
        Speaker.event_id == event_id,
        Speaker.email_key == speaker.email_key,
        Speaker.deleted_at.is_(None),
    )
    with current_session().no_autoflush:
        known = set(current_session().scalars(others)) - {speaker.id}
    if known:
        detail = f"The event has a speaker with the address {speaker.email} already."
        raise conflict(detail, code="duplicate_email", pointer=attribute("email"))


def _check_form_of(owner: Any, form: str, *, is_leaving: bool = False) -> None:
    """Hold a change to the form; one by event access, only where it touches the form."""
    is_touched = touches_form(owner, form)
    is_free = is_leaving or is_staff() or has_event_access(_event_id(owner))
    if is_touched or not is_free:
        check_form(owner, form)
