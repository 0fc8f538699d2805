"""The lists of `filter.py`, written by hand with SQLAlchemy.

`SHAPES` are the statements that licet makes for a database, part for part, as one writes them in a
view; `KEPT` are the same with all parts that do not depend on the caller made once, as licet does;
`OTHERS` are further ways to get the same rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

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
    return Speaker.id.in_(mine(me))


def mine(me: Caller) -> sa.Select[Any]:
    return select(speaking.c.speaker_id).where(
        speaking.c.session_id == Session.id,
        Session.creator_id == me.account_id,
    )


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


# --- on SQLite: few rows of the caller's, or many -------------------------------------------------

NONE, ONE, MANY = (sa.literal_column(number) for number in ("0", "1", "1000"))


def walk_first(narrow: Any, own: list[Any], in_order: Any, alternatives: list[Any]) -> Any:
    """The page from the first rows in order, when many are the caller's and these fill it."""
    few = and_(*(count(rows.limit(MANY)) < MANY for rows in own))
    first = narrow.limit(sa.case((few, NONE), else_=MANY))
    walked = narrow.where(Speaker.id.in_(keys_of(first)), in_order).cte()
    is_short = count(select(walked)) < 50
    rest = narrow.limit(sa.case((is_short, 50), else_=NONE))
    pages = [select(walked), *map(rest.where, alternatives)]
    chosen = sa.union_all(*map(keys_of, pages)).add_cte(walked, nest_here=True)
    return page().where(Speaker.id.in_(chosen))


def keys_of(rows: Any) -> Any:
    return select(sa.column("key_0")).select_from(rows.subquery())


def count(rows: Any) -> Any:
    return select(sa.func.count()).select_from(rows.subquery()).scalar_subquery()


def is_so(*conditions: Any) -> Any:
    """So that no index is used for them."""
    return sa.case((and_(*conditions), ONE), else_=NONE)


def owns_in_order(me: Caller) -> Any:
    spoken = and_(speaking.c.session_id == Session.id, speaking.c.speaker_id == Speaker.id)
    by_me = select(ONE).select_from(speaking, Session)
    return by_me.where(spoken, is_so(Session.creator_id == me.account_id)).exists()


def helps_in_order(me: Caller, *roles: EventRole) -> Any:
    is_one = or_(*(Membership.role == role for role in roles))
    is_mine = is_so(Membership.account_id == me.account_id, is_one)
    member = select(ONE).select_from(Membership).where(Membership.event_id == Event.id, is_mine)
    event = select(ONE).select_from(Event).where(Event.id == Speaker.event_id)
    return event.where(is_so(member.exists())).exists()


def own_in_order(me: Caller, others: Any) -> sa.Select[Any]:
    in_order = and_(owns_in_order(me), others)
    return walk_first(narrow_page(), [mine(me)], in_order, [and_(owns(me), others)])


def by_role_in_order(me: Caller, others: Any) -> sa.Select[Any]:
    each = (ACCESS, (EventRole.TRACK_ORGANIZER,), (EventRole.MODERATOR,))
    own = []
    for roles in each:
        events = select(Event.id).where(Event.id.in_(mine_as(me, roles)))
        own += [mine_as(me, roles), events]
    helped = (helps_in_order(me, *roles) for roles in each)
    in_order = or_(*helped, owns_in_order(me), others)
    return walk_first(narrow_page(), [*own, mine(me)], in_order, by_role(me, others))


def narrow_page() -> sa.Select[Any]:
    return page().with_only_columns(Speaker.id.label("key_0"))


# --- further ways ---------------------------------------------------------------------------------


def joined(me: Caller) -> sa.Select[Any]:
    mine = (
        select(speaking.c.speaker_id)
        .join(Session, Session.id == speaking.c.session_id)
        .where(Session.creator_id == me.account_id)
        .distinct()
        .subquery()
    )
    return page().join(mine, mine.c.speaker_id == Speaker.id).where(public())


def with_fields(chosen: Statement) -> Statement:
    """The same, and whether the caller sees the address and may change the row."""

    def made(me: Caller) -> sa.Select[Any]:
        sees = or_(helps_by_exists(me, *ACCESS), owns_by_exists(me))
        organizes_tracks = helps_by_exists(me, EventRole.TRACK_ORGANIZER)
        may = or_(helps_by_exists(me, *ACCESS), organizes_tracks, owns_by_exists(me))
        columns = (sa.type_coerce(term.is_(sa.true()), sa.Boolean()) for term in (sees, may))
        return chosen(me).add_columns(*columns)

    return made


def with_event(me: Caller) -> sa.Select[Any]:
    is_accepted = Speaker.sessions.any(or_(*(Session.state == state for state in SHOWN)))
    is_published = Event.state == EventState.PUBLISHED
    return page().join(Event).where(owns(me), is_accepted, is_published)


SHAPES: dict[str, dict[str, Statement]] = {
    "SQLite": {
        "AND": lambda me: own_in_order(me, public()),
        "OR": lambda me: by_role_in_order(me, public()),
    },
    "PostgreSQL": {
        "AND": lambda me: page().where(owns(me), public()),
        "OR": lambda me: union(by_role(me, public())),
    },
}
_public = public()
KEPT: dict[str, dict[str, Statement]] = {
    "SQLite": {
        "AND": lambda me: own_in_order(me, _public),
        "OR": lambda me: by_role_in_order(me, _public),
    },
    "PostgreSQL": {
        "AND": lambda me: page().where(owns(me), _public),
        "OR": lambda me: union(by_role(me, _public)),
    },
}
OTHERS: dict[str, dict[str, Statement]] = {
    "AND": {
        "IN": lambda me: page().where(owns(me), _public),
        "EXISTS": lambda me: page().where(owns_by_exists(me), public()),
        "join of DISTINCT": joined,
        "join of the event": with_event,
    },
    "OR": {
        "branches": lambda me: union(by_role(me, _public)),
        "fewer branches": lambda me: union(by_any_role(me, owns(me))),
        "fewer branches, EXISTS": lambda me: union(by_any_role(me, owns_by_exists(me))),
        "OR": lambda me: page().where(or_(*by_any_role(me, owns(me)))),
        "OR of EXISTS": lambda me: page().where(or_(*by_any_role(me, owns_by_exists(me)))),
    },
}


DIALECTS = {"SQLite": sqlite.dialect, "PostgreSQL": postgresql.dialect}


def shape(statement: sa.Select[Any], database: str) -> Counter[str]:
    """The words of a statement; two that have the same differ only in the names of aliases."""
    text = str(statement.compile(dialect=DIALECTS[database](paramstyle="named")))
    text = re.sub(r":\w+", ":value", text)  # parameters
    text = re.sub(r" AS \w+_\d+", "", text)
    text = re.sub(r"anon_\d+(\.id|\.key_0)?|AS \w+|key_0", "key", text)
    text = re.sub(r"(\w+)_\d+\.", r"\1.", text)
    return Counter(re.findall(r"[\w.:]+|[=<>]+", text))
