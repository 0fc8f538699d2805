"""Operations that Alembic's own renderers do not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.operations.ops import MigrateOperation, ModifyTableOps

from licet.db.branches.checks.schema import Rule

__all__ = ["KeepingChecks", "Lines"]


_ARGUMENTS: Final = {  # of SQLAlchemy's Table
    "AUTOINCREMENT": ("sqlite_autoincrement", True),
    "STRICT": ("sqlite_strict", True),
    "WITHOUT ROWID": ("sqlite_with_rowid", False),
}


class Lines(MigrateOperation):
    """Lines of Python, as they are."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = list(lines)


@renderers.dispatch_for(Lines)
def _lines(_context: AutogenContext, operation: Lines) -> list[str]:
    return operation.lines


class KeepingChecks(ModifyTableOps):
    """Changes of a table of which a batch operation would leave something out on SQLite.

    It makes the table anew from what SQLAlchemy reflects: without nameless CHECK constraints, and
    without its options.
    """

    checks: tuple[Rule, ...] = ()
    options: tuple[str, ...] = ()


@renderers.dispatch_for(KeepingChecks)
def _keeping_checks(context: AutogenContext, operation: KeepingChecks) -> list[str]:
    if not operation.ops:
        return []
    table, lines = repr(operation.table_name), []
    if operation.schema:
        table += f", schema={operation.schema!r}"
    if operation.checks:
        table += ", table_args=kept"
        lines.append("kept = (  # on SQLite, which makes the table anew")
        for check in operation.checks:
            name = f", name=op.f({check.name!r})" if check.name else ""
            lines.append(f"    sa.CheckConstraint({check.source!r}{name}),")
        lines.append(")")
    if given := dict(_ARGUMENTS[one] for one in operation.options if one in _ARGUMENTS):
        table += f", table_kwargs={given!r}"
    lines.append(f"with op.batch_alter_table({table}) as batch_op:")
    with _within_batch(context):
        for each in operation.ops:
            lines.extend(render_op(context, each))
    return [*lines, ""]


def _within_batch(context: Any) -> Any:
    return context._within_batch()  # noqa: SLF001 - there is no public way
