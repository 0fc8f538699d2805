"""What was done, by two witnesses that licet knows nothing of.

The journal has a line for each execution of a step. Triggers of the database have a line for each
change of an action's phase, so that an end that happened twice would be seen.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from licet.actions.store.tables import action, action_step

CLOCK_SECONDS = 0.02  # by which the clocks of file systems and databases differ

_TABLE = (
    "CREATE TABLE kill_phase (n {serial}, action_id TEXT, old_phase TEXT, phase TEXT,"
    " lease_number INTEGER, owner TEXT, at DOUBLE PRECISION)"
)
_INSERT = (
    "INSERT INTO kill_phase (action_id, old_phase, phase, lease_number, owner, at)"
    " VALUES (NEW.action_id, OLD.phase, NEW.phase, NEW.lease_number, NEW.lease_owner, {now})"
)
_SQLITE = [
    _TABLE.format(serial="INTEGER PRIMARY KEY"),
    "CREATE TRIGGER kill_phase AFTER UPDATE ON licet_action"
    " WHEN OLD.phase <> NEW.phase OR OLD.phase = 'ended' BEGIN "
    + _INSERT.format(now="(julianday('now') - 2440587.5) * 86400.0")
    + "; END",
]
_POSTGRESQL = [
    _TABLE.format(serial="BIGSERIAL PRIMARY KEY"),
    "CREATE FUNCTION kill_phase() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    + _INSERT.format(now="extract(epoch from clock_timestamp())")
    + "; RETURN NULL; END $$",
    "CREATE TRIGGER kill_phase AFTER UPDATE ON licet_action FOR EACH ROW"
    " WHEN (OLD.phase <> NEW.phase OR OLD.phase = 'ended') EXECUTE FUNCTION kill_phase()",
]


class Change(NamedTuple):
    """An action's change of phase, and when it was made."""

    action_id: str
    old_phase: str
    phase: str
    lease_number: int
    owner: str | None
    at: float


