"""The conference's tables."""

from .accounts import Account, Membership, Profile, Role, RoleInvite, address_key
from .base import Base, EventRole, EventState, FieldType, InviteStatus, Privacy, SessionState
from .events import Event, EventSubTopic, EventTopic, EventType, event_lock
from .forms import CustomForm
from .parts import Microlocation, SessionType, SpeakersCall, Sponsor, Track
from .people import OF_ACCOUNT, OF_EVENT
from .program import Session, Speaker, speaking
from .settings import PUBLIC_SETTINGS, SECRET_SETTINGS, STAFF_SETTINGS, Setting

__all__ = [
    "OF_ACCOUNT",
    "OF_EVENT",
    "PUBLIC_SETTINGS",
    "SECRET_SETTINGS",
    "STAFF_SETTINGS",
    "Account",
    "Base",
    "CustomForm",
    "Event",
    "EventRole",
    "EventState",
    "EventSubTopic",
    "EventTopic",
    "EventType",
    "FieldType",
    "InviteStatus",
    "Membership",
    "Microlocation",
    "Privacy",
    "Profile",
    "Role",
    "RoleInvite",
    "Session",
    "SessionState",
    "SessionType",
    "Setting",
    "Speaker",
    "SpeakersCall",
    "Sponsor",
    "Track",
    "address_key",
    "event_lock",
    "speaking",
]
