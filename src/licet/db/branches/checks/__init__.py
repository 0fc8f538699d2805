"""Whether the code, its migrations and the database say the same: three comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks._compare import Difference
from licet.db.branches.checks.revisions import revision_differences
from licet.db.branches.checks.selects import select_differences
from licet.db.branches.checks.shape import shape_differences
from licet.db.branches.moves.connecting import connected

__all__ = ["Difference", "Report", "check", "check_on"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the three comparisons of one branch found."""

    branch: str
    revisions: tuple[Difference, ...]
    schema: tuple[Difference, ...]
    selects: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All of them."""
        return self.revisions + self.schema + self.selects

    @property
    def is_ahead(self) -> bool:
        """Whether newer code has migrated the database: its schema says nothing about this one."""
        return any(one.kind == "unknown_revision" for one in self.revisions)


def check(branch: Branch) -> Report:
    """Compare revisions, schema and models of a branch; changes nothing.

    Raises:
        StoreUnavailable: the database does not answer.
        SchemaUnusable: it cannot be compared; the text says why.
    """
    with connected(branch, writes=False) as connection:
        try:
            return check_on(branch, connection)
        finally:
            connection.rollback()


def check_on(branch: Branch, connection: Connection) -> Report:
    """As `check`, on a connection that may be in a transaction, and without ending it."""
    return Report(
        branch=branch.name,
        revisions=tuple(revision_differences(branch, connection)),
        schema=tuple(shape_differences(branch, connection)),
        selects=tuple(select_differences(branch, connection)),
    )