class Line(NamedTuple):
    """A line of the journal."""

    what: str
    action_id: str
    n: int
    pid: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the accepted actions of one test."""

    accepted: int
    ended: int
    claims: int
    steps: int
    executions: int

    @property
    def unfinished(self) -> int:
        """Executions of steps that died before their result was stored."""
        return self.executions - self.steps


class Witness:
    """Reads both, and says what is wrong."""

    def __init__(self, database_url: str, journal: Path) -> None:
        self._engine = sa.create_engine(database_url, poolclass=sa.NullPool)
        self._journal = journal

    def install(self) -> None:
        """Make the triggers, once the tables are there."""
        sqlite = self._engine.dialect.name == "sqlite"
        with self._engine.begin() as connection:
            for statement in _SQLITE if sqlite else _POSTGRESQL:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("CREATE TABLE kill_own (action_id TEXT, n INTEGER)")

    def own_rows(self, ids: Iterable[str]) -> Counter[tuple[str, int]]:
        """How often each step of these actions committed a row of the app's own."""
        rows = self.query(sa.text("SELECT action_id, n FROM kill_own"))
        wanted = set(ids)
        return Counter((row[0], row[1]) for row in rows if row[0] in wanted)

    def details(self, action_id: str) -> Any:
        """The details of an action that has ended."""
        wanted = sa.select(action.c.details).where(action.c.action_id == action_id)
        return json.loads(self.query(wanted)[0][0])

    def query(self, statement: Any) -> list[Any]:
        """The rows of a query."""
        with self._engine.connect() as connection:
            return list(connection.execute(statement).all())

    def changes(self) -> list[Change]:
        """Every change of a phase, in order."""
        columns = ", ".join(Change._fields)
        rows = self.query(sa.text(f"SELECT {columns} FROM kill_phase ORDER BY n"))
        return [Change(*row) for row in rows]

    def has_claimed(self, pid: int) -> bool:
        """Whether a process has claimed anything."""
        return any((change.owner or "").startswith(f"{pid}-") for change in self.changes())

    def lines(self) -> list[Line]:
        """Every line of the journal, in order."""
        if not self._journal.exists():
            return []
        return [Line(*json.loads(line)) for line in self._journal.read_text().splitlines()]

    def n_in(self, phase: str, ids: Iterable[str] | None = None) -> int:
        """How many actions are in a phase, of these or of all."""
        rows = self.query(sa.select(action.c.action_id).where(action.c.phase == phase))
        found = {row[0] for row in rows}
        return len(found if ids is None else found & set(ids))

    def begun(self, ids: Iterable[str]) -> set[tuple[str, int]]:
        """The steps of these actions that were begun."""
        wanted = set(ids)
        return {(x.action_id, x.n) for x in self.lines() if x.what == "begin"} & {
            (action_id, n) for action_id in wanted for n in range(100)
        }

    def most_at_once(self, ids: Iterable[str]) -> int:
        """How many steps of these actions a process had under way at the same time, at most."""
        wanted, running, most = set(ids), Counter[int](), 0
        for line in self.lines():
            if line.action_id in wanted:
                running[line.pid] += 1 if line.what == "begin" else -1
                most = max(most, *running.values())
        return most

    def query_steps(self, action_id: str) -> list[tuple[Any, ...]]:
        """What is stored of an action's steps."""
        of = sa.select(action.c.id).where(action.c.action_id == action_id).scalar_subquery()
        found = sa.select(action_step).where(action_step.c.action == of)
        return [tuple(row) for row in self.query(found.order_by(action_step.c.name))]

    def attempts(self, ids: Iterable[str]) -> int:
        """The most attempts that any of these actions needed, those of lost workers included."""
        rows = self.query(sa.select(action.c.action_id, action.c.attempt, action.c.recoveries))
        return max(row.attempt + row.recoveries for row in rows if row.action_id in set(ids))

    def audit(self, ids: Iterable[str], *, status: str = "SUCCEEDED") -> Counts:
        """Every action ended once, in this status, with each of its steps completed once."""
        accepted = set(ids)
        rows = {row.action_id: row for row in self.query(sa.select(action))}
        assert accepted <= set(rows), f"lost: {accepted - set(rows)}"
        assert {rows[a].phase for a in accepted} == {"ended"}
        wrong = {a: rows[a].details for a in accepted if rows[a].status != status}
        assert not wrong
        changes = [change for change in self.changes() if change.action_id in accepted]
        ends = Counter(change.action_id for change in changes if change.phase == "ended")
        assert {a: ends[a] for a in accepted if ends[a] != 1} == {}
        steps, executions = self._audit_steps({rows[a].id: rows[a] for a in accepted})
        claims = [change for change in changes if change.phase == "running"]
        return Counts(
            accepted=len(accepted),
            ended=sum(ends.values()),
            claims=len(claims),
            steps=steps,
            executions=executions,
        )

    def _audit_steps(self, rows: dict[int, Any]) -> tuple[int, int]:
        stored = defaultdict(dict)
        for step in self.query(sa.select(action_step)):
            if step.action in rows:
                n = int(step.name.split()[0].removeprefix("step-"))
                stored[rows[step.action].action_id][n] = step
        begun = [line for line in self.lines() if line.what == "begin"]
        begun = [line for line in begun if line.action_id in {r.action_id for r in rows.values()}]
        again = [
            line
            for line in begun
            if (step := stored[line.action_id].get(line.n)) is not None
            and line.at > step.completed_at.timestamp()
        ]
        assert again == [], "completed steps were run again"
        for row in rows.values():
            if row.status == "SUCCEEDED":
                kept = [json.loads(s.result) for _, s in sorted(stored[row.action_id].items())]
                assert json.loads(row.details) == {"steps": kept}
        return sum(map(len, stored.values())), len(begun)

    def recovery_seconds(self, pid: int, at: float) -> list[float]:
        """How long each action that a process held when it died waited for its next claim."""
        waits, held = [], {}
        for change in self.changes():
            if change.at <= at + CLOCK_SECONDS:
                held[change.action_id] = change
            elif change.action_id in held and change.phase == "running":
                before = held.pop(change.action_id)
                if before.phase == "running" and (before.owner or "").startswith(f"{pid}-"):
                    waits.append(change.at - at)
        return waits
