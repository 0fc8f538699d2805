"""Who may do what with the parts of an event: sponsors, tracks, rooms, its call and its forms."""

from __future__ import annotations

from typing import Any

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Condition,
    Policy,
    attr,
    everyone,
    registered,
)
from services.open_event.models import (
    CustomForm,
    EventRole,
    Microlocation,
    Privacy,
    SessionType,
    SpeakersCall,
    Sponsor,
    Track,
)

from .roles import helper_of, is_live, is_published, member, organizer_of, staff


def part_policy(model: type[Any], name: str, *readonly: str) -> Policy:
    """Of what everybody sees of published events, and whoever has event access keeps."""
    policy = Policy(model, name=name)
    policy.allow(staff, ALL)
    policy.allow(organizer_of(), ALL)
    policy.allow(helper_of(), LIST | VIEW)
    policy.allow(everyone, LIST | VIEW, when=is_published())
    policy.readonly("id", *readonly)
    return policy


def speakers_call_policy() -> Policy:
    public = (attr("privacy") == Privacy.PUBLIC).named("Only calls that are not private")
    calls = Policy(SpeakersCall, name="speakers-calls")
    calls.allow(staff, VIEW | CREATE | UPDATE | DELETE)
    calls.allow(organizer_of(), VIEW | CREATE | UPDATE | DELETE)
    calls.allow(helper_of(), VIEW)
    calls.allow(everyone, VIEW, when=is_published() & public)
    calls.hide("hash").readonly("id", "hash")
    return calls


def custom_form_policy() -> Policy:
    visible: Condition = is_published() | (member("event.memberships", *EventRole) & is_live())
    visible = visible.named("Only of events that they can see")
    forms = Policy(CustomForm, name="custom-forms")
    forms.allow(staff, ALL)
    forms.allow(organizer_of(), CREATE | UPDATE | DELETE)
    forms.allow(registered, LIST | VIEW, when=visible)
    forms.readonly("id", "is_complex")
    return forms


sponsors = part_policy(Sponsor, "sponsors")
tracks = part_policy(Track, "tracks", "sessions")
session_types = part_policy(SessionType, "session-types", "sessions")
microlocations = part_policy(Microlocation, "microlocations", "sessions")
speakers_calls = speakers_call_policy()
custom_forms = custom_form_policy()
