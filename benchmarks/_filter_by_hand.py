"""The lists of `filter.py`, written by hand with SQLAlchemy.

`SHAPES` are the statements that licet makes, part for part, as one writes them in a view; `KEPT`
are the same with all parts that do not depend on the caller made once, as licet does; `OTHERS` are
further ways to get the same rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import and_, or_, select

from _conference import (
    Caller,
    Event,
    EventRole,
    EventState,
    Membership,
    Session,
    SessionState,
    Speaker,
    speaking,
)

Statement = Callable[[Caller], sa.Select[Any]]
ACCESS = (EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER)
SHOWN = (SessionState.ACCEPTED, SessionState.CONFIRMED)


def page() -> sa.Select[Any]:
    return select(Speaker).order_by(Speaker.id).limit(50)


def public() -> Any:
    """Accepted, and of a published event."""
    is_accepted = Speaker.sessions.any(or_(*(Session.state == state for state in SHOWN)))
    is_published = Speaker.event.has(Event.state == EventState.PUBLISHED)
    return and_(is_accepted, is_published)


def owns(me: Caller) -> Any:
    mine = select(speaking.c.speaker_id).where(
        speaking.c.session_id == Session.id,
        Session.creator_id == me.account_id,
    )
    return Speaker.id.in_(mine)


def owns_by_exists(me: Caller) -> Any:
    return Speaker.sessions.any(Session.creator_id == me.account_id)


def helps(me: Caller, *roles: EventRole) -> Any:
    return Speaker.event_id.in_(mine_as(me, roles))


def helps_by_event(me: Caller, *roles: EventRole) -> Any:
    return Speaker.event_id.in_(select(Event.id).where(Event.id.in_(mine_as(me, roles))))


def helps_by_exists(me: Caller, *roles: EventRole) -> Any:
    is_one = or_(*(Membership.role == role for role in roles))
    mine = Event.memberships.any((Membership.account_id == me.account_id) & is_one)
    return Speaker.event.has(mine)


def mine_as(me: Caller, roles: tuple[EventRole, ...]) -> sa.Select[Any]:
    is_one = or_(*(Membership.role == role for role in roles))
    return select(Membership.event_id).where(Membership.account_id == me.account_id, is_one)


def by_role(me: Caller, others: Any) -> list[Any]:
    """One alternative for each grant of the example's policy."""
    return [
        helps_by_event(me, *ACCESS),
        helps_by_event(me, EventRole.TRACK_ORGANIZER),
        helps_by_event(me, EventRole.MODERATOR),
        owns(me),
        others,
    ]


def by_any_role(me: Caller, mine: Any) -> list[Any]:
    """Fewer alternatives, which say the same."""
    roles = (*ACCESS, EventRole.TRACK_ORGANIZER, EventRole.MODERATOR)
    return [helps(me, *roles), mine, public()]


def union(alternatives: list[Any]) -> sa.Select[Any]:
    narrow = page().with_only_columns(Speaker.id.label("key_0"))
    limited = (
        select(sa.column("key_0")).select_from(narrow.where(one).subquery()) for one in alternatives
    )
    return page().where(Speaker.id.in_(sa.union_all(*limited)))


def joined(me: Caller) -> sa.Select[Any]:
    mine = (
        select(speaking.c.speaker_id)
        .join(Session, Session.id == speaking.c.session_id)
        .where(Session.creator_id == me.account_id)
        .distinct()
        .subquery()
    )
    return page().join(mine, mine.c.speaker_id == Speaker.id).where(public())


def with_fields(me: Caller) -> sa.Select[Any]:
    """The same as `by_role`, and whether the caller sees the address and may change the row."""
    sees = or_(helps_by_exists(me, *ACCESS), owns_by_exists(me))
    organizes_tracks = helps_by_exists(me, EventRole.TRACK_ORGANIZER)
    may = or_(helps_by_exists(me, *ACCESS), organizes_tracks, owns_by_exists(me))
    columns = (sa.type_coerce(term.is_(sa.true()), sa.Boolean()) for term in (sees, may))
    return union(by_role(me, public())).add_columns(*columns)


def with_event(me: Caller) -> sa.Select[Any]:
    is_accepted = Speaker.sessions.any(or_(*(Session.state == state for state in SHOWN)))
    is_published = Event.state == EventState.PUBLISHED
    return page().join(Event).where(owns(me), is_accepted, is_published)


SHAPES: dict[str, Statement] = {
    "AND": lambda me: page().where(owns(me), public()),
    "OR": lambda me: union(by_role(me, public())),
}
_public = public()
KEPT: dict[str, Statement] = {
    "AND": lambda me: page().where(owns(me), _public),
    "OR": lambda me: union(by_role(me, _public)),
}
OTHERS: dict[str, dict[str, Statement]] = {
    "AND": {
        "EXISTS": lambda me: page().where(owns_by_exists(me), public()),
        "join of DISTINCT": joined,
        "join of the event": with_event,
    },
    "OR": {
        "fewer branches": lambda me: union(by_any_role(me, owns(me))),
        "fewer branches, EXISTS": lambda me: union(by_any_role(me, owns_by_exists(me))),
        "OR": lambda me: page().where(or_(*by_any_role(me, owns(me)))),
        "OR of EXISTS": lambda me: page().where(or_(*by_any_role(me, owns_by_exists(me)))),
    },
}


def shape(statement: sa.Select[Any]) -> Counter[str]:
    """The words of a statement; two that have the same differ only in the names of aliases."""
    text = str(statement.compile())
    text = re.sub(r":\w+", ":value", text)  # parameters
    text = re.sub(r"anon_\d\.id|AS (id|key_0)|key_0", "key", text)
    text = re.sub(r" AS \w+_\d+", "", text)
    text = re.sub(r"(\w+)_\d+\.", r"\1.", text)
    return Counter(re.findall(r"[\w.:]+|[=<>]+", text))
