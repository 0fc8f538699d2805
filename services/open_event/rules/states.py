"""The states of a session, and who may lead it from which to which."""

from __future__ import annotations

from services.open_event.models import SessionState

DRAFT, PENDING, ACCEPTED = SessionState.DRAFT, SessionState.PENDING, SessionState.ACCEPTED
CONFIRMED, REJECTED = SessionState.CONFIRMED, SessionState.REJECTED
CANCELED, WITHDRAWN = SessionState.CANCELED, SessionState.WITHDRAWN

BY_ORGANIZER: dict[SessionState, tuple[SessionState, ...]] = {
    DRAFT: (),
    PENDING: (WITHDRAWN, ACCEPTED, REJECTED, CONFIRMED),
    ACCEPTED: (PENDING, WITHDRAWN, CONFIRMED, REJECTED, CANCELED),
    CONFIRMED: (PENDING, WITHDRAWN, ACCEPTED, REJECTED, CANCELED),
    REJECTED: (PENDING, WITHDRAWN, ACCEPTED, CONFIRMED),
    CANCELED: (PENDING, WITHDRAWN, ACCEPTED, REJECTED, CONFIRMED),
    WITHDRAWN: (PENDING, ACCEPTED, REJECTED, CANCELED),
}
BY_SPEAKER: dict[SessionState, tuple[SessionState, ...]] = {
    DRAFT: (PENDING,),
    PENDING: (WITHDRAWN,),
    ACCEPTED: (WITHDRAWN,),
    CONFIRMED: (WITHDRAWN,),
    REJECTED: (WITHDRAWN,),
    CANCELED: (WITHDRAWN,),
    WITHDRAWN: (),
}
FIRST_BY_SPEAKER = (DRAFT, PENDING)
FREE = (REJECTED, CANCELED, WITHDRAWN)  # sessions in these states take no room and no time


def table() -> dict[str, dict[str, list[str]]]:
    """Both state machines: who → from → to."""
    return {
        who: {before.value: [one.value for one in after] for before, after in states.items()}
        for who, states in (("organizer", BY_ORGANIZER), ("speaker", BY_SPEAKER))
    }
