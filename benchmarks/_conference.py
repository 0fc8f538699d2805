"""The conference of services/open_event, as `decision.py` and `filter.py` need it."""

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
from services.open_event.policies import speaker_policy  # noqa: E402

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
