"""Attempts by network address, counted in a real Valkey for all processes together."""

import logging
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from tests.unit.actions.serving import unused_port
from tests.unit.authn.made_tokens import Clock
from tests.unit.authn.test_throttle import tries
from tests.valkey import temporary_valkey

from licet.authn.accounts.flask import accounts_of
from licet.authn.shared_counts import SharedCounts
from licet.authn.throttle import AddressThrottle, CountsUnavailable, Limit, Limits
from licet.errors import ConfigurationError

LOGGER = "licet.authn.shared_counts"
ADDRESS = "192.0.2.1"


@pytest.fixture
def valkey(tmp_path):
    with temporary_valkey(tmp_path / "valkey") as url:
        yield url


def throttle(url, **options):
    """What one process counts with."""
    return AddressThrottle(shared=SharedCounts(url, **options))


def test_processes_share_their_counts(valkey):
    """What one counts is one less for the others, with addresses and kinds apart."""
    one, other = throttle(valkey), throttle(valkey)
    assert (tries(one, ADDRESS), tries(other, ADDRESS), tries(one, ADDRESS)) == (1, 1, 0)
    assert tries(other, ADDRESS, "192.0.2.2", ADDRESS) == 1
    assert tries(other, *[ADDRESS] * 3, kind="mail") == 2


def test_how_long_to_wait(valkey):
    """The seconds that are left of the window are told."""
    counts = SharedCounts(valkey)
    assert [counts.tally("key", 2, 60) for _ in range(2)] == [None, None]
    assert 55 < counts.tally("key", 2, 60) <= 61


def test_the_window_ends(valkey):
    """After its seconds counting begins anew."""
    counts = SharedCounts(valkey)
    assert counts.tally("key", 1, 1) is None
    assert counts.tally("key", 1, 1) == 1
    give_up_at = time.monotonic() + 20
    while counts.tally("key", 1, 1) is not None:
        assert time.monotonic() < give_up_at, "it never ended"


def test_at_once(valkey):
    """Of many attempts at once, exactly so many get through."""
    throttles = [throttle(valkey) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        passed = pool.map(lambda one: tries(one, *[ADDRESS] * 5), throttles)
        assert sum(passed) == 2


def test_nobodys_address_is_stored(valkey):
    """The keys are hashes, and all of them end."""
    import redis

    tries(throttle(valkey), ADDRESS)
    with redis.Redis.from_url(valkey) as client:
        [key] = client.keys()
        assert b"192" not in key
        assert 0 < client.ttl(key) <= 60


def test_an_outage(tmp_path, caplog):
    """Each process counts for itself, one line is logged, and afterwards all count together."""
    clock, folder = Clock(), tmp_path / "valkey"
    with temporary_valkey(folder) as url:
        one, other = throttle(url, monotonic=clock), throttle(url, monotonic=clock)
        assert (tries(one, ADDRESS), tries(other, ADDRESS)) == (1, 1)
    with caplog.at_level(logging.INFO, LOGGER):
        # one attempt of each is known to itself, so that another gets through
        assert tries(one, *[ADDRESS] * 5) == tries(other, *[ADDRESS] * 5) == 1
        clock.now += 6
        assert tries(one, *[ADDRESS] * 5) == 0
        assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
        assert ADDRESS not in caplog.text
        caplog.clear()
        clock.now += 6
        with temporary_valkey(folder, port=urlsplit(url).port):
            assert tries(one, *["192.0.2.9"] * 5) == 2
            assert tries(other, *["192.0.2.9"] * 5) == 0
        assert [record.levelname for record in caplog.records] == ["INFO"] * 2


def test_redis_is_not_asked_again_at_once():
    """While it is away, it costs one attempt in five seconds."""
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = SharedCounts(f"redis://127.0.0.1:{silent.getsockname()[1]}", monotonic=clock)
        silent.settimeout(10)
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(CountsUnavailable):
                counts.tally("key", 1, 60)
        assert time.monotonic() - began < 5


def test_sign_in_goes_on_without_redis(make_app):
    """Who signs in is neither answered 5xx nor let try forever."""
    limits = Limits(passwords_by_address=Limit(attempts=2, seconds=60))
    url = f"redis://127.0.0.1:{unused_port()}"
    app = make_app(limits=limits, LICET_THROTTLE_STORAGE_URL=url)
    body = {"email": "ann@example.org", "password": "wrong horse"}
    client = app.test_client()
    asked = [client.post("/auth/session", json=body).status_code for _ in range(4)]
    assert asked == [401, 401, 429, 429]


def test_two_apps_share_their_counts(make_app, valkey):
    """The setting is all that it takes."""
    limits = Limits(passwords_by_address=Limit(attempts=2, seconds=60))
    apps = [make_app(limits=limits, LICET_THROTTLE_STORAGE_URL=valkey) for _ in range(2)]
    body = {"email": "ann@example.org", "password": "wrong horse"}
    statuses = [app.test_client().post("/auth/session", json=body).status_code for app in apps * 2]
    assert statuses == [401, 401, 429, 429]


@pytest.mark.parametrize(
    "url",
    [
        "localhost",
        "memcached://x",
        "redis://h:p%ss@x:port",
        "redis://x:0",
        "redis://x/?socket_timeout=secret",
    ],
)
def test_an_address_that_cannot_be(make_app, url):
    """It is told at the start, without the password that may stand in it."""
    with pytest.raises(ConfigurationError, match="LICET_THROTTLE_STORAGE_URL") as caught:
        make_app(LICET_THROTTLE_STORAGE_URL=url)
    assert "p%ss" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_client_that_is_not_installed(make_app, monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    with pytest.raises(ConfigurationError, match=r"licet\[redis\]"):
        make_app(LICET_THROTTLE_STORAGE_URL="redis://x")


def test_a_password_is_in_no_repr(make_app):
    """Whoever prints the settings prints none."""
    app = make_app(LICET_THROTTLE_STORAGE_URL="redis://:secret@127.0.0.1")
    assert "secret" not in repr(accounts_of(app))
    from licet.settings.state import app_state

    assert "secret" not in repr(app_state(app).settings)
