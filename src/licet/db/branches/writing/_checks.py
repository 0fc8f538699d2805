"""CHECK constraints in a revision: Alembic compares none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from licet.db.branches.checks._compare import without_both
from licet.db.branches.checks.schema import CHECK, Rule, Table

__all__ = ["CheckChanges", "check_changes"]


@dataclass(frozen=True, kw_only=True)
class CheckChanges:
    """Of one table: what comes, and what goes."""

    table: str
    come: tuple[Rule, ...]
    go: tuple[Rule, ...]

    @property
    def nameless(self) -> tuple[Rule, ...]:
        """Those that no statement can drop or make in both databases."""
        return tuple(rule for rule in (*self.come, *self.go) if not rule.name)


def check_changes(
    models: Mapping[str, Table], database: Mapping[str, Table]
) -> Iterator[CheckChanges]:
    """For every table that both have and whose constraints differ."""
    for name in models.keys() & database.keys():
        come, go = without_both(_checks(models[name]), _checks(database[name]))
        if come or go:
            yield CheckChanges(table=name, come=tuple(come), go=tuple(go))


def _checks(table: Table) -> tuple[Rule, ...]:
    return tuple(rule for rule in table.rules if rule.kind == CHECK)
