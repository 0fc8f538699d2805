"""The rules of events: their moments, their place, their publication, their owner."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import sqlalchemy as sa

from licet.authz.flask import current_caller, current_session
from services.open_event.models import Event, EventRole, EventState, Membership
from services.open_event.resources.events import events

from .refusals import Denied, attribute, conflict, invalid, is_changed, refuse
from .turns import take_turn

LONGEST = timedelta(days=20)
REQUIRED = ("starts_at", "ends_at", "timezone")
UNGUARDED = "licet_unguarded"


@cache
def zones() -> frozenset[str]:
    """The zones of the IANA database that are the same on every server."""
    return frozenset(available_timezones()) - {"Factory", "localtime"}


def new_identifier() -> str:
    """Eight hexadecimal digits, of which one at least is a letter, so that it is no id."""
    while True:
        found = secrets.token_hex(4)
        if not found.isdigit():
            return found


@events.list_at("upcoming")
def upcoming() -> Any:
    """Published events that have not ended."""
    return (Event.state == EventState.PUBLISHED) & (Event.ends_at > datetime.now(UTC))


@events.before_create
def prepare(event: Event) -> None:
    event.identifier = new_identifier()
    check(event)


@events.after_create
def make_owner(event: Event) -> None:
    """Whoever creates an event owns it."""
    check_publication(event)
    take_turn(event.id)
    row = {
        "event_id": event.id,
        "account_id": current_caller().account_id,
        "role": EventRole.OWNER,
    }
    options = {UNGUARDED: "whoever creates an event owns it"}
    current_session().execute(
        sa.insert(Membership.__table__).values(row), execution_options=options
    )


@events.before_update
def change(event: Event) -> None:
    check(event)
    if is_changed(event, "starts_at"):
        _wait_for_call(event)
    if is_changed(event, "state"):
        check_publication(event)
    elif is_changed(event, "name"):
        _require_name(event)


def check(event: Event) -> None:
    """Refuse moments, zones and places that cannot be.

    Raises:
        Refused: 422, with each of them.
    """
    missing = [
        invalid(name, f"{name.replace('_', '-')} must be given.")
        for name in REQUIRED
        if getattr(event, name) is None
    ]
    refuse(
        *missing,
        *_moments(event),
        invalid("timezone", "timezone is a name of the IANA database, such as Europe/Berlin.")
        if event.timezone is not None and event.timezone not in zones()
        else None,
        beyond("latitude", event.latitude, 90),
        beyond("longitude", event.longitude, 180),
    )


def _wait_for_call(event: Event) -> None:
    with current_session().no_autoflush:
        call = event.speakers_call
    if call is not None and event.starts_at is not None and call.ends_at > event.starts_at:
        refuse(invalid("starts_at", "The call for speakers ends after that: change it first."))


def _moments(event: Event) -> list[Any]:
    if event.starts_at is None or event.ends_at is None:
        return []
    if event.ends_at <= event.starts_at:
        return [invalid("ends_at", "ends-at must be after starts-at.")]
    if event.ends_at - event.starts_at > LONGEST:
        return [invalid("ends_at", f"An event lasts at most {LONGEST.days} days.")]
    return []


def beyond(name: str, value: float | None, most: int) -> Any:
    """What is wrong with a degree."""
    if value is None or -most <= value <= most:
        return None
    return invalid(name, f"{name} is from -{most} to {most} degrees.")


def check_publication(event: Event) -> None:
    """Refuse to publish an event without a name, or by somebody without a verified address.

    Raises:
        Denied: 403.
        Refused: 409.
    """
    if event.state is not EventState.PUBLISHED:
        return
    if not current_caller().is_verified:
        raise Denied("Confirm your address before you publish an event.", "address_not_verified")
    _require_name(event)


def _require_name(event: Event) -> None:
    if event.state is EventState.PUBLISHED and not event.name.strip():
        raise conflict("An event needs a name to be published.", pointer=attribute("name"))
