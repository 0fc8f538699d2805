"""CPU time of a decision about a loaded object: by hand (the floor), licet, and its rivals.

    make bench                       # or: .venv/bin/python benchmarks/decision.py --rounds 25

May this caller update this speaker: one of the speaker's talks is the caller's own, one is
accepted, and the event is published. The objects are SQLAlchemy's, with their related rows loaded.
All run in one process and take turns. The rivals are in a folder of their own, made at the first
run:

- rules (django-rules): predicates joined by &, in its registry
- pycasbin: one policy line, and a matcher that calls the same three functions
- cedarpy: the policy parsed before, the object handed over as JSON each time

The claims: at most 1.5 µs with two related rows, 2 µs when denied, no more than linear beyond, at
most 25 µs with the tree that explains it, and as fast with 110,000 grants in the database as with
1,100.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import selectinload

import _decision_rivals as rivals
from _conference import (
    Base,
    Caller,
    Event,
    EventRole,
    EventState,
    Membership,
    Session,
    SessionState,
    Speaker,
)
from _decision_rivals import SHOWN, Decide, by_hand, by_hand_loops
from _rounds import Times, in_turns, verdict
from licet.authz import UPDATE, Policy, attr, caller, everyone

ME, STRANGER = 5, 6
MEMBERS = 11  # of each event
FLOOR = "by hand, loops"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=25)
    arguments.add_argument("--no-rivals", action="store_true")
    options = arguments.parse_args()
    has_rivals = not options.no_rivals
    shown = ["sqlalchemy", *(("rules", "casbin", "cedarpy") if has_rivals else ())]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in shown)
    print(f"CPU µs a decision, medians of {options.rounds} rounds")
    print(f"Python {platform.python_version()}, {versions}")
    claims = [
        *one_decision(options.rounds, has_rivals=has_rivals),
        *by_related_rows(options.rounds),
        *by_grants(options.rounds, has_rivals=has_rivals),
    ]
    print("\n" + "\n".join(claims))


def one_decision(rounds: int, *, has_rivals: bool) -> list[str]:
    policy, me, stranger = own_policy(), Caller(ME), Caller(STRANGER)
    deciders: dict[str, Decide] = {
        "by hand, any()": by_hand,
        FLOOR: by_hand_loops,
        "licet, allowed": lambda who, speaker: policy.decide(who, UPDATE, speaker),
        **(rivals.all_of_them() if has_rivals else {}),
    }
    with conference(talks=1) as speaker:
        for name, decide in deciders.items():
            require(name, allowed=decide(me, speaker), denied=decide(stranger, speaker))
        contestants = {name: bound(decide, me, speaker) for name, decide in deciders.items()}
        contestants["licet, denied"] = lambda: policy.decide(stranger, UPDATE, speaker)
        contestants["licet, denied, with the reason"] = lambda: (
            policy.decide(stranger, UPDATE, speaker).reason
        )
        contestants["licet, tree of why"] = lambda: policy.explain(me, UPDATE, speaker)
        found = in_turns(contestants, rounds)
    print("\nown & accepted & published, 2 related rows")
    for name, times in found.items():
        print(f"  {name:34}{times.cpu:9.2f}{times.cpu / found[FLOOR].cpu:9.2f} ×")
    return [
        verdict("licet, allowed", found["licet, allowed"].cpu, 1.5, "µs"),
        verdict("licet, denied", found["licet, denied"].cpu, 2, "µs"),
        verdict("licet, tree of why", found["licet, tree of why"].cpu, 25, "µs"),
    ]


def by_related_rows(rounds: int) -> list[str]:
    """Only the last talk is the caller's own and accepted, so that every row is read twice."""
    policy, me, sizes = own_policy(), Caller(ME), (2, 20, 200)
    contestants: dict[tuple[str, int], Callable[[], Any]] = {}
    with ExitStack() as stack:
        for size in sizes:
            speaker = stack.enter_context(conference(talks=size - 1))
            contestants["hand", size] = bound(by_hand_loops, me, speaker)
            contestants["licet", size] = bound(
                lambda who, it: policy.decide(who, UPDATE, it), me, speaker
            )
        found = in_turns(contestants, rounds)
    print(f"\n{'related rows':20}{'by hand':>10}{'licet':>10}{'a row':>10}")
    for size in sizes:
        hand, licet = found["hand", size].cpu, found["licet", size].cpu
        print(f"{size:12}{'':8}{hand:10.2f}{licet:10.2f}{licet / size:10.3f}")
    few, some, many = ([cpu for cpu, _ in found["licet", size].rounds] for size in sizes)
    ratio = statistics.median(
        ((c - b) / (sizes[2] - sizes[1])) / ((b - a) / (sizes[1] - sizes[0]))
        for a, b, c in zip(few, some, many, strict=True)
    )
    return [verdict("licet, a row from 20 to 200 beside one from 2 to 20", ratio, 1.15, "×")]


