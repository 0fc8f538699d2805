"""Rate limits that all processes share, counted in a real Valkey."""

import pytest
from flask import Flask
from tests.unit.rest.test_limits import served, statuses
from tests.valkey import temporary_valkey

pytest.importorskip("redis")


@pytest.fixture
def valkey(tmp_path):
    with temporary_valkey(tmp_path / "valkey") as url:
        yield url


def process(url, folder):
    """One process of an app that answers three requests a minute."""
    app = Flask("app", instance_path=str(folder))
    return served(app, LICET_RATE_LIMIT="3/minute", LICET_THROTTLE_STORAGE_URL=url)


def test_processes_count_together(valkey, tmp_path):
    """What one answers is one less for the others, and the headers say so."""
    one, other = process(valkey, tmp_path), process(valkey, tmp_path)
    assert one.get("/").headers["RateLimit-Remaining"] == "2"
    assert other.get("/").headers["RateLimit-Remaining"] == "1"
    assert statuses(one, 2) == [200, 429]
    answer = other.get("/")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60


def test_each_counts_for_itself_while_the_store_does_not_answer(tmp_path):
    """Requests are answered, and limited, all the same."""
    client = process("redis://127.0.0.1:1/0", tmp_path)
    assert statuses(client, 5) == [200, 200, 200, 429, 429]
