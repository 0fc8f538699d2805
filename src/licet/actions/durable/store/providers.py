"""The names under which durable actions are stored."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from licet.actions.store.tables import action
from licet.db.engine import Database
from licet.db.statement import Statement

__all__ = ["stored_providers"]

# The name of the provider that follows in the index: a walk from one to the next, not a scan.
_after = action.c.provider > sa.bindparam("p", type_=sa.String())
_NEXT = Statement(sa.select(action.c.provider).where(_after).order_by(action.c.provider).limit(1))


def stored_providers(database: Database) -> Iterator[str]:
    """Every name under which actions are stored."""
    name = ""
    while (row := database.fetch_one(_NEXT, {"p": name})) is not None:
        name = str(row[0])
        yield name
