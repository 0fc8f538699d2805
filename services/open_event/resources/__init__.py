"""What the service shows over JSON:API; `rules` has the hooks of these resources."""

from .events import event_sub_topics, event_topics, event_types, events
from .parts import (
    custom_forms,
    microlocations,
    session_types,
    speakers_calls,
    sponsors,
    tracks,
)
from .people import memberships, role_invites, roles, users
from .program import sessions, speakers
from .settings import settings

RESOURCES = (
    *(events, sessions, speakers, sponsors, tracks, session_types, microlocations),
    *(speakers_calls, custom_forms, role_invites, memberships, users, roles),
    *(event_types, event_topics, event_sub_topics, settings),
)

__all__ = ["RESOURCES", "role_invites"]
