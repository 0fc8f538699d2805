"""A branch of migrations: whose tables it is about, where they are, and where its revisions lie.

There are two: licet's own, and the app's. Each has a version table of its own, so that both can be
in one database and neither needs the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from licet.db._connecting import file_of
from licet.db.apart import PREFIX

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ["APP", "LICET", "Branch"]

LICET: Final = "licet"
APP: Final = "app"


def _no_mappers() -> Iterable[Mapper[Any]]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One branch.

    Args:
        name: ``licet`` or ``app``.
        url: of the database that holds its tables.
        metadata: its tables, as the code has them.
        version_table: which table of the database says at what revision it is.
        versions: the folder of its revisions; it need not exist.
        mappers: gives the mapped classes, for the check by a SELECT.
        ignored: names of tables in the same database that are no business of the branch, or
            what says of a name whether it is one.
        engine: for PostgreSQL, the app's own engine, with whatever it connects by.
    """

    name: str
    url: sa.URL
    metadata: sa.MetaData
    version_table: str
    versions: Path
    mappers: Callable[[], Iterable[Mapper[Any]]] = _no_mappers
    ignored: frozenset[str] | Callable[[str], bool] = frozenset()
    engine: sa.Engine | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite's."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return file_of(self.url) or Path()

    @property
    def real_file(self) -> Path:
        """SQLite's file where it really is: beside it are its log and its copies."""
        return self.file.resolve()

    @property
    def place(self) -> str:
        """Where the database is, for people: without user, password and options."""
        url = self.url
        if self.is_sqlite:
            return str(self.file.absolute())
        shown = sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        return str(shown)

    @property
    def tables(self) -> tuple[sa.Table, ...]:
        """The tables of the code that are the branch's own: not those that it ignores."""
        found = self.metadata.tables.values()
        return tuple(one for one in found if self.owns(one.name) and self.owns(one.fullname))

    def owns(self, table: str) -> bool:
        """Whether a table is the branch's own, by its name, with the schema if that is another."""
        is_ignored = self.ignored(table) if callable(self.ignored) else table in self.ignored
        if table == self.version_table or is_ignored:
            return False
        return table.rpartition(".")[2].startswith(PREFIX) == (self.name == LICET)

    def at(self, url: sa.URL) -> Branch:
        """The branch on another database, such as a copy."""
        return dataclasses.replace(self, url=url, engine=None)
