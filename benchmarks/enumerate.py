"""Status, enumeration and log pages of 1,000,000 stored actions beside those of 1,000.

    make bench                       # or: .venv/bin/python benchmarks/enumerate.py --rounds 21

One action by its id, as a request without a server and a token (and, without a claim, of the store
alone); and what the store is asked for the other requests: pages of ten for a caller
with 12 actions and one with a fifth of all, by each role, with one state and with every state, and
for a caller in groups; log pages of ten, the first, the last, and in the middle. Two databases that
differ only in how many actions they hold take turns, on SQLite and on PostgreSQL. The SQLite files
are made at the first run (a minute or two), PostgreSQL's databases at each.

The claim: the median time with 1,000,000 is at most 1.3 × that with 1,000.

    --plans        what both databases do, as docs/reference/action-plans.md has it
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import platform
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from werkzeug.test import create_environ

import _archive
from _archive import GROUP, HEAVY, LIGHT, light_keys
from _durables import PROVIDER, SCOPE, make_app, make_database, temporary_server
from _rounds import in_turns, verdict
from licet.actions.documents import ActionStatusValue
from licet.actions.durable.store import _statements as run_sql
from licet.actions.enumeration import EnumerationQuery, LogQuery
from licet.actions.store import _statements as sql
from licet.actions.store.actions import ActionStore
from licet.authn.auth_state import AuthState
from licet.authn.identity import Identity
from licet.db.engine import Database
from licet.db.statement import Statement

SIZES = (1_000, 1_000_000)
DATABASES = ("SQLite", "PostgreSQL")
LIMIT = 10
N_IDS = 500
ALONE = "status, the store alone"
ACTIVE = frozenset({ActionStatusValue.ACTIVE})
EVERY = frozenset(ActionStatusValue)
ROLES = ("creator_id", "monitor_by", "manage_by")
Ask = Callable[[], Any]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--database", choices=DATABASES, help="only this one")
    arguments.add_argument("--actions", type=int, default=SIZES[1])
    arguments.add_argument("--plans", action="store_true")
    options = arguments.parse_args()
    sizes = (SIZES[0], options.actions)
    if options.plans:
        print(PLANS_PAGE)
    else:
        print(
            f"medians of {options.rounds} rounds, µs, Python {platform.python_version()}, ", end=""
        )
        print(f"SQLAlchemy {sa.__version__}, SQLite {sqlite3.sqlite_version}")
    claims: list[str] = []
    for name in DATABASES:
        if options.database not in (None, name):
            continue
        with stored(name, sizes) as databases:
            if options.plans:
                print_plans(name, databases[options.actions], options.actions)
            else:
                claims += pages(name, databases, options.rounds)
    print("\n".join(claims))


@contextlib.contextmanager
def stored(name: str, sizes: tuple[int, int]) -> Iterator[dict[int, Database]]:
    with contextlib.ExitStack() as stack:
        if name == "SQLite":
            yield {n: stack.enter_context(_archive.on_sqlite(n)) for n in sizes}
            return
        server = stack.enter_context(temporary_server())
        made = {n: make_database(server, f"of_{n}") for n in sizes}
        yield {n: stack.enter_context(_archive.on_postgresql(made[n], n)) for n in sizes}


def pages(name: str, databases: dict[int, Database], rounds: int) -> list[str]:
    asked = {n: questions(database, n) for n, database in databases.items()}
    few, many = databases
    claims = []
    print(f"\n{name:36}{few:>12,}{many:>12,}")
    for what in asked[few]:
        contestants = {str(n): asked[n][what] for n in databases}
        found = in_turns(contestants, rounds)
        ratio = found[str(many)].wall_beside(found[str(few)])
        print(f"  {what:34}{found[str(few)].wall:12.0f}{found[str(many)].wall:12.0f}{ratio:8.2f} ×")
        if what != ALONE:
            claims.append(verdict(f"{name}, {what}: {many:,} beside {few:,}", ratio, 1.3, "×"))
    return claims


def questions(database: Database, number: int) -> dict[str, Ask]:
    """What is asked, by its name; each must find something."""
    store = ActionStore(PROVIDER, lambda: database)
    ids = itertools.cycle([_archive.action_id(n) for n in range(1, number + 1, number // 500)])
    newest = _archive.action_id(light_keys(number)[-1])
    found: dict[str, Ask] = {
        "status, a request": requesting(database, _archive.some_of_heavy(number)),
        ALONE: lambda: [store.get(next(ids))],
    }
    for role in ROLES:
        found[f"{role}, 200,000 own"] = listing(store, role, HEAVY)
        found[f"{role}, every state"] = listing(store, role, HEAVY, states=EVERY)
    found["creator_id, 12 own"] = listing(store, "creator_id", LIGHT)
    found["all roles and states, with groups"] = listing(
        store, ",".join(ROLES), HEAVY, GROUP, "urn:licet:group:none", states=EVERY
    )
    first = store.enumerate(frozenset({HEAVY}), query("creator_id", ACTIVE))
    found["creator_id, second page"] = listing(store, "creator_id", HEAVY, marker=first.marker)
    for where, fields in log_pages(store, newest).items():
        found[f"log, {where} page"] = logged(store, newest, fields)
    for what, ask in found.items():
        for _ in range(
            N_IDS if "status" in what else 1
        ):  # each id once: the file is in memory then
            if not ask():
                raise SystemExit(f"{what}: nothing found.")
    return found


def requesting(database: Database, ids: list[str]) -> Ask:
    """The heavy caller asking for one of these actions after another."""
    app = make_app(
        str(_archive.FOLDER),
        lambda _action, _body: {},
        LICET_DATABASE_URL=database.url.render_as_string(hide_password=False),
        LICET_WORKER_THREADS=0,
    )
    blueprint: Any = app.blueprints[PROVIDER]
    blueprint.state_builder = AsHeavy()
    paths = itertools.cycle(ids)

    def ask() -> list[bytes]:
        environ = create_environ(f"/{PROVIDER}/actions/{next(paths)}")
        answers: list[str] = []
        body = app(environ, lambda status, _headers: answers.append(status))
        if answers != ["200 OK"]:
            raise SystemExit(f"{environ['PATH_INFO']}: {answers}")
        return list(body)

    return ask


class AsHeavy:
    """Takes every request for the heavy caller's."""

    def build_from_request(self) -> AuthState:
        who = Identity(issuer="", subject="", principal=HEAVY, scopes=frozenset({SCOPE}))
        return AuthState(who)


