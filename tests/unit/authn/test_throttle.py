"""How often somebody may try, by network address."""

import pytest
from tests.unit.authn.made_tokens import Clock

from licet.authn.throttle import AddressThrottle, Limit, Limits, throttle_key
from licet.errors import TooManyAttempts

TWICE = Limit(attempts=2, seconds=60)


def tries(throttle, *addresses, kind="password"):
    """How many of these attempts got through."""
    passed = 0
    for address in addresses:
        try:
            throttle.count(kind, address, TWICE)
        except TooManyAttempts:
            continue
        passed += 1
    return passed


def test_so_many_and_no_more():
    """After the last one that is free, all are refused until the time is over."""
    clock = Clock()
    throttle = AddressThrottle(clock=clock)
    assert tries(throttle, *["192.0.2.1"] * 5) == 2
    clock.now += 59
    with pytest.raises(TooManyAttempts) as caught:
        throttle.count("password", "192.0.2.1", TWICE)
    assert caught.value.extra_headers() == {"Retry-After": "1"}
    clock.now += 1
    assert tries(throttle, *["192.0.2.1"] * 5) == 2


def test_kinds_and_addresses_are_counted_apart():
    """What one address does is nothing to another, nor are mails to passwords."""
    throttle = AddressThrottle(clock=Clock())
    assert tries(throttle, *["192.0.2.1"] * 3, *["192.0.2.2"] * 3) == 4
    assert tries(throttle, *["192.0.2.1"] * 3, kind="mail") == 2


@pytest.mark.parametrize(
    ("addresses", "passed"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8::3"], 2),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"], 3),
        (["2001:db8::1", "2001:db8::8000:0:0:1", "2001:db8:0:0:ffff:ffff:ffff:ffff"], 2),
        (["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], 2),
    ],
)
def test_one_caller_in_ipv6_is_a_network(addresses, passed):
    """A /64 is one caller, and an IPv4 address is the same however it is written."""
    assert tries(AddressThrottle(clock=Clock()), *addresses) == passed


@pytest.mark.parametrize("address", ["", "unix:", "nonsense"])
def test_callers_without_an_address_are_counted_together(address):
    """A Unix socket has none; who comes over it may not guess without end."""
    assert tries(AddressThrottle(clock=Clock()), *[address] * 5) == 2


def test_who_comes_over_no_network_is_not_counted():
    """The program itself."""
    assert tries(AddressThrottle(clock=Clock()), *[None] * 5) == 5


def test_the_operator_is_told_when_everybody_has_one_address(caplog):
    """Once: it is the proxy's, which LICET_PROXIES mends; not when there are others."""
    throttle = AddressThrottle(clock=Clock())
    assert tries(throttle, *["127.0.0.1"] * 5) == 2
    assert [message for message in caplog.messages if "LICET_PROXIES" in message] == [
        "Callers are refused since all attempts so far came from one address, 127.0.0.1. Behind a "
        "proxy that is the proxy's: set LICET_PROXIES to how many there are."
    ]
    caplog.clear()
    tries(AddressThrottle(clock=Clock()), "192.0.2.2", *["192.0.2.1"] * 5)
    assert caplog.messages == []


def test_how_often_people_may_try():
    """Passwords and mails, for an account and for a network, in seconds."""
    assert Limits() == Limits(
        passwords=Limit(attempts=10, seconds=900),
        mails=Limit(attempts=5, seconds=3600),
        passwords_by_address=Limit(attempts=100, seconds=900),
        mails_by_address=Limit(attempts=30, seconds=3600),
    )


def test_memory_is_bounded():
    """However many addresses come, ten thousand are remembered."""
    throttle = AddressThrottle(clock=Clock())
    for number in range(10_050):
        throttle.count("mail", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", TWICE)
    assert len(throttle._seen) == 10_000


def test_a_key_tells_nobodys_address():
    """Attempts are counted under a hash, another for each kind."""
    key = throttle_key("mail", "ann@example.org")
    assert len(key) == 64
    assert key != throttle_key("password", "ann@example.org")
