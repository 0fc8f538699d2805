"""Which hosts are this machine: the one answer for what may be plain HTTP, and for proxies.

Source: RFC 1122 section 3.2.1.3, RFC 4291 section 2.5, RFC 6761 section 6.3.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

__all__ = ["is_loopback", "loopback_name"]

_LOCALHOST: Final = "localhost"
_PART: Final = r"(?:0x[0-9a-f]*|[0-9]+)"
_SHORT_FORM: Final = re.compile(rf"{_PART}(?:\.{_PART}){{0,3}}")


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine."""
    return loopback_name(host) is not None


def loopback_name(host: str) -> str | None:
    """The name or address by which `host` is reached, if it is this machine; else None.

    That is ``localhost``, with or without a dot at its end (which is taken away, since with it some
    resolvers ask a name server); any address of 127.0.0.0/8, in the short and hexadecimal forms
    that the system takes, too; ``::1``; these as IPv6 addresses that stand for IPv4 ones; and the
    unspecified addresses, which the system takes for this machine.
    Names below ``localhost.`` are not among them: many systems ask a name server about those.
    """
    name = host.strip("[]").removesuffix(".").lower()
    if name == _LOCALHOST:
        return name
    address = _address_of(name)
    if address is None:
        return None
    meant = getattr(address, "ipv4_mapped", None) or address
    return str(address) if meant.is_loopback or meant.is_unspecified else None


def _address_of(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return _short_form(name)


def _short_form(name: str) -> IPv4Address | None:
    """The address that the system's resolver makes of such as ``127.1`` and ``0x7f000001``."""
    if not _SHORT_FORM.fullmatch(name):
        return None
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
