"""Lists of 50 of 100,000 rows, end to end: licet, the same SQL by hand, and the best SQL by hand.

    make bench                       # or: .venv/bin/python benchmarks/filter.py --rounds 15

A request: a fresh ORM session, the statement built for the caller, executed, 50 objects loaded. Two
policies, AND (own & accepted & published) and OR (six plain grants, like those of
services/open_event), for a caller who owns 12 talks and one who owns 16,000, on SQLite and
PostgreSQL. Before anything is measured, the statement by hand is compared with licet's word for
word, and its rows with those of every other way.

The claims: at most 1.1 × the CPU time of the same SQL by hand; at most 2 × the time (on the wall)
of the fastest of all ways, chosen for each caller. Reported, too: the same SQL by hand that keeps
what does not depend on the caller, as licet does, and counts.

    --plans        what PostgreSQL does, as docs/reference/filter-plans.md has it
    --plan-cache   the pages with PostgreSQL's generic plans and without
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session as OrmSession

import _crowd
from _conference import Caller, EventState, SessionState, Speaker, speaker_policy
from _filter_by_hand import KEPT, OTHERS, SHAPES, Statement, page, shape, with_fields
from _rounds import Times, in_turns, verdict
from licet.authz import LIST, UPDATE, Policy, attr, caller, list_objects, registered

CALLERS = {"12 talks": _crowd.SELECTIVE, "16,000 talks": _crowd.HEAVY}
DATABASES = {"SQLite": _crowd.on_sqlite, "PostgreSQL": _crowd.on_postgresql}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--database", choices=DATABASES, help="only this one")
    arguments.add_argument("--plans", action="store_true")
    arguments.add_argument("--plan-cache", action="store_true")
    options = arguments.parse_args()
    policies = {"AND": own_policy(), "OR": speaker_policy().build()}
    require_same_shapes(policies)
    if options.plans or options.plan_cache:
        with _crowd.on_postgresql() as engine:
            report = print_plans if options.plans else compare_plan_caches
            report(engine, policies)
        return
    print(f"medians of {options.rounds} rounds, Python {platform.python_version()}, ", end="")
    print(f"SQLAlchemy {sa.__version__}, SQLite {sqlite3.sqlite_version}")
    claims: list[str] = []
    for name, database in DATABASES.items():
        if options.database in (None, name):
            with database() as engine:
                heads = f"{'CPU µs':>8}{'same SQL':>19}{'kept':>19}{'ms':>10}{'best SQL':>19}"
                print(f"\n{name:30}{heads}")
                claims += pages(name, engine, policies, options.rounds)
                claims += fields(name, engine, policies["OR"], options.rounds)
                counts(engine, policies, options.rounds)
    print("\n" + "\n".join(claims))


def own_policy() -> Policy:
    shown = (SessionState.ACCEPTED, SessionState.CONFIRMED)
    own = attr("sessions").any(attr("creator_id") == caller.account_id)
    accepted = attr("sessions").any(attr("state").in_(shown))
    published = attr("event.state") == EventState.PUBLISHED
    policy = Policy(Speaker)
    policy.allow(registered, LIST, when=own & accepted & published)
    return policy.build()


def require_same_shapes(policies: dict[str, Policy]) -> None:
    for database, kind in itertools.product(SHAPES, policies):
        ours = shape(policies[kind].filter(page(), _crowd.HEAVY), database)
        theirs = shape(SHAPES[database][kind](_crowd.HEAVY), database)
        if ours != theirs:
            raise SystemExit(f"{kind}: {ours - theirs} beside {theirs - ours} by hand.")


# --- what is measured ----------------------------------------------------------------------------


def pages(name: str, engine: sa.Engine, policies: dict[str, Policy], rounds: int) -> list[str]:
    claims = []
    for kind, policy in policies.items():
        same = {"the same SQL": SHAPES[name][kind], "the same SQL, kept": KEPT[name][kind]}
        statements = {"licet": by(policy), **same, **OTHERS[kind]}
        for whose, me in CALLERS.items():
            contestants = {way: loading(engine, made, me) for way, made in statements.items()}
            require_same_rows(contestants)
            found = in_turns(contestants, rounds)
            hand = {way: times for way, times in found.items() if way != "licet"}
            best = min(hand, key=lambda way: hand[way].wall)
            case = f"{kind}, {whose}"
            measured = [found[way] for way in ("licet", *same, best)]
            print(row(case, *measured), best)
            claims += verdicts(f"{name}, {case}", measured[0], measured[1], measured[-1])
    return claims


def fields(name: str, engine: sa.Engine, policy: Policy, rounds: int) -> list[str]:
    """The OR page with what the caller sees of each row, and whether they may change it."""
    claims = []
    for whose, me in CALLERS.items():
        contestants = {
            "licet": listing(engine, policy, me),
            "the same SQL": loading(engine, with_fields(SHAPES[name]["OR"]), me),
        }
        require_same_rows(contestants)
        found = in_turns(contestants, rounds)
        licet, same = found["licet"], found["the same SQL"]
        print(row(f"OR with fields, {whose}", licet, same))
        claims += verdicts(f"{name}, OR with fields, {whose}", licet, same)
    return claims


def counts(engine: sa.Engine, policies: dict[str, Policy], rounds: int) -> None:
    print(f"\n{'counts, ms':44}{'licet':>10}{'rows':>10}")
    for kind, policy in policies.items():
        for whose, me in CALLERS.items():
            call = counting(engine, policy, me)
            wall = in_turns({"count": call}, min(rounds, 5))["count"].wall
            print(f"  {f'{kind}, {whose}':42}{wall / 1000:10.1f}{call():>10,}")


def by(policy: Policy) -> Statement:
    return lambda me: policy.filter(page(), me)


def loading(engine: sa.Engine, made: Statement, me: Caller) -> Callable[[], list[int]]:
    def load() -> list[Any]:
        with OrmSession(engine) as session:
            return [found[0] for found in session.execute(made(me))]

    return load


def listing(engine: sa.Engine, policy: Policy, me: Caller) -> Callable[[], list[Any]]:
    def load() -> list[Any]:
        with OrmSession(engine) as session:
            return [one.object for one in list_objects(policy, session, page(), me, may=(UPDATE,))]

    return load


def counting(engine: sa.Engine, policy: Policy, me: Caller) -> Callable[[], int]:
    def count() -> int:
        with OrmSession(engine) as session:
            rows = policy.filter(sa.select(Speaker.id), me).subquery()
            return int(session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0)

    return count


def require_same_rows(contestants: dict[str, Callable[[], list[Any]]]) -> None:
    keys = {way: [speaker.id for speaker in call()] for way, call in contestants.items()}
    wrong = [way for way, found in keys.items() if found != keys["licet"] or not found]
    if wrong:
        raise SystemExit(f"{', '.join(wrong)}: other rows than licet.")


# --- what is printed -----------------------------------------------------------------------------


def row(
    case: str, licet: Times, same: Times, kept: Times | None = None, best: Times | None = None
) -> str:
    cells = f"{licet.cpu:8.0f}{beside(same.cpu, licet.cpu_beside(same), 0)}"
    if kept is not None and best is not None:
        cells += beside(kept.cpu, licet.cpu_beside(kept), 0) + f"{licet.wall / 1000:10.2f}"
        cells += beside(best.wall / 1000, licet.wall_beside(best), 2)
    return f"  {case:28}{cells}  "


def beside(value: float, ratio: float, digits: int) -> str:
    return f"{value:9.{digits}f} {f'({ratio:.2f} ×)':>9}"


def verdicts(case: str, licet: Times, same: Times, best: Times | None = None) -> list[str]:
    found = [verdict(f"{case}: CPU beside the same SQL", licet.cpu_beside(same), 1.1, "×")]
    if best is not None:
        found.append(verdict(f"{case}: beside the best SQL", licet.wall_beside(best), 2, "×"))
    return found


PLANS_PAGE = """\
# What PostgreSQL does for a filtered list

