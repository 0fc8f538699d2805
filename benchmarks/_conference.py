"""The conference of services/open_event, as `decision.py` and `filter.py` need it.

The policy of speakers is the service's in its six plain grants, without its trash, its reviewers
and its accounts of speakers, so that its statement can be written by hand beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from services.open_event.models import (  # noqa: E402 - lies beside this folder
    Account,
    Base,
    Event,
    EventRole,
    EventState,
    Membership,
    Session,
    SessionState,
    Speaker,
    speaking,
)

from licet.authz import (  # noqa: E402 - after the path, as what follows
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Condition,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    registered,
)

__all__ = [
    "ROOT",
    "Account",
    "Base",
    "Caller",
    "Event",
    "EventRole",
    "EventState",
    "Membership",
    "Session",
    "SessionState",
    "Speaker",
    "speaker_policy",
    "speaking",
]


class Caller:
    """Who asks."""

    is_admin = False
    is_authenticated = True

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id


def speaker_policy() -> Policy:
    """Staff, three roles in the event, the submitter, and everybody for what is published."""
    staff = Role("staff", caller.is_admin.is_true(), implies=[registered])
    roles = (EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER)
    organizer = Role("organizer of the event", in_event(*roles))
    track_organizer = Role("track organizer of the event", in_event(EventRole.TRACK_ORGANIZER))
    moderator = Role("moderator of the event", in_event(EventRole.MODERATOR))
    own = attr("sessions").any(attr("creator_id") == caller.account_id)
    shown = attr("state").in_([SessionState.ACCEPTED, SessionState.CONFIRMED])
    published = attr("event.state") == EventState.PUBLISHED

    policy = Policy(Speaker, name="speakers")
    policy.allow(staff, ALL)
    policy.allow(organizer, ALL)
    policy.allow(track_organizer, LIST | VIEW | UPDATE)
    policy.allow(moderator, LIST | VIEW)
    policy.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    policy.allow(registered, CREATE, when=published)
    policy.allow(everyone, LIST | VIEW, when=attr("sessions").any(shown) & published)
    policy.hide("email", "mobile", "address", unless=[staff, organizer, own])
    policy.readonly("id")
    return policy


def in_event(*roles: EventRole) -> Condition:
    mine = (attr("account_id") == caller.account_id) & attr("role").in_(roles)
    return attr("event.memberships").any(mine)
