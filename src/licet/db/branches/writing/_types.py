"""Types and column CHECKs that Alembic's own operations would make twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.sql.naming import conv

from licet.db.branches.writing._enums import render_enum
from licet.db.branches.writing._operations import Lines

__all__ = ["complete_checks", "complete_types"]


def complete_checks(operations: Iterable[Any], metadata: sa.MetaData) -> None:
    """Give a new table the CHECKs that stand in its columns, which Alembic leaves out."""
    for one in operations:
        if not isinstance(one, ops.CreateTableOp):
            continue
        key = f"{one.schema}.{one.table_name}" if one.schema else one.table_name
        table = metadata.tables[key]
        found = [rule for column in table.columns for rule in column.constraints]
        made = [
            sa.CheckConstraint(rule.sqltext, name=conv(str(rule.name)) if rule.name else None)
            for rule in found
            if isinstance(rule, sa.CheckConstraint)
        ]
        one.columns = [*one.columns, *made]


def complete_types(operations: list[Any]) -> bool:
    """For PostgreSQL: say how values become those of an enum type, and make no CHECK of a type.

    An altered type that brings a CHECK is written as the text that it is; its CHECK is compared,
    and written, with all others. Returns whether an enum type was written.
    """
    is_written = False
    for batch in (one for one in operations if isinstance(one, ops.ModifyTableOps)):
        altered = [_plain(one) for one in batch.ops]
        batch.ops = [each for one in altered for each in _cast(one)]
        is_written |= len(batch.ops) != len(altered) or batch.ops != altered
    return is_written


def _plain(one: Any) -> Any:
    for name in ("modify_type", "existing_type"):
        kind = getattr(one, name, None)
        if isinstance(kind, sa.Enum) and not kind.native_enum and kind.create_constraint:
            setattr(one, name, sa.String(kind.length))
    return one


def _cast(one: Any) -> Iterator[Any]:
    """The operation, or the change of a type by a line that Alembic's renderer cannot write."""
    kind: Any = getattr(one, "modify_type", None)
    if isinstance(kind, sa.Enum) and kind.native_enum and kind.name:
        made, using = render_enum(kind), f"{_q(one.column_name)}::text::{_q(kind.name)}"
    elif _gets_a_zone(kind, one):
        # Without USING it depends on the server's setting which moments they become.
        made = f"sa.DateTime(timezone={kind.timezone})"
        using = f"{_q(one.column_name)} AT TIME ZONE 'UTC'"
    else:
        yield one
        return
    options = f"type_={made}, postgresql_using={using!r}"
    yield Lines([f"batch_op.alter_column({one.column_name!r}, {options})"])
    if one.modify_nullable is not None or one.modify_server_default is not False:
        one.modify_type = None
        yield one


def _gets_a_zone(kind: Any, one: Any) -> bool:
    """Whether moments get a time zone, or lose it."""
    had: Any = getattr(one, "existing_type", None)
    are_moments = isinstance(kind, sa.DateTime) and isinstance(had, sa.DateTime)
    return are_moments and bool(kind.timezone) != bool(had.timezone)


def _q(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
