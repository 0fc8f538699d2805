"""The store under several processes: what threads of one process cannot show."""

import json
import subprocess
import sys

import pytest

from licet.db.engine import Database

SUBMIT = """
import json, sys
from licet.actions.store.actions import ActionStore
from licet.db.engine import Database
from tests.unit.actions.making import make_request, make_status

database = Database(sys.argv[1])
store = ActionStore("unit", lambda: database)
store.get("warm up")
print("ready", flush=True)
sys.stdin.readline()
found = [store.submit(make_request(f"r-{n}"), make_status()) for n in range(20)]
print(json.dumps([[s.status.action_id, s.created] for s in found]))
"""


@pytest.fixture
def processes(database: Database):
    url = database.url.render_as_string(hide_password=False)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMIT, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    yield started
    for process in started:
        process.communicate(timeout=30)


def test_processes_agree_on_one_action(processes: list["subprocess.Popen[str]"]):
    """Several processes that submit the same requests at once create each action once."""
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(process.stdout.readline()) for process in processes]
    for submissions in zip(*answers, strict=True):
        assert len({action_id for action_id, _ in submissions}) == 1
        assert sum(created for _, created in submissions) == 1