def listing(
    store: ActionStore,
    roles: str,
    *principals: str,
    states: frozenset[ActionStatusValue] = ACTIVE,
    marker: str | None = None,
) -> Ask:
    asked = query(roles, states, marker)
    return lambda: store.enumerate(frozenset(principals), asked)[0]


def query(
    roles: str, states: frozenset[ActionStatusValue], marker: str | None = None
) -> EnumerationQuery:
    return EnumerationQuery(
        statuses=states, roles=frozenset(roles.split(",")), limit=LIMIT, marker=marker
    )


def log_pages(store: ActionStore, action_id: str) -> dict[str, dict[str, Any]]:
    entries = store.read_log(action_id, LogQuery(limit=_archive.N_LOG // 2))
    return {"first": {}, "middle": {"marker": entries.marker}, "last": {"reverse_order": True}}


def logged(store: ActionStore, action_id: str, fields: dict[str, Any]) -> Ask:
    asked = LogQuery(limit=LIMIT, **fields)
    return lambda: store.read_log(action_id, asked).entries


# --- plans ---------------------------------------------------------------------------------------

PLANS_PAGE = """\
# What the databases do for stored actions

Printed by `.venv/bin/python benchmarks/enumerate.py --plans`, from 1,000,000 stored actions (see
benchmarks/_archive.py): SQLite's `EXPLAIN QUERY PLAN`, and PostgreSQL 18's `EXPLAIN (COSTS OFF)`,
of the plan made for the very values and of the *generic* one, which PostgreSQL may keep for a
prepared statement. Where the two are the same, it stands once.

What to look for: no `SCAN` and no `Seq Scan` of a table, and no sort of more rows than a page: each
range of an enumeration is read backwards from an index and stops after a page.
"""


def print_plans(name: str, database: Database, number: int) -> None:
    for title, statement, arguments in statements(database, number):
        print(f"## {name}: {title}\n")
        plan = sqlite_plan if database.is_sqlite else postgresql_plan
        print(plan(database, statement, arguments), end="\n\n")


def statements(database: Database, number: int) -> Iterator[tuple[str, str, Any]]:
    """Title, SQL and arguments, as the driver gets them."""
    now = _archive.BEGAN
    claim = {"p": PROVIDER, "now": now, "until": now, "owner": "plans", "count": 1, "since": now}
    held = {"key": 7, "which": _archive.action_id(7), "lease": 1}
    ended = {name: [value] for name, value in (dict.fromkeys(run_sql.LIFE_COLUMNS) | held).items()}
    kept: list[tuple[str, Statement, dict[str, Any]]] = [
        ("status", sql.BY_ID, {"a": _archive.action_id(7), "p": PROVIDER}),
        ("the same request again", sql.BY_REQUEST, {"p": PROVIDER, "c": HEAVY, "r": "request-7"}),
        ("claim the next", run_sql.CLAIM_NEXT, claim),
        *([] if database.is_sqlite else [("end several", run_sql.MOVE_ALL_HELD, ended)]),
        ("due, for the sweeper", run_sql.DUE, due(now, "running")),
        ("to be released", run_sql.DUE, due(now, "ended")),
        ("past their deadline", run_sql.PAST_DEADLINE, {"p": PROVIDER, "now": now, "count": 200}),
    ]
    for title, statement, params in kept:
        compiled = statement.compiled(database.engine.dialect)
        yield title, compiled.sql, compiled.arguments(params)
    asked = questions(database, number)
    for title in (
        *("creator_id, 200,000 own", "monitor_by, 200,000 own", "creator_id, second page"),
        "log, middle page",
    ):
        yield from recorded(database, title, asked[title])
    store = ActionStore(PROVIDER, lambda: database)
    yield from recorded(database, "all roles", listing(store, ",".join(ROLES), HEAVY, GROUP))


def due(now: datetime, phase: str) -> dict[str, Any]:
    return {"p": PROVIDER, "now": now, "of_phase": phase, "count": 200}


def recorded(database: Database, title: str, ask: Ask) -> list[tuple[str, str, Any]]:
    """What a question asks of the database through SQLAlchemy."""
    found: list[tuple[str, str, Any]] = []

    def record(_c: Any, _cursor: Any, statement: str, arguments: Any, *_: Any) -> None:
        found.append((title if not found else f"{title}: the rows", statement, arguments))

    sa.event.listen(database.engine, "before_cursor_execute", record)
    ask()
    sa.event.remove(database.engine, "before_cursor_execute", record)
    return found


def sqlite_plan(database: Database, statement: str, arguments: Any) -> str:
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(arguments)).all()
    depth = {0: -1}
    lines = []
    for key, parent, _, detail in rows:
        depth[key] = depth[parent] + 1
        lines.append("  " * depth[key] + detail)
    return fenced(lines)


def postgresql_plan(database: Database, statement: str, arguments: Any) -> str:
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    numbers = itertools.count(1)
    prepared = re.sub("%s", lambda _: f"${next(numbers)}", statement)
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(f"PREPARE asked AS {prepared}")
        plans = {
            mode: explained(connection, arguments, f"force_{mode}_plan")
            for mode in ("custom", "generic")
        }
    custom, generic = (re.sub(r"'[^']*'|\$\d+", "…", "\n".join(p)) for p in plans.values())
    if unquoted(custom) == unquoted(generic):
        return fenced(plans["custom"])
    return fenced(plans["custom"]) + "\n\nGeneric:\n\n" + fenced(plans["generic"])


def unquoted(plan: str) -> str:
    """Without casts, which literals have and parameters have not."""
    return re.sub(r"ARRAY\[[^]]*\]", "…", re.sub(r"::[a-z ]+(\[\])?|[()]", "", plan))


def explained(connection: Any, arguments: Any, mode: str) -> list[str]:
    connection.execute(f"SET plan_cache_mode = {mode}")
    marks = ", ".join("%s" for _ in arguments)
    called = f"EXPLAIN (COSTS OFF) EXECUTE asked({marks})"
    return [line for (line,) in connection.execute(called, arguments).fetchall()]


def fenced(lines: list[str]) -> str:
    return "```\n" + "\n".join(lines) + "\n```"


if __name__ == "__main__":
    main()
