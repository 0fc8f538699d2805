"""Bring licet's own tables to the revision that this code expects.

The revision is asked for with one SELECT; Alembic is loaded only when there is something to do. Two
processes that start at once take turns: the second finds nothing left to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import LICET, Branch
from licet.db.branches.moves import run, scripts
from licet.db.engine import Database
from licet.db.tables import metadata
from licet.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "VERSION_TABLE",
    "alembic_config",
    "current_revision",
    "downgrade",
    "head_revision",
    "is_known",
    "licet_branch",
    "upgrade",
]

VERSION_TABLE: Final = "licet_alembic_version"
_HEAD: Final = "0008"


def head_revision() -> str:
    """The revision that this code expects."""
    return _HEAD


def licet_branch(url: sa.URL) -> Branch:
    """The branch of licet's own tables, in the database at `url`."""
    return Branch(
        name=LICET,
        url=url,
        metadata=metadata,
        version_table=VERSION_TABLE,
        versions=scripts.MIGRATIONS / "versions",
    )


def current_revision(database: Database) -> str | None:
    """The revision that the database has, or None before the first migration."""
    try:
        with database.read() as connection:
            return _revision(connection)
    except StoreUnavailable as error:
        if isinstance(error.__cause__, sa.exc.OperationalError | sa.exc.ProgrammingError):
            return _revision_if_any(database)
        raise


def _revision(connection: Connection) -> str | None:
    return connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608 - a constant


def _revision_if_any(database: Database) -> str | None:
    """None when the version table does not exist; raises when the database itself fails."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        return _revision(connection)  # which somebody else has just made


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate to `revision`; does nothing when the database is there already.

    Concurrency: safe to call from many processes at once.

    Raises:
        ConfigurationError: the database is at a revision that this code does not know.
        SchemaUnusable: a migration failed; nothing was changed.
    """
    current = current_revision(database)
    if revision == "head" and current == _HEAD:
        return
    if not is_known(current):
        raise ConfigurationError(
            f"The database is at revision {current}, and this version of licet knows none after "
            f"{_HEAD}: upgrade licet, or restore a database that fits."
        )
    run.move(licet_branch(database.url), "upgrade", revision)


def is_known(revision: str | None) -> bool:
    """Whether this code can migrate from a revision; None is an empty database."""
    if revision in (None, _HEAD):
        return True
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - 0.2 s of imports, seldom needed

    known = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return any(script.revision == revision for script in known)


def downgrade(database: Database, revision: str = "base") -> None:
    """Migrate back to `revision`; ``base`` removes every licet table and what is in it."""
    run.move(licet_branch(database.url), "downgrade", revision)


def alembic_config() -> Config:
    """Alembic's configuration for licet's own tables."""
    return scripts.config_of(licet_branch(sa.make_url("sqlite://")))
