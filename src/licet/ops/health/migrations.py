"""Whether the databases are up to date with the migrations, cheaply enough to be asked each second.

Revisions are compared each time, by one SELECT for each branch. The SELECT on every model runs
once for each process and revision, and again as long as one fails. The comparison of the whole
schema is left to ``licet db check``.

Source: seed document 003, "Checking Whether Migrations Are Up To Date With The Sqlalchemy Models".
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from licet.db import Database
from licet.db.branches.branch import Branch
from licet.db.branches.checks.selects import select_differences
from licet.db.branches.moves.scripts import heads_of, scripts_of
from licet.db.flask import ENGINE, database_of, make_database
from licet.db.models import branches_of
from licet.errors import LicetError
from licet.errors.base import reason_of
from licet.settings.state import app_itself, app_state

__all__ = ["check_migrations"]

log = logging.getLogger(__name__)
_STATE: Final = "ops.migrations"
_UP_TO_DATE: Final = "database up to date with migrations"
_OUT_OF_DATE: Final = "database out of date with migrations"
_NONE: Final[frozenset[str]] = frozenset()


def check_migrations(app: Flask | None = None) -> tuple[bool, str]:
    """Whether code and databases are at the same revisions, and every model can be read.

    A database that newer code has migrated passes, with a sentence that says so, as long as every
    model can be read. Reasons are in the log: the sentence is for anybody to read.

    Args:
        app: by default the current one.

    Concurrency: threads may ask at once; a forked process opens connections of its own.
    """
    app = app_itself() if app is None else app
    state = app_state(app)
    checks: _Checks = state.get_or_build(_STATE, lambda _settings: _Checks())
    try:
        if state.settings.migrate_at_start:
            database_of(app)
        branches = checks.of_this_process(app)
    except LicetError as error:
        log.warning("The migrations cannot be checked: %s", error)
        return False, "the migrations cannot be checked"
    found = [_ask(one) for one in branches]
    failed = [text for passed, text in found if not passed]
    noted = [text for _passed, text in found if not text.endswith(_UP_TO_DATE)]
    return not failed, "; ".join(failed or noted) or _UP_TO_DATE


@dataclass
class _Checked:
    """A branch, what its scripts say, and the revisions at which every model could be read."""

    branch: Branch
    reading: Callable[[], AbstractContextManager[Connection]]
    heads: frozenset[str]
    known: frozenset[str]
    read_at: set[frozenset[str]] = field(default_factory=set)


class _Checks:
    """The branches of an app, and the process that looked them up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._found: list[_Checked] = []

    def of_this_process(self, app: Flask) -> list[_Checked]:
        with self._lock:
            if self._pid != os.getpid():
                with app.app_context():
                    self._found = [_checked(app, branch) for branch in branches_of(app).values()]
                self._pid = os.getpid()
            return self._found


def _checked(app: Flask, branch: Branch) -> _Checked:
    scripts = scripts_of(branch) if branch.versions.is_dir() else None
    return _Checked(
        branch=branch,
        reading=_reading(app, branch),
        heads=heads_of(scripts) if scripts else _NONE,
        known=frozenset(one.revision for one in scripts.walk_revisions()) if scripts else _NONE,
    )


def _reading(app: Flask, branch: Branch) -> Callable[[], AbstractContextManager[Connection]]:
    """What opens a connection: the app's own, where the branch is in the same database."""
    if branch.engine is not None:
        return branch.engine.connect
    licets = app_state(app).get_or_build(ENGINE, make_database)
    if branch.url == licets.url:
        return licets.read
    return Database(branch.url.render_as_string(hide_password=False)).read


def _ask(checked: _Checked) -> tuple[bool, str]:
    name = checked.branch.name
    if checked.branch.is_sqlite and not checked.branch.file.is_file():  # which asking would make
        return False, f"{name}: {_OUT_OF_DATE}"
    try:
        with checked.reading() as connection:
            return _compared(checked, connection)
    except (DBAPIError, LicetError) as error:
        reason = reason_of(error) if error.__cause__ else error
        log.warning("The migrations of %s cannot be checked: %s", name, reason)
        return False, f"{name}: the database does not answer"


def _compared(checked: _Checked, connection: Connection) -> tuple[bool, str]:
    name, found = checked.branch.name, _revisions(checked.branch, connection)
    is_ahead = not found <= checked.known
    if not is_ahead and found != checked.heads:
        here, there = ", ".join(sorted(checked.heads)), ", ".join(sorted(found)) or "none"
        log.warning("The database of %s is at revision %s, and the code at %s.", name, there, here)
        return False, f"{name}: {_OUT_OF_DATE}"
    if found not in checked.read_at:
        connection.rollback()
        if not checked.branch.is_sqlite:  # each is tried in a savepoint, which wants a transaction
            connection.execution_options(isolation_level="READ COMMITTED")
        broken = select_differences(checked.branch, connection)
        if broken:
            log.warning("%s", " ".join(map(str, broken)))
            models = ", ".join(one.subject for one in broken)
            return False, f"{name}: {models} model out of date with migrations"
        checked.read_at.add(found)
    if is_ahead:
        return True, f"{name}: the database was migrated by newer code"
    return True, f"{name}: {_UP_TO_DATE}"


def _revisions(branch: Branch, connection: Connection) -> frozenset[str]:
    table = sa.table(branch.version_table, sa.column("version_num"))
    try:
        return frozenset(connection.scalars(sa.select(table.c.version_num)))
    except DBAPIError:
        connection.rollback()
        if sa.inspect(connection).has_table(branch.version_table):
            raise
        return _NONE
