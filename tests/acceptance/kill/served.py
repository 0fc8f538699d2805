"""The program that real servers run while they are told to stop, with the default declaration.

Its handlers use executors, which Python closes as a process ends. Whatever a step does goes to a
journal, a file that is only appended to. The handlers `pool` and `loop` go on until the file
``gate`` is there: a server that stops gives them back, and they end in the next process.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask import Flask

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription, RunningAction

SCOPE = "https://example.org/scopes/served"
FOLDER_VARIABLE = "SERVED_FOLDER"
STOP_SECONDS = 1
THREADS = 6
STEP_SECONDS = 0.1


def create_app(**config: Any) -> Flask:
    """An app with a provider for each kind of handler: ``steps``, ``pool`` and ``loop``."""
    app = Flask(__name__)
    app.config.update(
        LICET_INSTANCE_PATH=os.environ[FOLDER_VARIABLE],
        LICET_STOP_SECONDS=STOP_SECONDS,
        LICET_WORKER_THREADS=THREADS,
    )
    app.config.update(config)
    Licet(app)
    for handler in (steps, pool, loop):
        blueprint = ActionProviderBlueprint(
            handler.__name__,
            __name__,
            url_prefix=f"/{handler.__name__}",
            provider_description=ActionProviderDescription(
                globus_auth_scope=SCOPE,
                title=handler.__name__,
                admin_contact="nobody@example.org",
                synchronous=False,
                input_schema={"type": "object"},
            ),
        )
        blueprint.durable()(handler)
        app.register_blueprint(blueprint)
    return app


def steps(action: RunningAction, body: dict[str, Any]) -> dict[str, Any]:
    """Steps that each use an executor."""

    def step(n: int) -> int:
        write(action, "begin", n)
        seconds = STEP_SECONDS if is_gate_closed() else 0.0
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(lambda _: time.sleep(seconds), range(2)))
        write(action, "end", n)
        return n

    return {"steps": [action.step(f"step-{n}", step, n) for n in range(body["steps"])]}


def pool(action: RunningAction, body: dict[str, Any]) -> dict[str, Any]:
    """An executor for each piece of work, and no steps."""
    while is_held(action):
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(lambda _: time.sleep(STEP_SECONDS / 2), range(2)))
    return {"steps": []}


def loop(action: RunningAction, body: dict[str, Any]) -> dict[str, Any]:
    """The executor of an event loop, and no steps."""
    while is_held(action):
        asyncio.run(asyncio.to_thread(time.sleep, STEP_SECONDS / 2))
    return {"steps": []}


def is_held(action: RunningAction) -> bool:
    """Whether the handler is to go on."""
    action.raise_if_cancelled()
    return is_gate_closed()


def is_gate_closed() -> bool:
    """Whether all work takes its time."""
    return not (Path(os.environ[FOLDER_VARIABLE]) / "gate").exists()


def write(action: RunningAction, what: str, n: int) -> None:
    """Append one line to the journal, which no other process's lines can mix with."""
    line = json.dumps([what, action.action_id, n, os.getpid(), time.time()]) + "\n"
    journal = Path(os.environ[FOLDER_VARIABLE]) / "journal"
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)
