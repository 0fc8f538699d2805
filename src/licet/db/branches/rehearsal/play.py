"""Up, check, down, up again, on a copy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks import check_on
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import HEADS, move
from licet.db.branches.moves.scripts import heads_in_code, heads_in_database, scripts_of
from licet.db.branches.rehearsal.contents import Contents, contents_of, differences
from licet.db.branches.rehearsal.copies import copied
from licet.db.branches.rehearsal.losses import declared_by, is_declared
from licet.errors import LicetError

T = TypeVar("T")
__all__ = ["Rehearsal", "Step", "rehearse"]

_HEAVY: Final = ("AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock")
_LOCKS: Final = """
    SELECT DISTINCT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.granted AND l.mode = ANY(:modes)
      AND c.relkind IN ('r', 'p')
"""


@dataclass(kw_only=True)
class Step:
    """A script that ran: which way, how long, and what others had to wait for.

    `locks` has the mode and the rows of each table that was there before; on PostgreSQL they are
    held until the whole transaction ends, `held_seconds` after the script began.
    """

    direction: str
    revision: str
    seconds: float
    held_seconds: float = 0.0
    locks: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Rehearsal:
    """What came of it: the steps, what was found, and losses that the scripts declare."""

    branch: str
    place: str
    rows: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rehearse(branch: Branch) -> Rehearsal:
    """Rehearse what is pending on a copy; where nothing is, the newest revision's way back.

    The database itself is only read.

    Raises:
        SchemaUnusable: no copy can be made.
        StoreUnavailable: the database does not answer.
    """
    result = Rehearsal(branch=branch.name, place=branch.place)
    with copied(branch) as copy:
        try:
            _Play(copy, result).run()
        except LicetError as error:
            result.findings.append(str(error).replace(copy.place, "the copy"))
    return result


class _Play:
    """One rehearsal on its copy."""

    def __init__(self, copy: Branch, result: Rehearsal) -> None:
        self.copy = copy
        self.result = result

    def run(self) -> None:
        start = self._ask(lambda on: heads_in_database(self.copy, on))
        before = self._contents()
        self.result.rows = {name: found.rows for name, found in sorted(before.items())}
        is_pending = not heads_in_code(self.copy) <= start
        if is_pending:
            self._move("upgrade", HEADS, before)
        self._check()
        above = self._contents()
        target = self._way_back(start, is_pending=is_pending)
        if target is None:
            return
        self._move("downgrade", target, above)
        below = self._contents()
        lines = declared_by(self._scripts_down())
        if is_pending:
            self._compare(before, below, "After upgrade and downgrade", lines="")
        self._compare(above, below, "The downgrade loses data", lines, only_gone=True)
        self._move("upgrade", HEADS, below)
        self._check()
        self._compare(above, self._contents(), "After downgrade and upgrade", lines)

    def _way_back(self, start: frozenset[str], *, is_pending: bool) -> str | None:
        if len(start) > 1 or not (is_pending or start):
            had = "several heads" if start else "no revision"
            self.result.notes.append(f"No downgrade was rehearsed: the database has {had}.")
            return None
        return next(iter(start), "base") if is_pending else "-1"

    def _scripts_down(self) -> list[Any]:
        scripts = scripts_of(self.copy)
        down = [step.revision for step in self.result.steps if step.direction == "downgrade"]
        return [scripts.get_revision(revision) for revision in down]

    def _check(self) -> None:
        report = self._ask(lambda on: check_on(self.copy, on))
        for one in report.differences:
            if str(one) not in self.result.findings:
                self.result.findings.append(str(one))

    def _compare(
        self,
        before: dict[str, Contents],
        after: dict[str, Contents],
        when: str,
        lines: str,
        *,
        only_gone: bool = False,
    ) -> None:
        for subject, what in differences(before, after):
            if only_gone and not what.endswith("is gone"):
                continue
            told = f"{subject}: {what}"
            if is_declared(subject, lines):
                note = f"{told} (as the downgrade declares)."
                if note not in self.result.notes:
                    self.result.notes.append(note)
                continue
            remedy = (
                ". Name it in the first line of the downgrade's docstring if that is meant"
                if only_gone
                else ""
            )
            self.result.findings.append(f"{when}, {told}{remedy}.")

    def _move(self, direction: str, target: str, tables: dict[str, Contents]) -> None:
        begun = time.perf_counter()
        starts = [begun]
        steps: list[Step] = []

        def on_step(*, ctx: Any, step: Any, **_others: object) -> None:
            now = time.perf_counter()
            found = Step(
                direction=direction, revision=step.up_revision_id, seconds=now - starts[-1]
            )
            known = {name for earlier in steps for name in earlier.locks}
            found.locks = {
                name: lock
                for name, lock in _locks(ctx.connection, tables).items()
                if name not in known
            }
            steps.append(found)
            starts.append(time.perf_counter())

        move(self.copy, direction, target, on_step=on_step)
        ended = time.perf_counter()
        for step, start in zip(steps, starts, strict=False):
            step.held_seconds = ended - start
        self.result.steps += steps

    def _contents(self) -> dict[str, Contents]:
        return self._ask(lambda on: contents_of(self.copy, on))

    def _ask(self, question: Callable[[Connection], T]) -> T:
        with connected(self.copy, writes=False) as connection:
            try:
                return question(connection)
            finally:
                connection.rollback()


def _locks(connection: Connection, tables: dict[str, Contents]) -> dict[str, tuple[str, int]]:
    if connection.dialect.name == "sqlite":
        return {}
    rows = connection.execute(sa.text(_LOCKS), {"modes": list(_HEAVY)})
    found: dict[str, tuple[str, int]] = {}
    for name, mode in sorted(rows, key=lambda row: _HEAVY.index(row[1]), reverse=True):
        if name in tables:
            found[name] = (mode, tables[name].rows)
    return found
