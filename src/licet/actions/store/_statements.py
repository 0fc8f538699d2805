"""The store's SQL, each statement built once and named for what it does."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

from licet.actions.documents import COMPLETE
from licet.actions.enumeration import LogQuery
from licet.actions.store.tables import action, action_log, action_principal
from licet.db.statement import Statement

_a: Final[sa.BindParameter[str]] = sa.bindparam("a")  # the action's id
_p: Final[sa.BindParameter[str]] = sa.bindparam("p")  # the provider
_unfinished = sa.and_(*(action.c.status != value.value for value in sorted(COMPLETE)))

_DOCUMENT: Final = (
    action.c.action_id,
    action.c.status,
    action.c.creator_id,
    action.c.details,
    action.c.start_time,
    action.c.completion_time,
    action.c.label,
    action.c.display_status,
    action.c.monitor_by,
    action.c.manage_by,
    action.c.release_after,
)

BY_ID: Final = Statement(
    sa.select(*_DOCUMENT).where(action.c.action_id == _a, action.c.provider == _p)
)

# Asked before each run, and nearly always in vain: two columns cost the driver less than twelve.
BY_REQUEST: Final = Statement(
    sa.select(action.c.request_digest, action.c.action_id).where(
        action.c.provider == _p,
        action.c.creator_id == sa.bindparam("c"),
        action.c.request_id == sa.bindparam("r"),
    )
)

BY_KEYS: Final = (
    sa.select(*_DOCUMENT)
    .where(action.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(action.c.id.desc())
)


def _insert_unless_taken(dialect: str) -> ClauseElement:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(action).on_conflict_do_nothing().inline()  # whose key nobody needs


_OF_WORKERS: Final = ("ready_at", "body", "caller", "handler_version")
_INSERTED: Final = (
    "action_id",
    "provider",
    "creator_id",
    "request_id",
    "request_digest",
    "status",
    "display_status",
    "label",
    "details",
    "monitor_by",
    "manage_by",
    "start_time",
    "completion_time",
    "release_after",
    "deadline",
    "release_at",
    "version",
    "phase",
    "due_at",
)

# A request_id that is taken inserts nothing: the row there decides.
INSERT: Final = Statement(_insert_unless_taken, columns=_INSERTED)
# An action that nobody has worked on has none of these.
_NOT_YET: Final = ("display_status", "completion_time", "release_at")
INSERT_DURABLE: Final = Statement(
    _insert_unless_taken,
    columns=[*(name for name in _INSERTED if name not in _NOT_YET), *_OF_WORKERS],
)

# The principals of an action are found by its id, and take its state from its row.
_this_action = (action.c.action_id == _a, action.c.provider == _p)
INSERT_PRINCIPAL: Final = Statement(
    sa.insert(action_principal).from_select(
        ["action", "role", "principal", "provider", "status"],
        sa.select(
            action.c.id,
            sa.cast(sa.bindparam("of_role"), sa.String(16)),
            sa.cast(sa.bindparam("who"), sa.String(256)),
            action.c.provider,
            action.c.status,
        ).where(*_this_action),
    )
)
DELETE_PRINCIPALS: Final = Statement(
    sa.delete(action_principal).where(
        action_principal.c.action == sa.select(action.c.id).where(*_this_action).scalar_subquery()
    )
)

# What has ended never changes, and what workers run only they change: the guard is in the
# statement, not in a read before it.
UPDATE_UNFINISHED: Final = Statement(
    sa.update(action)
    .where(
        action.c.action_id == _a,
        action.c.provider == _p,
        _unfinished,
        action.c.phase == "outside",
    )
    .values(version=action.c.version + 1),
    columns=[
        "status",
        "display_status",
        "label",
        "details",
        "monitor_by",
        "manage_by",
        "completion_time",
        "release_after",
        "release_at",
        "phase",
        "due_at",
    ],
)

DELETE_COMPLETE: Final = Statement(
    sa.delete(action).where(action.c.action_id == _a, action.c.provider == _p, sa.not_(_unfinished))
)

INSERT_LOG: Final = Statement(
    sa.insert(action_log).from_select(
        ["action", "time", "code", "description", "details"],
        sa.select(
            action.c.id,
            sa.bindparam("at", type_=action_log.c.time.type),
            sa.cast(sa.bindparam("about"), sa.String(64)),
            sa.cast(sa.bindparam("text"), sa.Text),
            sa.cast(sa.bindparam("more"), sa.Text),
        ).where(action.c.action_id == _a, action.c.provider == _p),
    )
)


def log_page(
    query: LogQuery, provider: str, action_id: str, position: int | None
) -> sa.Select[Any]:
    """One entry more than the page holds, to know whether another page follows."""
    entry = action_log.c
    statement = (
        sa.select(entry.id, entry.time, entry.code, entry.description, entry.details)
        .where(
            entry.action
            == sa.select(action.c.id)
            .where(action.c.action_id == action_id, action.c.provider == provider)
            .scalar_subquery()
        )
        .limit(query.limit + 1)
    )
    if query.reverse_order:
        statement = statement.order_by(entry.id.desc())
    else:
        statement = statement.order_by(entry.id)
    if position is not None:
        behind = entry.id < position if query.reverse_order else entry.id > position
        statement = statement.where(behind)
    if query.since is not None:
        statement = statement.where(entry.time >= query.since)
    if query.until is not None:
        statement = statement.where(entry.time <= query.until)
    if query.code is not None:
        statement = statement.where(entry.code == query.code)
    return statement
