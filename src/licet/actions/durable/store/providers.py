"""The names under which durable actions are stored."""

from __future__ import annotations

from collections.abc import Iterator

from licet.actions.durable.store import _statements as sql
from licet.db.engine import Database

__all__ = ["stored_providers"]


def stored_providers(database: Database) -> Iterator[str]:
    """Every name under which actions are stored."""
    name = ""
    while (row := database.fetch_one(sql.NEXT_PROVIDER, {"p": name})) is not None:
        name = str(row[0])
        yield name
