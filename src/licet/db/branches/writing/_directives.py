"""Completes what Alembic's autogenerate has found before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.engine import Connection
from sqlalchemy.sql.naming import conv

from licet.db.branches.branch import Branch
from licet.db.branches.checks.schema import CHECK, Rule, Table
from licet.db.branches.checks.shape import (
    default_schema,
    expected_schema,
    schema_of,
    shape_differences,
)
from licet.db.branches.writing._checks import CheckChanges, check_changes
from licet.db.branches.writing._columns import add_defaults, add_indexes
from licet.db.branches.writing._enums import (
    changes,
    make_lines,
    named_enums,
    recreate_lines,
    render_enum,
)
from licet.db.branches.writing._operations import KeepingChecks, Lines
from licet.db.branches.writing._types import complete_checks, complete_types

__all__ = ["Completed", "options"]


class Completed:
    """Alembic's ``process_revision_directives``: adds enum values, CHECKs and what is lost.

    `up` and `down` are sentences about what a former attempt has left open; each becomes a
    ``raise Unresolved``, and so do those of `nameless`, about CHECKs that nothing can drop or add.
    `is_empty` says whether there was anything to write.
    """

    def __init__(self, branch: Branch, *, up: Sequence[str] = (), down: Sequence[str] = ()) -> None:
        self.branch = branch
        self.up, self.down = up, down
        self.nameless: list[str] = []
        self.is_empty = False
        self.attributes: dict[str, Any] = {}

    def __call__(self, context: Any, _revision: object, directives: list[Any]) -> None:
        (script,) = directives
        up, down = script.upgrade_ops.ops, script.downgrade_ops.ops
        connection: Connection = context.connection
        database = schema_of(self.branch, connection)
        models = expected_schema(self.branch, connection)
        default = default_schema(self.branch, connection)
        complete_checks(up, self.branch.metadata)
        for operations in () if self.branch.is_sqlite else (up, down):
            if complete_types(operations):
                script.imports.add("from sqlalchemy.dialects import postgresql")
        for change in check_changes(models, database):
            self.nameless += _add_checks(change, up, down)
        for enum in changes(self.branch.tables, default, database):
            up.append(Lines(recreate_lines(enum, enum.models, before=enum.database)))
            down.append(Lines(recreate_lines(enum, enum.database, before=enum.models)))
        add_defaults(self.branch, default, models, database, up, down)
        if self.branch.is_sqlite:
            add_indexes(self.branch.tables, models, database, up, down)
            _keep(up, database)
            _keep(down, models)
        self._make_types(script, up, down, default, database)
        if not up and not down and not self.nameless:
            left = shape_differences(self.branch, connection)
            self.nameless += [
                f"{one.text.rstrip('.')}: write by hand what changes it" for one in left
            ]
        self._leave_open(script)
        self.is_empty = not up and not down
        self.attributes["downgrade_says"] = _says(models, database)
        if self.is_empty:
            directives.clear()

    def _leave_open(self, script: Any) -> None:
        """Write what is to be resolved."""
        up, down = script.upgrade_ops.ops, script.downgrade_ops.ops
        for sentences, operations in (((*self.up, *self.nameless), up), (self.down, down)):
            operations.extend(Lines([f"raise Unresolved({text!r})"]) for text in sentences)
        if self.up or self.down or self.nameless:
            script.imports.add("from licet.db import Unresolved")

    def _make_types(
        self,
        script: Any,
        up: list[Any],
        down: list[Any],
        default: str | None,
        database: dict[str, Table],
    ) -> None:
        """Types of columns that are new: no column of the database uses them yet."""
        for kind, used in named_enums(self.branch.tables, default).values():
            named = None if self.branch.is_sqlite else str(kind.name)
            if any(_has_type(database.get(table), column, named) for table, column in used):
                continue
            up.insert(0, Lines(make_lines(kind, "create")))
            down.append(Lines(make_lines(kind, "drop")))
            script.imports.add("from sqlalchemy.dialects import postgresql")


def _has_type(table: Table | None, column: str, kind: str | None) -> bool:
    """Whether the column is there, and of the type, if the database has any."""
    found = table.columns.get(column) if table else None
    return found is not None and kind in (None, found.type.removesuffix("[]").strip('"'))


def _says(models: dict[str, Table], database: dict[str, Table]) -> str:
    """The first line of the downgrade: the tables and columns that it drops."""
    lost = sorted(models.keys() - database.keys())
    for name in sorted(models.keys() & database.keys()):
        added = models[name].columns.keys() - database[name].columns.keys()
        lost += [f"{name}.{column}" for column in sorted(added)]
    return f"Lose {', '.join(lost)}." if lost else ""


def _add_checks(change: CheckChanges, up: list[Any], down: list[Any]) -> list[str]:
    """Put the changes of a table's CHECKs into both ways; what cannot be written, in sentences."""
    _alter(change.table, up, gone=change.go, made=change.come)
    _alter(change.table, down, gone=change.come, made=change.go, is_down=True)
    return [
        f"the CHECK {rule.source} of {change.table} has no name, so that no statement can add or "
        "drop it: give it one in the model, or write this by hand"
        for rule in change.nameless
    ]


