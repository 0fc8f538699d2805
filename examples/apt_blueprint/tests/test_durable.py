"""The durable actions of apt_blueprint, run here and now."""

from pathlib import Path
from typing import Any

import pytest
from examples.apt_blueprint.app import create_app
from flask import Flask

from licet.authn import embedded_issuer
from licet.testing import run_pending

SCOPES = [f"https://licet.example/scopes/{name}" for name in ("count", "letter")]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("LICET_INSTANCE_PATH", str(tmp_path))
    monkeypatch.setenv("LICET_WORKER_THREADS", "0")
    return create_app()


@pytest.fixture
def ask(app: Flask) -> Any:
    """A function that asks as alice."""
    client = app.test_client()
    token = embedded_issuer(app).mint("alice", SCOPES)

    def ask(method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return client.open(path, method=method, headers=headers, **options).json

    return ask


def run(ask: Any, provider: str, body: dict[str, Any]) -> str:
    found = ask("POST", f"/{provider}/run", json={"request_id": "r", "body": body})
    return str(found["action_id"])


def test_a_count(app: Flask, ask: Any):
    """It counts as far as asked, tells its progress, and keeps a log."""
    action_id = run(ask, "count", {"to": 25, "seconds_each": 0})
    assert run_pending(app) == 1
    found = ask("GET", f"/count/{action_id}/status")
    assert (found["status"], found["details"]) == ("SUCCEEDED", {"counted": 25})
    entries = ask("GET", f"/count/{action_id}/log")["entries"]
    assert [entry["description"] for entry in entries] == ["up to 10", "up to 20", "up to 25"]


def test_a_cancelled_count(app: Flask, ask: Any):
    """One that was not begun is over at once."""
    action_id = run(ask, "count", {"to": 25})
    assert ask("POST", f"/count/{action_id}/cancel")["details"]["code"] == "Cancelled"
    assert run_pending(app) == 0


def test_a_letter(app: Flask, ask: Any):
    """It waits for its author, and goes when they have agreed."""
    action_id = run(ask, "letter", {"to": "Ada", "text": "Dear Ada"})
    run_pending(app)
    found = ask("GET", f"/letter/{action_id}/status")
    assert (found["status"], found["details"]["code"]) == ("INACTIVE", "ConsentRequired")
    assert found["details"]["resolution_url"] == f"/letter/{action_id}/resume"
    assert ask("POST", f"/letter/{action_id}/resume")["status"] == "ACTIVE"
    run_pending(app)
    found = ask("GET", f"/letter/{action_id}/status")
    assert found["details"] == {"sent": "8 characters for Ada"}


def test_a_letter_to_nobody(app: Flask, ask: Any):
    """Its failure says why."""
    action_id = run(ask, "letter", {"to": "ada@example.org", "text": "Dear Ada"})
    run_pending(app)
    ask("POST", f"/letter/{action_id}/resume")
    run_pending(app)
    assert ask("GET", f"/letter/{action_id}/status")["details"]["code"] == "NoSuchPerson"
