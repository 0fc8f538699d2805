"""Who may do what: the conference's permission tables, each written once.

`docs/access-matrix.md` is printed from here, and the tests prove it by requests.

Source: seed document 003 (the handbook's tables).
"""

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
from .program import session_policy, sessions, speaker_policy, speakers
from .roles import EVENT_ACCESS, GRANT_REVIEWER
from .settings import settings

POLICIES = (
    *(events, sessions, speakers, sponsors, tracks, session_types, microlocations),
    *(speakers_calls, custom_forms, role_invites, memberships, users, roles),
    *(event_types, event_topics, event_sub_topics, settings),
)

__all__ = [
    "EVENT_ACCESS",
    "GRANT_REVIEWER",
    "POLICIES",
    "custom_forms",
    "event_sub_topics",
    "event_topics",
    "event_types",
    "events",
    "memberships",
    "microlocations",
    "role_invites",
    "roles",
    "session_policy",
    "session_types",
    "sessions",
    "settings",
    "speaker_policy",
    "speakers",
    "speakers_calls",
    "sponsors",
    "tracks",
    "users",
]
