"""The writes of durable actions in raw SQL: the same tables, rows and commits, nothing else.

The statements are written out here, not taken from licet, and go to the bare driver in autocommit
mode, as licet has it: each is a transaction of its own.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import sqlite3
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from _durables import ME, PROVIDER
from licet.db.engine import Database
from licet.db.migrate import upgrade

INSERT = """\
INSERT INTO licet_action (action_id, provider, creator_id, request_id, request_digest, status,
 details, monitor_by, manage_by, start_time, release_after, version, phase, due_at, ready_at, body,
 caller)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING"""
DUE = """\
SELECT id FROM licet_action WHERE provider = %s AND phase = 'queued' AND due_at <= %s
 ORDER BY due_at LIMIT 1"""
CLAIM = """\
UPDATE licet_action SET phase = 'running', lease_number = lease_number + 1, lease_owner = %s,
 lease_until = %s, due_at = %s, version = version + 1
WHERE id = (DUE) AND phase = 'queued'
RETURNING id, lease_number, action_id, caller, body"""
FINISH = """\
UPDATE licet_action SET phase = 'ended', status = 'SUCCEEDED', details = %s, lease_owner = NULL,
 lease_until = NULL, ready_at = NULL, due_at = %s, completion_time = %s, release_at = %s,
 version = version + 1
WHERE id = %s AND lease_number = %s AND phase = 'running'"""
CALLER = json.dumps(
    {"issuer": "bench", "subject": "me", "principal": ME, "principals": [ME], "roles": []}
)


class Floor:
    """The writes of one durable action after another."""

    def __init__(self, url: str) -> None:
        database = Database(url)  # its tables and its settings
        upgrade(database)
        self._driver: Any = database.engine.raw_connection().driver_connection
        self.is_sqlite = isinstance(self._driver, sqlite3.Connection)
        assert self.is_sqlite or isinstance(self._driver, psycopg.Connection)
        self._database = database
        lock = "" if self.is_sqlite else " FOR UPDATE SKIP LOCKED"
        self._insert, self._finish = self._sql(INSERT), self._sql(FINISH)
        self._claim = self._sql(CLAIM.replace("DUE", DUE + lock))

    def _sql(self, statement: str) -> str:
        return statement.replace("%s", "?") if self.is_sqlite else statement

    def rows(self, number: int) -> list[tuple[Any, ...]]:
        """What `submit` inserts, made beforehand."""
        now = datetime.now(UTC)
        at = self._moment(now)
        digest = hashlib.sha256(b"").hexdigest()
        return [
            (
                *(str(uuid.uuid4()), PROVIDER, ME, str(uuid.uuid4()), digest, "ACTIVE", "{}"),
                *("[]", "[]", now.isoformat(), "P30D", 1, "queued", at, at, f'{{"n":{n}}}', CALLER),
            )
            for n in range(number)
        ]

    def submit_together(self, rows: list[tuple[Any, ...]]) -> None:
        """All of them in one commit, which is not measured."""
        self._driver.execute("BEGIN")
        self.submit(rows)
        self._driver.execute("COMMIT")

    def _moment(self, moment: datetime) -> Any:
        if self.is_sqlite:
            return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
        return moment

    def submit(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            self._driver.execute(self._insert, row)

    def work_off(self, number: int) -> None:
        now = datetime.now(UTC)
        at, until = self._moment(now), self._moment(now + timedelta(seconds=30))
        kept, completed = self._moment(now + timedelta(days=30)), now.isoformat()
        for _ in itertools.repeat(None, number):
            claimed = self._driver.execute(self._claim, ("floor", until, until, PROVIDER, at))
            key, lease, *_ = claimed.fetchone()
            ended = ("{}", kept, completed, kept, key, lease)
            assert self._driver.execute(self._finish, ended).rowcount == 1

    def work_off_at_once(self, number: int, threads: int) -> None:
        """The same by so many threads, each with a connection of its own."""
        drivers = [self._database.engine.raw_connection() for _ in range(threads)]
        shares = [number // threads + (n < number % threads) for n in range(threads)]

        def work(driver: Any, share: int) -> None:
            other = copy.copy(self)
            other._driver = driver.driver_connection
            other.work_off(share)

        workers = [
            threading.Thread(target=work, args=pair) for pair in zip(drivers, shares, strict=True)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for driver in drivers:
            driver.close()

    def work_off_in_one(self, number: int) -> None:
        """Claim and end each action in one commit, on SQLite."""
        for _ in itertools.repeat(None, number):
            self._driver.execute("BEGIN IMMEDIATE")
            self.work_off(1)
            self._driver.execute("COMMIT")

    def n_ended(self) -> int:
        counted = "SELECT count(*) FROM licet_action WHERE phase = 'ended'"
        with self._database.read() as connection:
            return int(connection.execute(sa.text(counted)).scalar_one())

    def close(self) -> None:
        self._database.close()
