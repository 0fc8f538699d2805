"""CPU time of the three busiest requests of services/open_event, beside bare Flask.

    make bench                       # or: .venv/bin/python benchmarks/open_event.py --rounds 25

The page of an event by its identifier, its schedule (sessions with speakers, tracks and rooms
included), and a change of a session by an organizer. Bare Flask is a view that gives the very same
bytes; it reads no database, checks no token and asks no policy, so that it is a floor and no rival.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import tempfile
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response

from _conference import ROOT
from _rounds import in_turns
from licet.authn import embedded_issuer

assert ROOT  # where services lies
from services.open_event.app import create_app  # noqa: E402 - found by `_conference`

TYPE = "application/vnd.api+json"
SCHEDULE = "/v1/events/1/sessions?include=speakers,track,microlocation&sort=starts-at&page[size]=50"


def requests_of(client: Any, headers: dict[str, str]) -> dict[str, Callable[[], Any]]:
    numbers = iter(range(10**9))

    def change() -> Any:
        attributes = {"comments": f"number {next(numbers)}"}
        data = json.dumps({"data": {"type": "session", "id": "3", "attributes": attributes}})
        return client.patch("/v1/sessions/3", data=data, content_type=TYPE, headers=headers)

    return {
        "event": lambda: client.get("/v1/events/1cafe000"),
        "schedule": lambda: client.get(SCHEDULE),
        "change of a session": change,
    }


def bare(body: bytes) -> Callable[[], Any]:
    app = Flask("bare")
    app.add_url_rule("/", view_func=lambda: Response(body, content_type=TYPE))
    client = app.test_client()
    return lambda: client.get("/")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=25)
    rounds = arguments.parse_args().rounds
    logging.disable(logging.WARNING)
    print(f"CPU µs a request, medians of {rounds} rounds")
    print(f"Python {platform.python_version()}, SQLAlchemy {sa.__version__}, SQLite")
    app = create_app({"LICET_INSTANCE_PATH": tempfile.mkdtemp()})
    headers = {"Authorization": f"Bearer {embedded_issuer(app).mint('owner', [])}"}
    for name, ask in requests_of(app.test_client(), headers).items():
        answer = ask()
        assert answer.status_code == 200, answer.text
        found = in_turns({"bare Flask": bare(answer.data), "service": ask}, rounds, seconds=0.1)
        floor = found["bare Flask"]
        print(
            f"  {name:22}{found['service'].cpu:9.1f}  bare Flask {floor.cpu:7.1f}"
            f"{found['service'].cpu_beside(floor):8.1f} ×  {len(answer.data):,} bytes"
        )


if __name__ == "__main__":
    main()
