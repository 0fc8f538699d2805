"""A large conference: 100,000 speakers, and two callers who own few and many of them."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from _conference import ROOT, Base, Caller, EventRole, SessionState

SPEAKERS, SESSIONS, EVENTS, ACCOUNTS, MEMBERS = 100_000, 80_000, 2_000, 20_000, 5
SELECTIVE, HEAVY = Caller(1), Caller(2)
FOLDER = ROOT / ".tools" / "bench-filter"
STATES = (
    *[SessionState.ACCEPTED] * 3,
    SessionState.CONFIRMED,
    *[SessionState.PENDING] * 3,
    SessionState.DRAFT,
    SessionState.REJECTED,
    SessionState.WITHDRAWN,
)
Rows = list[tuple[object, ...]]


@contextmanager
def on_sqlite() -> Iterator[sa.Engine]:
    """The conference in a file, made at the first run."""
    path = FOLDER / f"crowd-{schema()}.sqlite3"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".new")
        making.unlink(missing_ok=True)
        engine = sa.create_engine(f"sqlite:///{making}")
        fill(engine)
        engine.dispose()
        shutil.move(making, path)
    engine = sa.create_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@contextmanager
def on_postgresql() -> Iterator[sa.Engine]:
    """The conference on a server of its own, made at each run."""
    from tests.postgresql import temporary_server

    with temporary_server() as url:
        engine = sa.create_engine(url)
        fill(engine)
        yield engine
        engine.dispose()


def schema() -> str:
    """A digest of the tables, so that a file of former ones is not read."""
    ddl = (str(CreateTable(table)) for table in Base.metadata.sorted_tables)
    return hashlib.sha256("".join(ddl).encode()).hexdigest()[:12]


def fill(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        for name, columns, rows in tables():
            names = columns.split(", ")
            table = Base.metadata.tables[name]
            connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if is_sqlite else "VACUUM ANALYZE")


def tables() -> Iterator[tuple[str, str, Rows]]:
    """Every row, the same at each run."""
    chance = random.Random(20240711)
    yield (
        "account",
        "id, subject, email, is_admin, is_verified",
        [
            (n, f"account{n}", f"account{n}@example.org", False, True)
            for n in range(1, ACCOUNTS + 1)
        ],
    )
    yield (
        "event",
        "id, name, state",
        [
            (n, f"Event {n}", "draft" if n % 10 in (3, 6, 9) else "published")
            for n in range(1, EVENTS + 1)
        ],
    )
    yield "membership", "event_id, account_id, role", memberships(chance)
    yield (
        "session",
        "id, event_id, creator_id, title, state",
        [
            (n, 1 + n % EVENTS, creator(n, chance), f"Talk {n}", chance.choice(STATES).value)
            for n in range(1, SESSIONS + 1)
        ],
    )
    yield (
        "speaker",
        "id, event_id, name, email, biography",
        [
            (
                n,
                1 + n % EVENTS,
                f"Speaker {n}",
                f"s{n}@example.org",
                "Writes. " * chance.randint(2, 30),
            )
            for n in range(1, SPEAKERS + 1)
        ],
    )
    yield "speaking", "session_id, speaker_id", sorted(talks(chance))


def memberships(chance: random.Random) -> Rows:
    """The selective caller runs 3 events and helps in 5, the heavy one runs 200."""
    roles = [role for role in EventRole if role is not EventRole.OWNER]
    rows: Rows = []
    for event in range(1, EVENTS + 1):
        members = chance.sample(range(3, ACCOUNTS + 1), MEMBERS)
        rows += [(event, account, chance.choice(roles).value) for account in members[1:]]
        rows.append((event, 1 if event in (100, 900, 1700) else members[0], "owner"))
        if event % 10 == 4:
            rows.append((event, 2, "organizer"))
        if event in (210, 410, 1110, 1310, 1910):
            rows.append((event, 1, "moderator"))
    return rows


def creator(session: int, chance: random.Random) -> int:
    """A fifth of the sessions are the heavy caller's, twelve the selective one's."""
    if session % 6_800 == 17:
        return 1
    return 2 if chance.random() < 0.2 else chance.randint(3, ACCOUNTS)


def talks(chance: random.Random) -> set[tuple[int, int]]:
    """Each speaker gives one to three of the talks of the same event."""
    found = set()
    for speaker in range(1, SPEAKERS + 1):
        first = speaker % EVENTS or EVENTS
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            found.add((first + EVENTS * chance.randrange(SESSIONS // EVENTS), speaker))
    return found
