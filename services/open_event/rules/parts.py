"""The rules of the parts of events, and of what is kept in one event."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import sqlalchemy as sa

from licet.authz.flask import current_session
from services.open_event.access import has_event_access
from services.open_event.models import (
    Event,
    EventSubTopic,
    EventTopic,
    EventType,
    Microlocation,
    SessionType,
    SpeakersCall,
    Sponsor,
    Track,
)
from services.open_event.resources.events import event_sub_topics, event_topics, event_types
from services.open_event.resources.parts import (
    microlocations,
    session_types,
    speakers_calls,
    sponsors,
    tracks,
)

from .events import beyond
from .refusals import Denied, conflict, invalid, is_changed, refuse, relationship

COLOR = re.compile(r"#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?")
LENGTH = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def event_of(part: Any) -> Event | None:
    """The event of a part, whose relationship may not be loaded, or may not be flushed yet."""
    with current_session().no_autoflush:
        if part.event is not None:
            found: Event = part.event
            return found
        return current_session().get(Event, part.event_id) if part.event_id else None


def require_enabled(event: Event | None, flag: str, what: str) -> None:
    """Refuse what the event has switched off.

    Raises:
        Denied: 403.
    """
    if event is not None and not getattr(event, flag):
        raise Denied(f"This event has no {what}.", "feature_disabled")


@sponsors.after_create
def sponsor_created(sponsor: Sponsor) -> None:
    require_enabled(event_of(sponsor), "is_sponsors_enabled", "sponsors")


@sponsors.before_update
def sponsor_moved(sponsor: Sponsor) -> None:
    if is_changed(sponsor, "event_id", "event"):
        require_enabled(event_of(sponsor), "is_sponsors_enabled", "sponsors")


@tracks.before_create
@tracks.before_update
def check_track(track: Track) -> None:
    if track.color is not None and not COLOR.fullmatch(track.color):
        refuse(invalid("color", "color is a hexadecimal color, such as #1e90ff."))
    stay(track)


@session_types.before_create
@session_types.before_update
def check_length(session_type: SessionType) -> None:
    if session_type.length is not None and not LENGTH.fullmatch(session_type.length):
        refuse(invalid("length", "length is hours and minutes, such as 00:45."))
    stay(session_type)


@microlocations.before_create
@microlocations.before_update
def check_place(room: Microlocation) -> None:
    refuse(beyond("latitude", room.latitude, 90), beyond("longitude", room.longitude, 180))
    stay(room)


def stay(part: Any) -> None:
    """Refuse to move what sessions of its event refer to.

    Raises:
        Refused: 409.
    """
    if sa.inspect(part).persistent and is_changed(part, "event_id", "event") and part.sessions:
        raise conflict(
            "Sessions of its event refer to it, so it stays there.", pointer=relationship("event")
        )


@speakers_calls.before_create
@speakers_calls.before_update
def check_call(call: SpeakersCall) -> None:
    event = event_of(call)
    if event is not None and has_event_access(event.id):
        _require_only(call, event)
    _check_moments(call, event)


def _require_only(call: SpeakersCall, event: Event) -> None:
    """Refuse a second call in words of its own; in a race, the unique key refuses it."""
    others = sa.select(SpeakersCall.id).where(SpeakersCall.event_id == event.id)
    with current_session().no_autoflush:
        known = set(current_session().scalars(others)) - {call.id}
    if known:
        raise conflict("This event has a call for speakers already.", pointer=relationship("event"))


def _check_moments(call: SpeakersCall, event: Event | None) -> None:
    if call.starts_at is None or call.ends_at is None:
        return
    soft = call.soft_ends_at
    start = None if event is None else event.starts_at
    refuse(
        invalid("ends_at", "ends-at must be after starts-at.")
        if call.ends_at <= call.starts_at
        else None,
        invalid("soft_ends_at", "soft-ends-at is between starts-at and ends-at.")
        if soft is not None and not call.starts_at <= soft <= call.ends_at
        else None,
        invalid("ends_at", "The call must end before the event starts.")
        if start is not None and call.ends_at > start
        else None,
    )


@event_topics.before_create
@event_types.before_create
@event_sub_topics.before_create
def make_slug(entry: EventTopic | EventType | EventSubTopic) -> None:
    """The name in lower case with dashes, and a number where another has that.

    Letters lose their accents; those of other scripts are left out.
    """
    plain = unicodedata.normalize("NFKD", entry.name or "").encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "topic"
    model = type(entry)
    taken = sa.select(model.slug).where(model.slug.startswith(base, autoescape=True))
    with current_session().no_autoflush:
        known = set(current_session().scalars(taken))
    entry.slug = next(
        slug for n in range(len(known) + 1) if (slug := f"{base}-{n}" if n else base) not in known
    )
