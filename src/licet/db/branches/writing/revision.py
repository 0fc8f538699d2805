"""A new revision: written, tried in a transaction that is rolled back, and completed or marked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks.shape import schema_of, shape_differences, table_differences
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.lock import migration_lock
from licet.db.branches.moves.made_anew import put_back
from licet.db.branches.moves.run import move
from licet.db.branches.moves.scripts import config_of, heads_in_code, heads_in_database, scripts_of
from licet.errors import ConfigurationError, LicetError

if TYPE_CHECKING:
    from licet.db.branches.writing._directives import Completed

__all__ = ["Written", "write_revision"]


@dataclass(frozen=True, kw_only=True)
class Written:
    """The file, and the sentences about what is to be completed in it."""

    path: Path
    unresolved: tuple[str, ...] = ()


def write_revision(
    branch: Branch,
    message: str,
    *,
    is_empty: bool = False,
    is_merge: bool = False,
    head: str | None = None,
) -> Written | None:
    """Write a revision that brings the database to the models; None if nothing differs.

    Whatever neither Alembic nor licet could write stands in it as ``raise Unresolved("…")``.

    Args:
        branch: whose revision it is.
        message: the first line of its docstring, and a part of the file's name.
        is_empty: compare nothing: what it does is to be written by hand.
        is_merge: join all heads into one, and do nothing else.
        head: which of several heads it follows, as Alembic takes it.

    Raises:
        ConfigurationError: the database is not at the newest revision, there is no message, or
            there are several heads and none is named.
        StoreUnavailable: the database does not answer.
    """
    if not message.strip():
        raise ConfigurationError('A revision needs a message: -m "add note.website".')
    branch.versions.mkdir(parents=True, exist_ok=True)
    if is_merge:
        return _merged(branch, message)
    head = head or _only_head(branch)
    if is_empty:
        return _written(branch, message, None, head)
    _refuse_outdated(branch)
    first = _generated(branch, message, head)
    if first is None or first.unresolved:
        return first
    up, down = _tried(branch, first)
    if not up and not down:
        return first
    first.path.unlink()
    again = _generated(branch, message, head, up=up, down=down)
    if again is None:
        raise AssertionError("the differences are gone")
    return Written(path=again.path, unresolved=(*up, *down))


def _only_head(branch: Branch) -> str:
    heads = sorted(scripts_of(branch).get_heads())
    if len(heads) > 1:
        raise ConfigurationError(
            f"The scripts of {branch.name} end in several heads, {', '.join(heads)}: say which one "
            f"the revision follows, as in --head {heads[0]}, or join them by --merge."
        )
    return "head"


def _merged(branch: Branch, message: str) -> Written:
    from alembic import command  # noqa: PLC0415 - 0.2 s of imports, seldom needed

    heads = sorted(heads_in_code(branch))
    if len(heads) < 2:
        raise ConfigurationError(f"{branch.name} has one head, so there is nothing to merge.")
    made: Any = command.merge(config_of(branch), heads, message=message)
    return Written(path=Path(made.path))


def _refuse_outdated(branch: Branch) -> None:
    with connected(branch, writes=True) as connection:
        found = heads_in_database(branch, connection)
    heads = heads_in_code(branch)
    if found != heads:
        there, here = ", ".join(sorted(found)) or "none", ", ".join(sorted(heads)) or "none"
        raise ConfigurationError(
            f"The database of {branch.name} is at revision {there}, and its scripts end at {here}: "
            "run `licet db upgrade` first, since a revision is written from what then differs."
        )


def _generated(
    branch: Branch, message: str, head: str, *, up: Sequence[str] = (), down: Sequence[str] = ()
) -> Written | None:
    from licet.db.branches.writing._directives import Completed  # noqa: PLC0415 - imports Alembic

    return _written(branch, message, Completed(branch, up=up, down=down), head)


def _written(
    branch: Branch, message: str, completed: Completed | None, head: str
) -> Written | None:
    from alembic import command  # noqa: PLC0415 - as above

    if completed is None:
        with _telling(branch):
            made: Any = command.revision(config_of(branch), message=message, head=head)
        return Written(path=Path(made.path))
    from licet.db.branches.writing._directives import options  # noqa: PLC0415 - as above

    with migration_lock(branch), connected(branch, writes=True) as connection:
        compared = options(branch, completed, connection)
        connection.rollback()
        config = config_of(branch, connection=connection, options=compared)
        completed.attributes = config.attributes
        with warnings.catch_warnings(), _telling(branch):
            # of indexes on expressions, which are written nevertheless
            warnings.filterwarnings("ignore", message=".*expression-based index")
            made = command.revision(config, message=message, autogenerate=True, head=head)
    if completed.is_empty:
        return None
    return Written(path=Path(made.path), unresolved=tuple(completed.nameless))


def _tried(branch: Branch, written: Written) -> tuple[list[str], list[str]]:
    """What the script leaves undone on its way up, and on its way down."""
    found: tuple[list[str], list[str]] = ([], [])
    with connected(branch, writes=True) as connection:
        before, types = schema_of(branch, connection), _types(connection)

    def look(connection: Connection) -> None:
        found[0].extend(str(one) for one in shape_differences(branch, connection))
        if not found[0]:
            _downgrade(branch, connection, written.path)
            for one in table_differences(before, schema_of(branch, connection)):
                told = one.text.replace("the models", "what was before")
                found[1].append(f"the downgrade does not lead back: {told}")
            for kind in sorted(_types(connection) - types):
                found[1].append(f"the downgrade leaves the type {kind}: drop it")

    try:
        move(branch, "upgrade", before_commit=look, is_trial=True)
    except LicetError as error:
        found[1 if _is_at_downgrade(error) else 0].append(str(error))
    return found


@contextmanager
def _telling(branch: Branch) -> Iterator[None]:
    """Have what Alembic refuses, such as a head that is none, be wrong usage."""
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    try:
        yield
    except CommandError as error:
        raise ConfigurationError(f"{branch.name}: {error}") from error


def _types(connection: Connection) -> set[str]:
    """The enum types and domains of a PostgreSQL schema."""
    if connection.dialect.name == "sqlite":
        return set()
    named = (
        "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
        " WHERE t.typtype IN ('e', 'd') AND n.nspname = current_schema()"
    )
    return {str(name) for (name,) in connection.exec_driver_sql(named)}


def _downgrade(branch: Branch, connection: Connection, path: Path) -> None:
    """Run the script's downgrade in the transaction of its upgrade."""
    from alembic.operations import Operations  # noqa: PLC0415 - as above
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - as above

    (script,) = [
        one for one in scripts_of(branch).walk_revisions() if Path(one.path) == path.absolute()
    ] or [scripts_of(branch).get_revision("head")]
    opts = {"version_table": branch.version_table, "as_sql": False}
    with Operations.context(MigrationContext.configure(connection, opts=opts)):
        downgrade: Callable[[], None] = script.module.downgrade
        downgrade()
    put_back(connection)


def _is_at_downgrade(error: BaseException) -> bool:
    traceback = (error.__cause__ or error).__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "downgrade":
            return True
        traceback = traceback.tb_next
    return False
