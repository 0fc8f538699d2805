"""Who may do what with sessions and speakers."""

from __future__ import annotations

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    registered,
)
from licet.authz.grants import granted
from services.open_event.models import EventRole, Session, SessionState, Speaker

from .roles import in_event, is_live, is_published, organizer_of, staff

SHOWN_STATES = [SessionState.ACCEPTED, SessionState.CONFIRMED]
OF_THE_SCHEDULE = ("starts_at", "ends_at", "microlocation_id")
OF_THE_SERVER = ("id", "deleted_at", "submitted_at", "last_modified_at", "average_rating")


def session_policy() -> Policy:
    organizer = organizer_of()
    track_organizer = in_event("track organizer of the event", EventRole.TRACK_ORGANIZER)
    moderator = in_event("moderator of the event", EventRole.MODERATOR)
    reviewer = Role(
        "reviewer of the event, until the grant expires",
        granted("reviewer", via="event") & is_live(),
    )
    own = ((attr("creator_id") == caller.account_id) & is_live()).named(
        "Only self-submitted sessions"
    )
    unlocked = (~attr("is_locked").is_true()).named("Only sessions that are not locked")
    accepted = attr("state").in_(SHOWN_STATES).named("Only sessions accepted or confirmed")
    published = is_published()

    sessions = Policy(Session, name="sessions")
    sessions.allow(staff, ALL)
    sessions.allow(organizer, ALL)
    sessions.allow(track_organizer, LIST | VIEW)
    sessions.allow(track_organizer, UPDATE, when=unlocked)
    sessions.allow(moderator, LIST | VIEW)
    sessions.allow(reviewer, LIST | VIEW)
    sessions.allow(registered, LIST | VIEW, when=own)
    sessions.allow(registered, UPDATE | DELETE, when=own & unlocked)
    sessions.allow(registered, CREATE, when=published)
    sessions.allow(everyone, LIST | VIEW, when=accepted & published)
    sessions.hide("creator_id", unless=[staff, organizer, own])
    sessions.hide(
        *("comments", "complex_field_values", "submitted_at", "is_mail_sent", "average_rating"),
        unless=[staff, organizer, track_organizer, moderator, reviewer, own],
    )
    sessions.readonly(*OF_THE_SERVER)
    sessions.readonly("creator_id", unless=[staff])
    sessions.readonly("is_mail_sent", unless=[staff, organizer])
    sessions.readonly(*OF_THE_SCHEDULE, unless=[staff, organizer, track_organizer])
    return sessions


def speaker_policy() -> Policy:
    organizer = organizer_of()
    track_organizer = in_event("track organizer of the event", EventRole.TRACK_ORGANIZER)
    moderator = in_event("moderator of the event", EventRole.MODERATOR)
    mine = (attr("creator_id") == caller.account_id) & attr("deleted_at").is_null()
    own = attr("sessions").any(mine) | (attr("account_id") == caller.account_id)
    own = (own & is_live()).named("Only of self-submitted sessions, or made by themselves")
    shown = attr("state").in_(SHOWN_STATES) & attr("deleted_at").is_null()
    accepted = attr("sessions").any(shown).named("Only of sessions accepted or confirmed")
    published = is_published()

    speakers = Policy(Speaker, name="speakers")
    speakers.allow(staff, ALL)
    speakers.allow(organizer, ALL)
    speakers.allow(track_organizer, LIST | VIEW | UPDATE)
    speakers.allow(moderator, LIST | VIEW)
    speakers.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    speakers.allow(registered, CREATE, when=published)
    speakers.allow(everyone, LIST | VIEW, when=accepted & published)
    speakers.hide("email", "mobile", "address", unless=[staff, organizer, own])
    speakers.hide("account_id", unless=[staff, organizer, own])
    speakers.hide(
        *("complex_field_values", "heard_from", "sponsorship_required", "is_email_overridden"),
        *("email_key", "gender"),
        unless=[staff, organizer, track_organizer, moderator, own],
    )
    speakers.readonly("id", "deleted_at", "email_key")
    speakers.readonly("account_id", unless=[staff])
    speakers.readonly("is_featured", "order", "is_email_overridden", unless=[staff, organizer])
    return speakers


sessions, speakers = session_policy(), speaker_policy()
