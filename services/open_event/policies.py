"""Who may do what: the conference's permission tables, each written once.

`docs/access-matrix.md` is printed from here, and the tests prove it by requests.

Source: seed document 003 (the handbook's tables).
"""

from licet.authz import (
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
from licet.authz.grants import grant_verb, granted

from .models import Event, EventRole, EventState, Session, SessionState, Speaker

EVENT_ACCESS = [EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER]
GRANT_REVIEWER = grant_verb("reviewer")
SHOWN_STATES = [SessionState.ACCEPTED, SessionState.CONFIRMED]

staff = Role("staff", caller.is_admin.is_true(), implies=[registered])


def member(memberships: str, *roles: EventRole) -> Condition:
    """The caller is one of these in the event whose memberships lie at the path."""
    mine = (attr("account_id") == caller.account_id) & attr("role").in_(roles)
    return attr(memberships).any(mine)


def event_policy() -> Policy:
    organizer = Role("organizer of the event", member("memberships", *EVENT_ACCESS))
    helper = Role("other role in the event", member("memberships", *EventRole))
    published = (attr("state") == EventState.PUBLISHED).named("Only events in state published")
    verified = caller.is_verified.is_true().named("Only with a verified address")

    events = Policy(Event, name="events")
    events.allow(staff, ALL)
    events.allow(organizer, LIST | VIEW | UPDATE | DELETE | GRANT_REVIEWER)
    events.allow(helper, LIST | VIEW)
    events.allow(registered, CREATE, when=verified)
    events.allow(everyone, LIST | VIEW, when=published)
    events.forbid(everyone, GRANT_REVIEWER, when=published, unless=[staff])
    events.hide("memberships", unless=[staff, organizer])
    events.readonly("id", "memberships", "sessions", "speakers")
    return events


def session_policy() -> Policy:
    organizer = Role("organizer of the event", member("event.memberships", *EVENT_ACCESS))
    track_organizer = Role(
        "track organizer of the event", member("event.memberships", EventRole.TRACK_ORGANIZER)
    )
    moderator = Role("moderator of the event", member("event.memberships", EventRole.MODERATOR))
    reviewer = Role(
        "reviewer of the event, until the grant expires", granted("reviewer", via="event")
    )
    own = (attr("creator_id") == caller.account_id).named("Only self-submitted sessions")
    accepted = attr("state").in_(SHOWN_STATES).named("Only sessions accepted or confirmed")
    published = (attr("event.state") == EventState.PUBLISHED).named(
        "Only of events in state published"
    )

    sessions = Policy(Session, name="sessions")
    sessions.allow(staff, ALL)
    sessions.allow(organizer, ALL)
    sessions.allow(track_organizer, LIST | VIEW | UPDATE)
    sessions.allow(moderator, LIST | VIEW)
    sessions.allow(reviewer, LIST | VIEW)
    sessions.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    sessions.allow(registered, CREATE, when=published)
    sessions.allow(everyone, LIST | VIEW, when=accepted & published)
    sessions.hide("creator_id", unless=[staff, organizer, own])
    sessions.readonly("id", "creator_id")
    sessions.readonly("state", unless=[staff, organizer])
    return sessions


def speaker_policy() -> Policy:
    organizer = Role("organizer of the event", member("event.memberships", *EVENT_ACCESS))
    track_organizer = Role(
        "track organizer of the event", member("event.memberships", EventRole.TRACK_ORGANIZER)
    )
    moderator = Role("moderator of the event", member("event.memberships", EventRole.MODERATOR))
    own = attr("sessions").any(attr("creator_id") == caller.account_id)
    own = own.named("Only of self-submitted sessions")
    accepted = attr("sessions").any(attr("state").in_(SHOWN_STATES))
    accepted = accepted.named("Only of sessions accepted or confirmed")
    published = (attr("event.state") == EventState.PUBLISHED).named(
        "Only to events in state published"
    )

    speakers = Policy(Speaker, name="speakers")
    speakers.allow(staff, ALL)
    speakers.allow(organizer, ALL)
    speakers.allow(track_organizer, LIST | VIEW | UPDATE)
    speakers.allow(moderator, LIST | VIEW)
    speakers.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    speakers.allow(registered, CREATE, when=published)
    speakers.allow(everyone, LIST | VIEW, when=accepted & published)
    speakers.hide("email", "mobile", "address", unless=[staff, organizer, own])
    speakers.readonly("id")
    return speakers


events, sessions, speakers = event_policy(), session_policy(), speaker_policy()
