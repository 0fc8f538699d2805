"""The roles of the service, and the conditions that several policies share.

Staff is whoever administers the service. The other roles are relative to an event: the first three
ranks have event access, each more than the next; track organizers, moderators and registrars are
siblings below, and none of them has what another has.

Source: seed document 003 (the handbook's tables).
"""

from __future__ import annotations

from licet.authz import Condition, Role, attr, caller, registered
from licet.authz.grants import grant_verb
from services.open_event.models import EventRole, EventState

OWNER, ORGANIZER, COORGANIZER = EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER
EVENT_ACCESS = [OWNER, ORGANIZER, COORGANIZER]
SIBLINGS = [EventRole.TRACK_ORGANIZER, EventRole.MODERATOR, EventRole.REGISTRAR]
BELOW = {
    OWNER: [ORGANIZER, COORGANIZER, *SIBLINGS],
    ORGANIZER: [COORGANIZER, *SIBLINGS],
    COORGANIZER: SIBLINGS,
}
GRANT_REVIEWER = grant_verb("reviewer")

staff = Role("staff", caller.is_admin.is_true(), implies=[registered])
super_admin = Role("super admin", caller.is_super_admin.is_true())
verified = caller.is_verified.is_true().named("Only with a verified address")


def member(memberships: str, *roles: EventRole) -> Condition:
    """The caller is one of these in the event whose memberships lie at the path."""
    mine = (attr("account_id") == caller.account_id) & attr("role").in_(roles)
    return attr(memberships).any(mine)


def is_live(event: str = "event") -> Condition:
    """The event at the path is not in the trash."""
    return attr(f"{event}.deleted_at").is_null()


def in_event(name: str, *roles: EventRole, path: str = "event") -> Role:
    """The role of whoever is one of these in the event at the path."""
    return Role(name, member(f"{path}.memberships", *roles) & is_live(path))


def organizer_of(path: str = "event") -> Role:
    """Whoever has event access."""
    return in_event("organizer of the event", *EVENT_ACCESS, path=path)


def helper_of(path: str = "event") -> Role:
    """Whoever has any role in the event."""
    return in_event("other role in the event", *EventRole, path=path)


def is_published(path: str = "event") -> Condition:
    """The event at the path is for everybody."""
    condition = (attr(f"{path}.state") == EventState.PUBLISHED) & is_live(path)
    return condition.named("Only of events in state published")
