"""Runs the scripts of a branch on its database."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.moves import made_anew
from licet.db.branches.moves.connecting import connected, limit_waiting
from licet.db.branches.moves.copy import kept_whole
from licet.db.branches.moves.failures import revision_at
from licet.db.branches.moves.lock import WAIT_SECONDS, migration_lock
from licet.db.branches.moves.scripts import config_of, heads_in_database, scripts_of
from licet.db.branches.unresolved import Unresolved
from licet.errors import ConfigurationError, LicetError, SchemaUnusable

__all__ = ["HEADS", "move", "stamp"]

log = logging.getLogger(__name__)
HEADS: Final = "heads"


class _Undo(Exception):
    """Ends a transaction that was never meant to stay."""


def move(
    branch: Branch,
    command: str,
    target: str = HEADS,
    *,
    before_commit: Callable[[Connection], None] | None = None,
    is_trial: bool = False,
    on_step: Callable[..., None] | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Migrate a branch in one transaction.

    Args:
        branch: which.
        command: ``upgrade`` or ``downgrade``.
        target: a revision as Alembic takes it: ``heads``, ``base``, ``-1``, an id or its beginning.
        before_commit: is called with the connection when all scripts have run.
        is_trial: roll everything back at the end.
        on_step: Alembic's ``on_version_apply``, called after each script.
        wait_seconds: for another process that migrates.

    Concurrency: one process migrates, all others wait. Killed at any point, the database is as it
    was before or as it is after.

    Raises:
        SchemaUnusable: a script failed, or is in disorder; nothing was changed.
        ConfigurationError: there is no such revision.
        StoreUnavailable: the database does not answer.
    """
    with (
        migration_lock(branch, wait_seconds=wait_seconds),
        kept_whole(branch, is_needed=not is_trial) as watch,
        connected(branch, writes=True) as connection,
    ):
        watch.follow(connection)
        made_anew.watch(connection)
        limit_waiting(connection)

        def at_the_end(_connection: Connection) -> None:
            if before_commit is not None:
                before_commit(connection)
            if is_trial:
                raise _Undo
            watch.announce_end(heads_in_database(branch, connection))

        options = {"autocommit_block": _refuse_to_commit} if is_trial else {}
        with _told_as_failures(branch), suppress(_Undo):
            _run(branch, command, target, connection, at_the_end, on_step, **options)


def stamp(branch: Branch, target: str = HEADS, *, is_purging: bool = False) -> None:
    """Write down that the database is at a revision, without running any script.

    Args:
        branch: whose database it is.
        target: a revision as Alembic takes it; ``base`` is none.
        is_purging: forget what is written there before, such as a revision that has no script.

    Raises:
        ConfigurationError: there is no such revision, or none of what is written there.
        SchemaUnusable: there is no database.
        StoreUnavailable: the database does not answer.
    """
    from alembic import command as commands  # noqa: PLC0415 - as below

    with connected(branch, writes=False):  # which tells of a file that is missing
        pass
    with (
        migration_lock(branch),
        connected(branch, writes=True) as connection,
        _told_as_failures(branch),
    ):
        unknown = [] if is_purging else _unknown(branch, connection)
        if unknown:
            raise ConfigurationError(
                f"{branch.place} is at revision {', '.join(unknown)}, of which there is no script: "
                "`licet db stamp --purge` forgets it."
            )
        connection.rollback()
        commands.stamp(config_of(branch, connection=connection), target, purge=is_purging)


@contextmanager
def _told_as_failures(branch: Branch) -> Iterator[None]:
    """Have whatever a script raises name its revision; the driver's errors are told elsewhere."""
    try:
        yield
    except Unresolved as error:
        revision, said = revision_at(error.__traceback__), str(error).rstrip(".")
        raise SchemaUnusable(
            told=f"Revision {revision} of {branch.name} is not complete: {said}. Nothing was "
            "changed: write what is missing in place of `raise Unresolved`."
        ) from error
    except (LicetError, _Undo):
        raise
    except Exception as error:
        raise _told(branch, error) from error


