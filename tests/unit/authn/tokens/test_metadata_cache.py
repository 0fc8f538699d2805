"""A provider's metadata are asked for seldom, and used through an outage."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.unit.authn.made_tokens import NOW, Clock
from tests.unit.authn.provider import DISCOVERY, provided

from licet.authn.tokens.provider_metadata import MetadataCache
from licet.errors import AuthenticationUnavailable, ConfigurationError


@pytest.fixture
def provider():
    with provided() as found:
        yield found


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(provider, clock):
    return MetadataCache(provider.issuer, clock=clock)


def test_they_are_remembered(cache, provider, clock):
    """For five minutes; then they are asked for again."""
    for _ in range(3):
        assert cache.get().issuer == provider.issuer
    assert provider.asked[DISCOVERY] == 1
    clock.now = NOW + 301
    provider.metadata["token_endpoint"] = f"{provider.issuer}/token"
    assert cache.get().token_endpoint.endswith("/token")
    assert provider.asked[DISCOVERY] == 2


def test_an_outage_is_bridged_for_a_day(cache, provider, clock):
    """They are asked for now and then meanwhile."""
    cache.get()
    provider.is_down = True
    for seconds in (301, 303, 307, 86_399):
        clock.now = NOW + seconds
        assert cache.get().issuer == provider.issuer
    assert provider.asked[DISCOVERY] == 4
    clock.now = NOW + 86_401
    with pytest.raises(AuthenticationUnavailable):
        cache.get()


def test_who_is_away_is_not_asked_all_the_time(cache, provider, clock):
    """After an attempt that failed there is a pause of five seconds."""
    provider.is_down = True
    for _ in range(3):
        with pytest.raises(AuthenticationUnavailable):
            cache.get()
    assert provider.asked[DISCOVERY] == 1
    provider.is_down = False
    clock.now = NOW + 6
    assert cache.get().issuer == provider.issuer


def test_the_issuer_is_spelt_the_same(provider, clock):
    """Its tokens would not fit otherwise."""
    with pytest.raises(AuthenticationUnavailable):
        MetadataCache(provider.issuer + "/", clock=clock).get()


def test_an_issuer_that_cannot_be_trusted_is_refused(clock):
    """When it is made."""
    with pytest.raises(ConfigurationError, match="no https"):
        MetadataCache("http://idp.example", clock=clock)


@contextmanager
def hanging(cache, provider):
    """While the provider hangs and one thread asks it; gives a pool for others."""
    provider.go_on.clear()
    before = provider.asked[DISCOVERY]
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(cache.get)
        while provider.asked[DISCOVERY] == before:
            assert not first.done()
        try:
            yield pool
        finally:
            provider.go_on.set()
            first.exception(timeout=10)


def test_a_provider_that_hangs_holds_one_thread(cache, provider, clock):
    """The others go on with what is known, at once."""
    cache.get()
    clock.now = NOW + 301
    with hanging(cache, provider) as pool:
        began = time.monotonic()
        found = list(pool.map(lambda _: cache.get().issuer, range(32)))
        assert time.monotonic() - began < 1
    assert set(found) == {provider.issuer}
    assert provider.asked[DISCOVERY] == 2


def test_nobody_waits_long_for_what_was_never_known(cache, provider):
    """The first second of the fetch, and later callers not at all."""
    with hanging(cache, provider) as pool:
        waiting = [pool.submit(cache.get) for _ in range(8)]
        errors = [one.exception(timeout=5) for one in waiting]
        assert {type(error) for error in errors} == {AuthenticationUnavailable}
        began = time.monotonic()
        with pytest.raises(AuthenticationUnavailable):
            cache.get()
        assert time.monotonic() - began < 0.5
    assert cache.get().issuer == provider.issuer


def test_of_many_who_come_first_one_asks(cache, provider):
    """The others wait for a provider that answers."""
    provider.delay_seconds = 0.1
    start = threading.Barrier(8)

    def first(_):
        start.wait()
        return cache.get().issuer

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(first, range(8))) == {provider.issuer}
    assert provider.asked[DISCOVERY] == 1


def test_nobody_waits_for_a_provider_that_fails(cache, provider, clock):
    """Once an attempt failed, the others are told at once while one tries again."""
    provider.is_down = True
    with pytest.raises(AuthenticationUnavailable):
        cache.get()
    clock.now = NOW + 6
    with hanging(cache, provider) as pool:
        began = time.monotonic()
        errors = [pool.submit(cache.get).exception(timeout=5) for _ in range(8)]
        assert time.monotonic() - began < 0.5
    assert {type(error) for error in errors} == {AuthenticationUnavailable}
