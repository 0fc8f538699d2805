"""A provider's metadata are asked for seldom, and used through an outage."""

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
