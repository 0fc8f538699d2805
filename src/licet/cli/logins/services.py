"""Which services may be sent a token, and whose.

A token goes to a service only when its owner named that service at `licet login`, and the service
says of itself, at its own origin, that it takes the tokens of that issuer. Either alone is not
enough: anybody can say that they take an issuer's tokens, in the hope of being sent one.

Source: RFC 9728 sections 3 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import httpx2

from licet.authn.tokens._fetch import JSONFetcher, ProviderUnusable, is_safe_to_fetch
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.errors import UsageError

__all__ = ["Service", "find_service", "is_within"]

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a service says of itself: its name, a URL, and whose tokens it takes."""

    resource: str
    issuers: tuple[str, ...]


def find_service(url: str) -> Service:
    """The service that `url` belongs to.

    Raises:
        UsageError: it is no https URL, and none on this machine.
        LoginUnreachable: nothing there says whose tokens it takes.
        LoginRefused: what is there speaks for another origin.
    """
    asked = _checked(url)
    document = _metadata(asked)
    resource, listed = document.get("resource"), document.get("authorization_servers")
    if not isinstance(resource, str) or not is_within(resource, url):
        raise LoginRefused(f"{url} has the metadata of another service, {resource!r}.")
    issuers = listed if isinstance(listed, list) else []
    return Service(resource=resource, issuers=tuple(i for i in issuers if isinstance(i, str)))


def _checked(url: str) -> httpx2.URL:
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL:
        found = httpx2.URL()
    if found.userinfo:
        raise UsageError("The service's URL has a password in it: write it without.")
    if not found.host or not is_safe_to_fetch(found, allow_http=False):
        raise UsageError(f"The service {url!r} needs an https URL: a token goes nowhere else.")
    return found


def _metadata(url: httpx2.URL) -> dict[str, Any]:
    fetcher = JSONFetcher()
    path = url.path.rstrip("/")
    # where the standard has it, where licet has it below a prefix, and at the host's root
    found = dict.fromkeys([WELL_KNOWN + path, path + WELL_KNOWN, WELL_KNOWN])
    reason = None
    for each in found:
        try:
            return fetcher.get(url.copy_with(path=each, query=None, fragment=None))
        except ProviderUnusable as error:
            reason = reason or error
    raise LoginUnreachable(f"{url} does not say whose tokens it takes: {reason}")


def is_within(resource: str, url: str) -> bool:
    """Whether `url` is of the same scheme, host and port, and at or below the resource's path."""
    try:
        whole, part = httpx2.URL(resource), httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    if (whole.scheme, whole.host, whole.port) != (part.scheme, part.host, part.port):
        return False
    path = whole.path.rstrip("/")
    if path and any(segment in (".", "..") for segment in part.path.split("/")):
        return False  # the other side may resolve them
    return part.path == path or part.path.startswith(f"{path}/")
