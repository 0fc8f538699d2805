"""Which hosts are this machine."""

import pytest

from licet.wire.loopback import is_loopback, loopback_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost", "localhost"),
        ("localhost.", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.255.3.4", "127.255.3.4"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("::ffff:7f01:203", "::ffff:7f01:203"),
        ("0.0.0.0", "0.0.0.0"),
        ("0", "0.0.0.0"),
        ("::", "::"),
    ],
)
def test_this_machine(host, name):
    """Every spelling that stays here, and how it is reached without a name server."""
    assert is_loopback(host)
    assert loopback_name(host) in (name, name.replace("7f00:1", "127.0.0.1"))


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "example.org",
        "localhost.example.org",
        "app.localhost",
        "localhost..",
        "xlocalhost",
        "127.0.0.1.example.org",
        "127.0.0.256",
        "128.0.0.1",
        "1.127.0.0",
        "126.255.255.255",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "::2",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1",
        "0x80000000",
        "4294967296",
        "127.0.0.1 x",
        "１２７.0.0.1",
        "loca1host",
        "ip6-localhost",
    ],
)
def test_other_machines(host):
    """What a name server or a router may send elsewhere is not this machine."""
    assert not is_loopback(host)