def by_grants(rounds: int, *, has_rivals: bool) -> list[str]:
    """Who runs an event may update its speakers; the event has 11 of the memberships."""
    policy, sizes = membership_policy(), (1_100, 11_000, 110_000)
    contestants: dict[tuple[str, int], Callable[[], Any]] = {}
    with ExitStack() as stack:
        for size in sizes:
            engine, speaker = stack.enter_context(members(size))
            me = Caller(speaker.event.memberships[-1].account_id)
            denied = policy.decide(Caller(0), UPDATE, speaker)
            require("licet", allowed=policy.decide(me, UPDATE, speaker), denied=denied)
            contestants["decide", size] = bound(
                lambda who, it: policy.decide(who, UPDATE, it), me, speaker
            )
            contestants["load", size] = bound(
                lambda who, _, engine=engine: load_and_decide(engine, policy, who), me, speaker
            )
        found = in_turns(contestants, rounds)
    print(f"\n{'grants':20}{'licet':>10}{'and load':>10}{'pycasbin':>10}{'its FastEnforcer':>18}")
    for size in sizes:
        row = f"{found['decide', size].cpu:10.2f}{found['load', size].cpu:10.0f}"
        if has_rivals:
            rival = casbin_by_grants(size, min(rounds, 5))
            row += f"{rival['Enforcer'].cpu:10.0f}{rival['FastEnforcer'].cpu:18.0f}"
        print(f"{size:12,}{'':8}{row}")
    ratio = found["decide", sizes[-1]].cpu_beside(found["decide", sizes[0]])
    return [verdict("licet, 110,000 grants beside 1,100", ratio, 1.1, "×")]


def casbin_by_grants(size: int, rounds: int) -> dict[str, Times]:
    """As many grants as lines in its memory, of which the caller's is the last."""
    lines = [(f"account{n}", f"event{n // MEMBERS}", "update") for n in range(size)]
    contestants = {}
    for kind in ("Enforcer", "FastEnforcer"):
        enforcer = rivals.casbin_enforcer("r.sub == p.sub && r.obj == p.obj", kind)
        enforcer.add_policies(lines)
        denied = enforcer.enforce("account0", lines[-1][1], "update")
        require(kind, allowed=enforcer.enforce(*lines[-1]), denied=denied)
        contestants[kind] = lambda enforcer=enforcer: enforcer.enforce(*lines[-1])
    return in_turns(contestants, rounds)


# --- policies and objects ------------------------------------------------------------------------


def own_policy() -> Policy:
    own = attr("sessions").any(attr("creator_id") == caller.account_id)
    accepted = attr("sessions").any(attr("state").in_(SHOWN))
    published = attr("event.state") == EventState.PUBLISHED
    policy = Policy(Speaker)
    policy.allow(everyone, UPDATE, when=own & accepted & published)
    return policy.build()


def membership_policy() -> Policy:
    access = (EventRole.OWNER, EventRole.ORGANIZER, EventRole.COORGANIZER)
    mine = (attr("account_id") == caller.account_id) & attr("role").in_(access)
    policy = Policy(Speaker)
    policy.allow(everyone, UPDATE, when=attr("event.memberships").any(mine))
    return policy.build()


@contextmanager
def conference(talks: int) -> Iterator[Speaker]:
    """A speaker with an event and talks, all loaded; the last talk is the caller's and accepted."""
    with database() as engine, OrmSession(engine) as session:
        event = Event(name="PyCon", state=EventState.PUBLISHED)
        other = {"event": event, "title": "Other", "state": SessionState.PENDING}
        sessions = [Session(creator_id=STRANGER + n, **other) for n in range(1, talks)]
        mine = {"creator_id": ME, "state": SessionState.CONFIRMED}
        sessions.append(Session(**{**other, **mine}))
        session.add(Speaker(event=event, name="Ann", sessions=sessions))
        session.commit()
        related = (selectinload(Speaker.event), selectinload(Speaker.sessions))
        yield session.scalars(sa.select(Speaker).options(*related)).one()


@contextmanager
def members(size: int) -> Iterator[tuple[sa.Engine, Speaker]]:
    """That many memberships in a database, and the speaker of the last event, loaded."""
    events = [{"name": "PyCon", "state": EventState.PUBLISHED}] * (size // MEMBERS)
    memberships = [
        {"event_id": 1 + n // MEMBERS, "account_id": n + 1, "role": EventRole.ORGANIZER}
        for n in range(size)
    ]
    with database() as engine:
        with engine.begin() as connection:
            connection.execute(sa.insert(Event), events)
            connection.execute(sa.insert(Membership), memberships)
            connection.execute(sa.insert(Speaker), [{"event_id": len(events), "name": "Ann"}])
        with OrmSession(engine) as session:
            yield engine, load(session)


@contextmanager
def database() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def load_and_decide(engine: sa.Engine, policy: Policy, me: Caller) -> object:
    with OrmSession(engine) as session:
        return policy.decide(me, UPDATE, load(session))


def load(session: OrmSession) -> Speaker:
    related = selectinload(Speaker.event).selectinload(Event.memberships)
    return session.scalars(sa.select(Speaker).where(Speaker.id == 1).options(related)).one()


def bound(decide: Decide, me: Caller, speaker: Speaker) -> Callable[[], Any]:
    return lambda: decide(me, speaker)


def require(name: str, *, allowed: object, denied: object) -> None:
    if not allowed or denied:
        raise SystemExit(f"{name} decides wrongly, so its time says nothing.")


if __name__ == "__main__":
    main()
