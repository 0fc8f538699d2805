"""Stored actions of many creators, and of one heavy caller: 1,000 of them or 1,000,000.

A fifth is the heavy caller's, and 12 are the light one's, however many there are; the rest belongs
to one creator for each 50 actions. A tenth is ACTIVE (most of them queued), 2 % INACTIVE, 8 %
FAILED, the rest SUCCEEDED. The heavy caller and one group monitor and manage a tenth each of the
others' actions. One action in four has two lines of log; the newest of the light caller has 1,000.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from _durables import PROVIDER, ROOT
from licet.db.engine import Database
from licet.db.migrate import head_revision, upgrade

FOLDER = ROOT / ".tools" / "bench-enumerate"
HEAVY = "urn:licet:identity:00000000-0000-4000-8000-000000000001"
LIGHT = "urn:licet:identity:00000000-0000-4000-8000-000000000002"
GROUP = "urn:licet:group:lab"
N_LIGHT, N_LOG = 12, 1000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STATES = (
    *[("ACTIVE", "queued")] * 9,
    ("ACTIVE", "running"),
    *[("INACTIVE", "paused")] * 2,
    *[("FAILED", "ended")] * 8,
    *[("SUCCEEDED", "ended")] * 80,
)
ACTION = (
    "id, action_id, provider, creator_id, request_id, request_digest, status, details, monitor_by,"
    " manage_by, start_time, completion_time, release_after, deadline, release_at, version, phase,"
    " due_at, ready_at, body, caller, lease_number"
)
Row = tuple[Any, ...]


@contextmanager
def on_sqlite(number: int) -> Iterator[Database]:
    """The archive in a file, made at the first run."""
    path = FOLDER / f"{head_revision()}-{number}.sqlite3"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".new")
        making.unlink(missing_ok=True)
        database = Database(f"sqlite:///{making}")
        fill(database, number)
        database.close()
        shutil.move(making, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@contextmanager
def on_postgresql(url: str, number: int) -> Iterator[Database]:
    database = Database(url)
    fill(database, number)
    yield database
    database.close()


def fill(database: Database, number: int) -> None:
    upgrade(database)
    driver = database.engine.raw_connection().driver_connection
    assert driver is not None
    if database.is_sqlite:  # nobody reads it before it is complete
        driver.execute("PRAGMA journal_mode = OFF")
    else:
        driver.execute("SET statement_timeout = 0")
    driver.execute("BEGIN")
    for table, columns, rows in (
        ("licet_action", ACTION, actions(number, database.is_sqlite)),
        (
            "licet_action_principal",
            "action, role, principal, provider, status",
            principals(number),
        ),
        ("licet_action_log", "action, time, code, description", lines(number, database.is_sqlite)),
    ):
        if database.is_sqlite:
            marks = ", ".join("?" for _ in columns.split(","))
            driver.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
            continue
        with driver.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    driver.execute("COMMIT")
    driver.execute("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def numbered(number: int) -> Iterator[tuple[int, str, str, str, list[str]]]:
    """Key, creator, status and phase of each action, and who else has to do with it."""
    chance = random.Random(20261121)
    light = {number - number * n // (2 * N_LIGHT) for n in range(N_LIGHT)}
    for n in range(1, number + 1):
        creator = HEAVY if chance.random() < 0.2 else identity(3 + chance.randrange(number // 50))
        status, phase = chance.choice(STATES)
        others = [who for who in (HEAVY, GROUP) if creator != HEAVY and chance.random() < 0.1]
        if n in light:
            creator, status, phase, others = LIGHT, "ACTIVE", "queued", []
        yield n, creator, status, phase, others


def some_of_heavy(number: int) -> list[str]:
    """Ids of 500 of the heavy caller's actions, or of all, from the oldest to the newest."""
    own = [n for n, creator, *_ in numbered(number) if creator == HEAVY]
    return [action_id(n) for n in own[:: max(1, len(own) // 500)]]


def identity(n: int) -> str:
    return f"urn:licet:identity:00000000-0000-4000-8000-{n:012x}"


def action_id(n: int) -> str:
    return f"{n * 2654435761 % 2**32:08x}-0000-4000-8000-{n:012x}"


def light_keys(number: int) -> list[int]:
    return sorted(number - number * n // (2 * N_LIGHT) for n in range(N_LIGHT))


def actions(number: int, as_text: bool) -> Iterator[Row]:  # noqa: FBT001 - of the drivers
    caller = '{"issuer": "", "subject": "", "principal": "", "principals": [], "roles": []}'
    for n, creator, status, phase, others in numbered(number):
        began = BEGAN + timedelta(seconds=n)
        ended = began + timedelta(seconds=30) if phase == "ended" else None
        kept = began + timedelta(days=3650)
        due = None if phase == "paused" else kept
        listed = "[" + ", ".join(f'"{who}"' for who in others) + "]"
        yield (
            *(n, action_id(n), PROVIDER, creator, f"request-{n}", "0" * 64, status),
            *('{"samples": 1000, "mean": 0.25}', listed, listed, began.isoformat()),
            *(None if ended is None else ended.isoformat(), "P30D"),
            moment(kept, as_text) if n % 10 == 0 else None,
            *(None if ended is None else moment(kept, as_text), 3, phase),
            None if due is None else moment(due, as_text),
            moment(began, as_text) if phase == "queued" else None,
            *('{"input_string": "hi"}', caller, 0 if phase == "queued" else 1),
        )


def principals(number: int) -> Iterator[Row]:
    for n, _creator, status, _phase, others in numbered(number):
        for role, who in itertools.product(("monitor_by", "manage_by"), others):
            yield n, role, who, PROVIDER, status


def lines(number: int, as_text: bool) -> Iterator[Row]:  # noqa: FBT001 - as above
    newest = light_keys(number)[-1]
    for n in range(1, number + 1):
        for line in range(N_LOG if n == newest else 2 if n % 4 == 0 else 0):
            at = BEGAN + timedelta(seconds=n, milliseconds=line)
            yield n, moment(at, as_text), "SAMPLE", f"sample {line}"


def moment(at: datetime, as_text: bool) -> Any:  # noqa: FBT001 - as above
    return at.replace(tzinfo=None).isoformat(" ", "microseconds") if as_text else at
