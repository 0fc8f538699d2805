"""The program under test: durable actions that write down what they do, and die when told.

Whatever a step does goes to a journal, a file that is only appended to, so that a test can count
what was done against what was stored. A file in the folder of orders that is named for a point has
the process that reaches the point first kill or freeze itself there.

Runs as ``licet --app tests.acceptance.kill.program:create_app``, in the folder that
``KILL_FOLDER`` names.
"""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription, RunningAction
from licet.actions.durable.store.runs import Runs
from licet.actions.lifecycle import Phase
from licet.actions.store.actions import ActionStore

FOLDER = Path(os.environ["KILL_FOLDER"])
ORDERS = FOLDER / "orders"
JOURNAL = FOLDER / "journal"
GATE_SECONDS = 60


def create_app() -> Flask:
    """An app with two providers: ``work``, and ``single`` of which one runs at once."""
    signal.alarm(int(os.environ["KILL_LIFETIME_SECONDS"]))  # no process outlives its test for long
    app = Flask(__name__)
    licet = Licet(app)
    options = json.loads(os.environ["KILL_OPTIONS"])  # else as a plain ``@durable()`` has them
    for name, concurrency in (("work", None), ("single", 1)):
        blueprint = ActionProviderBlueprint(
            name,
            __name__,
            url_prefix=f"/{name}",
            provider_description=ActionProviderDescription(
                globus_auth_scope=f"https://example.org/scopes/{name}",
                title=name,
                admin_contact="nobody@example.org",
                synchronous=False,
                input_schema={"type": "object"},
            ),
        )
        blueprint.durable(**options, **handlers(), concurrency=concurrency)(work)
        app.register_blueprint(blueprint)
    licet.protect(app)
    return app


def work(action: RunningAction, body: dict[str, Any]) -> dict[str, Any]:
    """As many steps as asked for, each as long as asked for; their results are the result."""
    if body.get("hangs"):
        wait_for_gate(FOLDER / body["gate"])
    way = WAYS[body.get("way", "plain")]
    return {"steps": way(action, step_numbers(body.get("steps", 2)), body)}


def step_numbers(count: int) -> list[int]:
    """The steps in this program's order: ``KILL_ORDER`` has another one."""
    numbers = list(range(count))
    return numbers[::-1] if os.environ.get("KILL_ORDER") == "backwards" else numbers


def plain(action: RunningAction, numbers: list[int], body: dict[str, Any]) -> list[Any]:
    """One step after the other."""
    made = {n: action.step(f"step-{n}", run_step, action.action_id, n, body) for n in numbers}
    return [made[n] for n in sorted(made)]


def in_parallel(action: RunningAction, numbers: list[int], body: dict[str, Any]) -> list[Any]:
    """All at once."""
    return action.parallel(
        [action.call(f"step-{n}", run_step, action.action_id, n, body) for n in numbers]
    )


def by_executor(action: RunningAction, numbers: list[int], body: dict[str, Any]) -> list[Any]:
    """Each step by an executor's thread."""
    with ThreadPoolExecutor(2) as pool:

        def run(n: int) -> Any:
            return pool.submit(run_step, action.action_id, n, body).result()

        return [action.step(f"step-{n}", run, n) for n in numbers]


def with_session(action: RunningAction, numbers: list[int], body: dict[str, Any]) -> list[Any]:
    """Each step commits a row of the app's own to the database that the actions are in."""
    with Session(own_engine()) as session:

        def run(n: int) -> Any:
            session.execute(INSERT_OWN, {"action_id": action.action_id, "n": n})
            session.flush()
            result = run_step(action.action_id, n, body)
            session.commit()
            return result

        made = []
        for n in numbers:
            made.append(action.step(f"step-{n}", run, n))
            session.execute(sa.text("SELECT count(*) FROM kill_own")).all()  # it stays open
        return made


INSERT_OWN = sa.text("INSERT INTO kill_own (action_id, n) VALUES (:action_id, :n)")
WAYS: dict[str, Callable[..., list[Any]]] = {
    "plain": plain,
    "parallel": in_parallel,
    "executor": by_executor,
    "session": with_session,
}


@lru_cache(maxsize=1)
def own_engine() -> sa.Engine:
    """The app's own engine."""
    return sa.create_engine(os.environ["LICET_DATABASE_URL"])


def handlers() -> dict[str, Any]:
    """The version of the program, and older handlers that it keeps, for ``durable``."""
    version = int(os.environ.get("KILL_VERSION", "1"))
    if version == 1:
        return {}
    keeps = os.environ.get("KILL_KEEPS_OLD") == "true"
    return {"version": version, "versions": {1: old_work} if keeps else {}}


def old_work(action: RunningAction, body: dict[str, Any]) -> dict[str, Any]:
    """The handler of the version before, whose steps were in the other order."""
    numbers = list(range(body.get("steps", 2)))
    return {"steps": plain(action, numbers, body)}


def run_step(action_id: str, n: int, body: dict[str, Any]) -> dict[str, Any]:
    """Something that happens outside licet, and a result that no other execution has."""
    write_down("begin", action_id, n)
    if body.get("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    reached("in a step")
    time.sleep(body.get("seconds", 0.0))  # the work
    if "gate" in body:
        wait_for_gate(FOLDER / body["gate"])
    write_down("end", action_id, n)
    return {"n": n, "token": uuid.uuid4().hex}


def wait_for_gate(gate: Path) -> None:
    """Until the test makes the file."""
    give_up_at = time.monotonic() + GATE_SECONDS
    while not gate.exists() and time.monotonic() < give_up_at:
        time.sleep(0.01)


def write_down(what: str, action_id: str, n: int) -> None:
    """Append one line, which no other process's lines can mix with."""
    line = json.dumps([what, action_id, n, os.getpid(), time.time()]) + "\n"
    file = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)


def reached(point: str) -> None:
    """Die or freeze here if somebody ordered it, the first process that comes by."""
    order = ORDERS / point
    try:
        name = order.read_text()  # before the test sees that it is taken, and removes it
        order.rename(ORDERS / f"{point}.{os.getpid()}.taken")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(0.2)  # another thread may get the signal, and this one would go on for a moment


def _before(owner: type, name: str, point: Callable[..., str | None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        if found := point(*args, **kwargs):
            reached(found)
        return original(*args, **kwargs)

    setattr(owner, name, method)


def _after(owner: type, name: str, point: str) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if result or result is None or point == "after the finish":  # which returns what was lost
            reached(point)
        return result

    setattr(owner, name, method)


def _finishing(_runs: Runs, moves: Any) -> str | None:
    ends = any(move.life.phase is Phase.ENDED for move in moves)
    return "before the finish" if ends else None


_after(Runs, "_claimed", "after the claim")
_before(Runs, "add_step", lambda *_: "before a step is stored")
_after(Runs, "add_step", "between steps")
_before(Runs, "move_all", _finishing)
_after(Runs, "move_all", "after the finish")
_before(Runs, "change", lambda *_, **__: "before the sweeper's change")
_after(Runs, "change", "after the sweeper's change")
_after(ActionStore, "submit_durable", "after the insert")