def _alter(
    table: str,
    operations: list[Any],
    *,
    gone: Iterable[Rule],
    made: Iterable[Rule],
    is_down: bool = False,
) -> None:
    """Put the changes of a table's CHECKs into its batch."""
    added: list[Any] = [
        ops.DropConstraintOp(conv(rule.name), table.rpartition(".")[2], type_="check")
        for rule in gone
        if rule.name
    ]
    added += [
        Lines([f"batch_op.create_check_constraint(op.f({rule.name!r}), {rule.source!r})"])
        for rule in made
        if rule.name
    ]
    for found in operations:
        if isinstance(found, ops.ModifyTableOps) and _is_about(found, table):
            batch = found
            break
    else:
        if not added:
            return
        schema, _, name = table.rpartition(".")
        batch = ops.ModifyTableOps(name, [], schema=schema or None)
        operations.insert(0 if is_down else len(operations), batch)
    # A constraint goes before its column does, and comes after it.
    drops = [one for one in added if isinstance(one, ops.DropConstraintOp)]
    batch.ops = [*drops, *batch.ops, *(one for one in added if one not in drops)]


def _is_about(batch: Any, table: str) -> bool:
    """Whether a batch is of the table, whose name has the schema if it is in another."""
    return table in (batch.table_name, f"{batch.schema}.{batch.table_name}")


def _keep(operations: list[Any], tables: Mapping[str, Table]) -> None:
    """Have the batches of SQLite keep what they would leave out of a table."""
    for at, found in enumerate(operations):
        table = tables.get(found.table_name) if isinstance(found, ops.ModifyTableOps) else None
        if table is None:
            continue
        batch = KeepingChecks(found.table_name, found.ops, schema=found.schema)
        batch.checks = tuple(rule for rule in table.rules if rule.kind == CHECK and not rule.name)
        batch.options = table.options
        operations[at] = batch


def options(branch: Branch, completed: Completed, connection: Connection) -> dict[str, Any]:
    """What `context.configure` is given to compare a branch.

    Types and defaults are compared by licet's own check: Alembic's finds differences between
    defaults that are the same (``'it''s'``, an empty text), and fails on others.
    """
    found = {(one.kind, one.subject) for one in shape_differences(branch, connection)}

    def include_name(name: str | None, type_: str, _parents: object) -> bool:
        if type_ == "schema":
            return name is None or name in {t.schema for t in branch.tables}
        return type_ != "table" or name is None or branch.owns(name)

    tables = frozenset(branch.tables)

    def include_object(one: Any, _name: object, type_: str, reflected: bool, _to: object) -> bool:  # noqa: FBT001 - Alembic's
        return type_ != "table" or reflected or one in tables

    def compare(kind: str, column: Any) -> bool:
        return (kind, f"{column.table.fullname}.{column.name}") in found

    return {
        "target_metadata": branch.metadata,
        "include_name": include_name,
        "include_object": include_object,
        "include_schemas": any(table.schema for table in branch.tables),
        "process_revision_directives": completed,
        "render_item": _render_item,
        "compare_type": lambda _context, _old, column, *_: compare("changed_type", column),
        "compare_server_default": False,
    }


def _render_item(kind: str, item: Any, context: Any) -> Any:
    """Types of the app's own are imported; native enums do not make their type by themselves.

    The text of a CHECK stays as it is: Alembic doubles each percent sign in it.
    """
    if kind == "check" and isinstance(item.sqltext, sa.TextClause) and "%" in item.sqltext.text:
        name = f", name=op.f({str(item.name)!r})" if item.name else ""
        return f"sa.CheckConstraint({item.sqltext.text!r}{name})"
    if kind != "type":
        return False
    if isinstance(item, sa.Enum) and item.native_enum and item.name:
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return render_enum(item)
    module = type(item).__module__
    if not module.startswith(("sqlalchemy.", "alembic.")):
        context.imports.add(f"import {module}")
    return False