def _run(
    branch: Branch,
    command: str,
    target: str,
    connection: Connection,
    before_commit: Callable[[Connection], None],
    on_step: Callable[..., None] | None,
    **attributes: Any,
) -> None:
    from alembic import command as commands  # noqa: PLC0415 - 0.2 s of imports, seldom needed

    _refuse_unknown(branch, connection)
    broken_before = _broken_keys(connection)
    if command == "downgrade":
        target = _target(branch, connection, target)
    connection.rollback()

    def at_the_end(_connection: Connection) -> None:
        made_anew.refuse_misfits(connection)
        _refuse_broken(_broken_keys(connection) - broken_before)
        before_commit(connection)

    # The names of constraints that a script leaves to the naming convention are made by it.
    steps = (lambda **_step: made_anew.put_back(connection), *([on_step] if on_step else []))
    options: dict[str, Any] = {"target_metadata": branch.metadata, "on_version_apply": steps}
    attributes |= {"connection": connection, "options": options, "before_commit": at_the_end}
    config = config_of(branch, **attributes)
    with warnings.catch_warnings():
        # of indexes that SQLAlchemy does not reflect, and that `made_anew` puts back
        warnings.filterwarnings("ignore", message=".*expression-based index")
        getattr(commands, command)(config, target)


def _target(branch: Branch, connection: Connection, target: str) -> str:
    """Where a downgrade goes: some steps back from the one revision, be it a merge.

    Alembic gives up at a merge, and takes any one of several heads.
    """
    if re.fullmatch(r"-\d+", target) is None:
        return target
    heads = sorted(heads_in_database(branch, connection))
    if len(heads) > 1:
        raise ConfigurationError(
            f"{branch.place} is at several revisions, {', '.join(heads)}: say from which one to go "
            f"back, such as {heads[0]}@{target}, or to which revision."
        )
    before = scripts_of(branch).get_revision(heads[0]).down_revision if heads else None
    return before[0] if target == "-1" and isinstance(before, tuple | list) else target


def _refuse_to_commit() -> None:
    raise SchemaUnusable(
        told="A script commits on its own (autocommit_block), so that it cannot be tried on the "
        "database and rolled back. Nothing was changed: try it on a copy (`licet db rehearse`); "
        "`licet db downgrade --yes` runs it without a trial."
    )


def _refuse_unknown(branch: Branch, connection: Connection) -> None:
    """Refuse a database that is at a revision of which there is no script."""
    unknown = _unknown(branch, connection)
    if unknown:
        after = ", ".join(sorted(scripts_of(branch).get_heads())) or "nothing"
        remedy = (
            "upgrade licet, or restore a database that fits"
            if branch.name == "licet"
            else f"bring its script into {branch.versions}, or downgrade with the code that has it"
        )
        raise ConfigurationError(
            f"The database is at revision {', '.join(unknown)}, and this version of {branch.name} "
            f"knows none after {after}: {remedy}."
        )


def _unknown(branch: Branch, connection: Connection) -> list[str]:
    known = {script.revision for script in scripts_of(branch).walk_revisions()}
    return sorted(heads_in_database(branch, connection) - known)


def _refuse_broken(keys: set[tuple[str, str]]) -> None:
    if keys:
        table, other = min(keys)
        raise SchemaUnusable(
            told=f"After the migration, rows of {table} refer to rows of {other} that are not "
            "there. "
            "Nothing was changed: have the migration treat these rows."
        )


def _broken_keys(connection: Connection) -> set[tuple[str, str]]:
    """On SQLite, which tables refer to which others by keys that no row has."""
    if connection.dialect.name != "sqlite":
        return set()
    rows = connection.exec_driver_sql(
        'SELECT DISTINCT "table", parent FROM pragma_foreign_key_check'
    )
    return {(str(table), str(parent)) for table, parent in rows}


def _told(branch: Branch, error: Exception) -> Exception:
    """The error to raise for what Alembic or a script raised; the driver's are told elsewhere."""
    from alembic.util import CommandError  # noqa: PLC0415 - as above
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - beside it

    if isinstance(error, DBAPIError):
        return error
    if isinstance(error, CommandError) and "Ambiguous walk" in str(error):
        return ConfigurationError(
            f"{branch.name}: on the way back is a merge, from which it goes on in several ways: "
            "name the revision to go back to."
        )
    if isinstance(error, CommandError):
        return ConfigurationError(f"{branch.name}: {error}")
    revision = revision_at(error.__traceback__)
    if revision is None:
        return error
    return SchemaUnusable(
        told=f"Migration {revision} of {branch.name} failed on {branch.place}, and nothing was "
        "changed. "
        f"It raised {type(error).__name__}: {error}"
    )
