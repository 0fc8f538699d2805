"""The SQL of durable actions: claims, fenced writes and the sweeper's rounds, each named.

Two guards are all there is to it. A worker's write names the lease that it holds
(`lease_number`, and that the action is running); anybody else's names the `version` of the row that
they read. A write whose guard does not hold changes nothing, and its row count says so.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import ClauseElement

from licet.actions.durable.store._columns import CLAIMED, LIFE_COLUMNS, STORED
from licet.actions.store.tables import (
    HAS_DEADLINE,
    action,
    action_log,
    action_principal,
    action_step,
)
from licet.db.statement import Statement
from licet.db.types import UTCDateTime

_key: Final[sa.BindParameter[int]] = sa.bindparam("key", type_=sa.BigInteger())
_lease: Final[sa.BindParameter[int]] = sa.bindparam("lease", type_=sa.Integer())
_p: Final[sa.BindParameter[str]] = sa.bindparam("p", type_=sa.String())  # the provider
# Written out, so that each of the many times is no parameter.
_ONE: Final[sa.ColumnClause[int]] = sa.literal_column("1", sa.Integer)
_QUEUED: Final[sa.ColumnClause[str]] = sa.literal_column("'queued'", sa.String)
_RUNNING: Final[sa.ColumnClause[str]] = sa.literal_column("'running'", sa.String)
_now: Final = sa.bindparam("now", type_=UTCDateTime())
_until: Final = sa.bindparam("until", type_=UTCDateTime())
# The id as well: SQLite gives the key of the newest row again, once that row is released.
_this = sa.and_(action.c.id == _key, action.c.action_id == sa.bindparam("which", type_=sa.String()))
_seen = sa.and_(_this, action.c.version == sa.bindparam("seen", type_=sa.Integer()))
_held = sa.and_(_this, action.c.lease_number == _lease, action.c.phase == _RUNNING)

_COUNTED: Final = {action.c.version, action.c.lease_number}

_is_due = action.c.due_at.between(sa.bindparam("since", type_=UTCDateTime()), _now)
_is_ready = sa.and_(action.c.due_at.is_not(None), action.c.ready_at <= _now)
_is_the_one = sa.and_(
    action.c.action_id == sa.bindparam("a", type_=sa.String()),
    action.c.ready_at <= sa.bindparam("soon", type_=UTCDateTime()),
)

# Of a version that the worker has: `versions` is ",1,3,".
_is_mine = sa.bindparam("versions", type_=sa.String()).like(
    sa.literal_column("'%,'", sa.String)
    + sa.cast(action.c.handler_version, sa.String)
    + sa.literal_column("',%'", sa.String)
)

_HELD_BY: Final = {
    "phase": _RUNNING,
    "lease_number": action.c.lease_number + _ONE,
    "lease_owner": sa.bindparam("owner", type_=sa.String()),
    "lease_until": _until,
    "due_at": _until,
    "version": action.c.version + _ONE,
}


def _longest_due(*columns: Any, when: Any) -> sa.Select[Any]:
    return (
        sa.select(*columns)
        .where(action.c.provider == _p, action.c.phase == _QUEUED, when, _is_mine)
        .order_by(action.c.due_at, action.c.id)
        .limit(sa.bindparam("count", type_=sa.Integer()))
    )


def _claim(when: Any, *, waits: bool = False) -> sa.sql.dml.ReturningUpdate[Any]:
    """In one statement, which passes over what another is changing now, unless it `waits`."""
    due = _longest_due(action.c.id, when=when)
    # a CTE is evaluated once; a plain subquery may be, for each row, and then claims too many
    locked = due.with_for_update(skip_locked=not waits).cte("due").prefix_with("MATERIALIZED")
    return (
        sa.update(action)
        .where(action.c.id.in_(sa.select(locked.c.id)), action.c.phase == _QUEUED)
        .values(_HELD_BY)
        .returning(*CLAIMED)
    )


def _find_or_claim(when: Any, *, on_sqlite: Any = None, waits: bool = False) -> Statement:
    """What PostgreSQL claims; what SQLite finds, to be held in the same transaction by `HOLD`.

    One statement for both takes SQLite a quarter longer than the two.
    """
    simply = when if on_sqlite is None else on_sqlite
    found = [column + _ONE if column in _COUNTED else column for column in CLAIMED]

    def construct(dialect: str) -> ClauseElement:
        is_sqlite = dialect == "sqlite"
        return _longest_due(*found, when=simply) if is_sqlite else _claim(when, waits=waits)

    return Statement(construct)


CLAIM_NEXT: Final = _find_or_claim(_is_due, on_sqlite=action.c.due_at <= _now)
CLAIM_READY: Final = _find_or_claim(_is_ready)
CLAIM_ONE: Final = _find_or_claim(_is_the_one, waits=True)
HOLD: Final = Statement(
    sa.update(action).where(action.c.id == _key, action.c.phase == _QUEUED).values(_HELD_BY)
)

# It counts as a change: a sweeper that read the row before must not take the lease back.
RENEW: Final = Statement(
    sa.update(action)
    .where(_held)
    .values(lease_until=_until, due_at=_until, version=action.c.version + _ONE)
    .returning(action.c.cancel_requested_by)
)

# What the holder of a lease must know: none of a row that is theirs no longer.
HELD: Final = Statement(sa.select(action.c.cancel_requested_by).where(_held))

_SET_LIFE = sa.update(action).values(version=action.c.version + _ONE, lease_owner=sa.null())

# A worker's last word on an attempt.
MOVE_HELD: Final = Statement(_SET_LIFE.where(_held), columns=LIFE_COLUMNS)

# Its end was asked for while it was being queued for another attempt: it does not wait for that,
# and who claims it ends it.
HASTEN_CANCELLED: Final = Statement(
    sa.update(action)
    .where(
        _this,
        action.c.lease_number == _lease,
        action.c.phase == _QUEUED,
        action.c.cancel_requested_at.is_not(None),
    )
    .values(
        ready_at=action.c.cancel_requested_at,
        due_at=action.c.cancel_requested_at,
        version=action.c.version + _ONE,
    )
)


def _move_all_held() -> ClauseElement:
    """The same for many at once, on PostgreSQL; it returns the keys of those that were moved.

    Each parameter is a list, with an item an action.
    """
    types: dict[str, Any] = {"key": sa.BigInteger(), "which": sa.Text(), "lease": sa.Integer()}
    types |= {name: action.c[name].type for name in LIFE_COLUMNS}
    arrays = [sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in types.items()]
    columns = [sa.column(name, kind) for name, kind in types.items()]
    to = sa.func.unnest(*arrays).table_valued(*columns, name="moves").render_derived().c
    return (
        _SET_LIFE.where(
            action.c.id == to.key,
            action.c.action_id == to.which,
            action.c.lease_number == to.lease,
            action.c.phase == _RUNNING,
        )
        .values({name: to[name] for name in LIFE_COLUMNS})
        .returning(action.c.id)
    )


MOVE_ALL_HELD: Final = Statement(_move_all_held())

# A pause: not of an action whose end somebody has asked for.
PAUSE_HELD: Final = Statement(
    _SET_LIFE.where(_held, action.c.cancel_requested_by.is_(None)), columns=LIFE_COLUMNS
)

# Everybody else's: cancel, resume, and what the sweeper decides.
MOVE_UNCHANGED: Final = Statement(
    _SET_LIFE.where(_seen),
    columns=LIFE_COLUMNS,
)

REQUEST_CANCEL: Final = Statement(
    sa.update(action)
    .where(_seen, action.c.cancel_requested_by.is_(None))
    .values(version=action.c.version + _ONE, cancel_requested_at=_now),
    columns=["cancel_requested_by"],
)

POSTPONE: Final = Statement(
    sa.update(action).where(_seen, action.c.phase == _QUEUED).values(due_at=_until)
)

TELL_PRINCIPALS: Final = Statement(
    sa.update(action_principal).where(action_principal.c.action == _key), columns=["status"]
)

PROGRESS: Final = Statement(sa.update(action).where(_held), columns=["details", "display_status"])

# A step that is stored again by the lease that stored it, after an answer was lost, is no error.
# One that raised in an earlier attempt has no result, and may get one.
# The row is locked: else PostgreSQL would insert by a lease that another is taking back meanwhile.
_insert_step = (
    "INSERT INTO licet_action_step (action, name, lease_number, completed_at, result,"
    " place, function, digest, size_bytes)"
    " SELECT id, CAST(:name AS VARCHAR(256)), lease_number, :now, CAST(:result AS TEXT),"
    " CAST(:place AS INTEGER), CAST(:function AS VARCHAR(256)), CAST(:digest AS VARCHAR(64)),"
    " CAST(:size_bytes AS INTEGER)"
    " FROM licet_action"
    " WHERE id = :key AND action_id = :which AND lease_number = :lease AND phase = 'running' {lock}"
    " ON CONFLICT (action, name) DO UPDATE SET result = excluded.result,"
    " size_bytes = excluded.size_bytes"
    " WHERE licet_action_step.lease_number = excluded.lease_number"
    " OR licet_action_step.size_bytes = 0"
)


def _step_insertion(dialect: str) -> ClauseElement:
    lock = "" if dialect == "sqlite" else "FOR NO KEY UPDATE"
    return sa.text(_insert_step.format(lock=lock)).bindparams(
        sa.bindparam("name", type_=sa.String()),
        sa.bindparam("which", type_=sa.String()),
        sa.bindparam("result"),
        sa.bindparam("place", type_=sa.Integer()),
        sa.bindparam("function", type_=sa.String()),
        sa.bindparam("digest", type_=sa.String()),
        sa.bindparam("size_bytes", type_=sa.Integer()),
        _now,
        _key,
        _lease,
    )


INSERT_STEP: Final = Statement(_step_insertion)
_of_action = action_step.c.action == sa.select(action.c.id).where(_this).scalar_subquery()
_first = sa.bindparam("first", type_=sa.Integer())
STEP_COUNTS: Final = Statement(
    sa.select(
        sa.func.coalesce(sa.func.max(action_step.c.place), 0),
        sa.func.count() - sa.func.count(action_step.c.place),
    ).where(_of_action)
)
STEP_OF_LEASE: Final = Statement(
    sa.select(action_step.c.name)
    .where(
        _of_action,
        action_step.c.lease_number == _lease,
        sa.func.coalesce(action_step.c.size_bytes, _ONE) > 0,  # 0: of a step that raised
    )
    .limit(_ONE)
)
STEP_MARKS: Final = Statement(
    sa.select(
        action_step.c.name,
        action_step.c.place,
        action_step.c.function,
        action_step.c.digest,
        action_step.c.size_bytes,
    )
    .where(_of_action, action_step.c.place >= _first)
    .order_by(action_step.c.place)
    .limit(sa.bindparam("count", type_=sa.Integer()))
)
STEP_RESULTS: Final = Statement(
    sa.select(action_step.c.place, action_step.c.result).where(
        _of_action,
        action_step.c.place.between(_first, sa.bindparam("last", type_=sa.Integer())),
    )
)
STEP_WITHOUT_PLACE: Final = Statement(
    sa.select(action_step.c.result).where(
        _of_action,
        action_step.c.name == sa.bindparam("name", type_=sa.String()),
        action_step.c.place.is_(None),
    )
)

INSERT_HELD_LOG: Final = Statement(
    sa.insert(action_log).from_select(
        ["action", "time", "code", "description", "details"],
        sa.select(
            action.c.id,
            _now,
            sa.cast(sa.bindparam("about"), sa.String(64)),
            sa.cast(sa.bindparam("text"), sa.Text),
            sa.cast(sa.bindparam("more"), sa.Text),
        )
        .where(_held)
        .with_for_update(key_share=True),
    )
)
INSERT_LOG: Final = Statement(
    sa.insert(action_log).inline(), columns=["action", "time", "code", "description", "details"]
)

BY_ACTION_ID: Final = Statement(
    sa.select(*STORED).where(
        action.c.action_id == sa.bindparam("a", type_=sa.String()), action.c.provider == _p
    )
)
DUE: Final = Statement(
    sa.select(*STORED)
    .where(
        action.c.provider == _p,
        action.c.phase == sa.bindparam("of_phase", type_=sa.String()),
        action.c.due_at <= _now,
    )
    .order_by(action.c.due_at)
    .limit(sa.bindparam("count", type_=sa.Integer()))
)
PAST_DEADLINE: Final = Statement(
    sa.select(*STORED)
    .where(action.c.provider == _p, action.c.deadline <= _now, sa.text(HAS_DEADLINE))
    .order_by(action.c.deadline)
    .limit(sa.bindparam("count", type_=sa.Integer()))
)
# Versions of which the worker has no handler, with actions that were due long ago, while none of
# theirs runs: elsewhere, too, nobody is there who has one.
_running = action.alias("running")
_waits_for_nobody = sa.and_(
    action.c.provider == _p,
    action.c.phase == _QUEUED,
    action.c.due_at.is_not(None),
    action.c.ready_at <= sa.bindparam("before", type_=UTCDateTime()),
)
GONE_VERSIONS: Final = Statement(
    sa.select(action.c.handler_version)
    .distinct()
    .where(
        _waits_for_nobody,
        sa.not_(_is_mine),
        ~sa.exists().where(
            _running.c.provider == _p,
            _running.c.phase == _RUNNING,
            _running.c.due_at.is_not(None),
            _running.c.handler_version == action.c.handler_version,
        ),
    )
)
OF_GONE_VERSION: Final = Statement(
    sa.select(*STORED)
    .where(
        _waits_for_nobody,
        action.c.handler_version == sa.bindparam("gone", type_=sa.Integer()),
    )
    .limit(sa.bindparam("count", type_=sa.Integer()))
)
FOR_OTHERS: Final = Statement(
    sa.select(action.c.id).where(
        action.c.action_id == sa.bindparam("a"), action.c.phase == _QUEUED, sa.not_(_is_mine)
    )
)
RELEASE: Final = Statement(sa.delete(action).where(_seen))
