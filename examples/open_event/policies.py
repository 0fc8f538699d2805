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

from .models import Event, EventRole, EventState, Session, SessionState, Speaker

EVENT_ACCESS = [EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER]
SHOWN_STATES = [SessionState.ACCEPTED, SessionState.CONFIRMED]

staff = Role("staff", caller.is_admin.is_true(), implies=[registered])


def member(memberships: str, *roles: EventRole, footnote: str) -> Condition:
    """The caller is one of these in the event whose memberships lie at the path."""
    mine = (attr("account_id") == caller.account_id) & attr("role").in_(roles)
    return attr(memberships).any(mine).named(footnote)


def event_policy() -> Policy:
    runs_it = member("memberships", *EVENT_ACCESS, footnote="Only of own events")
    helps = member("memberships", *EventRole, footnote="Only of events in which one has a role")
    published = (attr("state") == EventState.PUBLISHED).named("Only events in state published")
    verified = caller.is_verified.is_true().named("Only with a verified address")

    events = Policy(Event, name="events")
    events.allow(staff, ALL)
    events.allow(registered, LIST | VIEW | UPDATE | DELETE, when=runs_it)
    events.allow(registered, LIST | VIEW, when=helps)
    events.allow(registered, CREATE, when=verified)
    events.allow(everyone, LIST | VIEW, when=published)
    events.hide("memberships", unless=[staff, runs_it])
    events.readonly("id", "memberships", "sessions", "speakers")
    return events


def session_policy() -> Policy:
    runs_event = member("event.memberships", *EVENT_ACCESS, footnote="Only of own events")
    organizes_tracks = member(
        "event.memberships", EventRole.TRACK_ORGANIZER, footnote="Only as track organizer"
    )
    moderates = member("event.memberships", EventRole.MODERATOR, footnote="Only as moderator")
    own = (attr("creator_id") == caller.account_id).named("Only self-submitted sessions")
    published = (attr("event.state") == EventState.PUBLISHED).named(
        "Only of events in state published"
    )
    accepted = attr("state").in_(SHOWN_STATES).named("Only sessions accepted or confirmed")

    sessions = Policy(Session, name="sessions")
    sessions.allow(staff, ALL)
    sessions.allow(registered, ALL, when=runs_event)
    sessions.allow(registered, LIST | VIEW | UPDATE, when=organizes_tracks)
    sessions.allow(registered, LIST | VIEW, when=moderates)
    sessions.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    sessions.allow(registered, CREATE, when=published)
    sessions.allow(everyone, LIST | VIEW, when=accepted & published)
    sessions.hide("creator_id", unless=[staff, runs_event, own])
    sessions.readonly("id", "creator_id")
    sessions.readonly("state", unless=[staff, runs_event])
    return sessions


def speaker_policy() -> Policy:
    runs_event = member("event.memberships", *EVENT_ACCESS, footnote="Only of own events")
    organizes_tracks = member(
        "event.memberships", EventRole.TRACK_ORGANIZER, footnote="Only as track organizer"
    )
    moderates = member("event.memberships", EventRole.MODERATOR, footnote="Only as moderator")
    own = (
        attr("sessions")
        .any(attr("creator_id") == caller.account_id)
        .named("Only of self-submitted sessions")
    )
    published = (attr("event.state") == EventState.PUBLISHED).named(
        "Only to events in state published"
    )
    accepted = (
        attr("sessions")
        .any(attr("state").in_(SHOWN_STATES))
        .named("Only of sessions accepted or confirmed")
    )

    speakers = Policy(Speaker, name="speakers")
    speakers.allow(staff, ALL)
    speakers.allow(registered, ALL, when=runs_event)
    speakers.allow(registered, LIST | VIEW | UPDATE, when=organizes_tracks)
    speakers.allow(registered, LIST | VIEW, when=moderates)
    speakers.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    speakers.allow(registered, CREATE, when=published)
    speakers.allow(everyone, LIST | VIEW, when=accepted & published)
    speakers.hide("email", "mobile", "address", unless=[staff, runs_event, own])
    speakers.readonly("id")
    return speakers


events, sessions, speakers = event_policy(), session_policy(), speaker_policy()