Printed by `.venv/bin/python benchmarks/filter.py --plans`, from PostgreSQL 18 and the 100,000
speakers, 80,000 sessions and 2,000 events of that benchmark: `EXPLAIN (ANALYZE, COSTS OFF, TIMING
OFF)` of the first 50 ids that a caller may list. One caller submitted 12 sessions, runs 3 events
and moderates 5; the other submitted 16,000 and runs 200.

- AND is a policy of one grant: own & accepted & published.
- OR is a policy of six grants like those of services/open_event; its five alternatives for a
  signed-in caller become a union of limited branches.

What to look for: no sequential scan of speakers, sessions or memberships; for few own sessions the
plan starts from them, for many it walks the speakers in order and stops at 50; every branch of the
union stops early or begins at an index on the caller. The indexes are those of
services/open_event/models.py. An OR that is not put into branches reads the whole table: 22 to 36
ms instead of 3 to 5.
"""


def print_plans(engine: sa.Engine, policies: dict[str, Policy]) -> None:
    print(PLANS_PAGE)
    explain = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) "
    with engine.connect() as connection:
        for kind, policy in policies.items():
            for whose, me in CALLERS.items():
                made = policy.filter(page().with_only_columns(Speaker.id), me)
                sql = made.compile(engine, compile_kwargs={"literal_binds": True})
                print(f"## {kind}, {whose}\n\n```")
                for (line,) in connection.exec_driver_sql(explain + str(sql)):
                    print(line)
                print("```\n")


PLAN_CACHES = {
    "as it comes": {},
    "plan_cache_mode=force_custom_plan": {"options": "-c plan_cache_mode=force_custom_plan"},
    "prepare_threshold=None": {"prepare_threshold": None},
    "plan_cache_mode=force_generic_plan": {"options": "-c plan_cache_mode=force_generic_plan"},
}


def compare_plan_caches(engine: sa.Engine, policies: dict[str, Policy]) -> None:
    """Of one connection, which psycopg prepares statements on from the sixth time on."""
    print(f"{'ms':40}" + "".join(f"{f'{k}, {w}':>20}" for k in policies for w in CALLERS))
    for name, arguments in PLAN_CACHES.items():
        times = []
        with connected(engine.url, arguments) as other:
            for policy in policies.values():
                calls = {whose: loading(other, by(policy), me) for whose, me in CALLERS.items()}
                for call in [*calls.values()] * 8:
                    call()
                times += [found.wall / 1000 for found in in_turns(calls, 9).values()]
        print(f"{name:40}" + "".join(f"{wall:20.2f}" for wall in times))


@contextmanager
def connected(url: sa.URL, arguments: dict[str, Any]) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, connect_args=arguments, pool_size=1)
    yield engine
    engine.dispose()


if __name__ == "__main__":
    main()
