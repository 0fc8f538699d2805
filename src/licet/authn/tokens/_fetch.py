"""JSON documents of an OpenID provider, fetched with every limit that there is.

Source: OpenID Connect Discovery 1.0 section 4 (metadata over TLS).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import httpx2

from licet.errors import ConfigurationError

__all__ = [
    "PAST_PROXIES",
    "JSONFetcher",
    "ProviderUnusable",
    "bounded_body",
    "checked_issuer",
    "is_safe_to_fetch",
]

TIMEOUT_SECONDS: Final = 5.0
MAX_BYTES: Final = 256 * 1024
_MAX_REDIRECTS: Final = 3
# A proxy of the environment gets nothing that is for this machine: plain HTTP is allowed there.
PAST_PROXIES: Final[Mapping[str, None]] = {
    f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")
}
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class ProviderUnusable(Exception):
    """The provider does not answer, or not with what it should."""


def checked_issuer(issuer: str, *, allow_http: bool) -> httpx2.URL:
    """The issuer as a URL.

    Raises:
        ConfigurationError: it cannot be an issuer, or its documents would come over plain http.
    """
    try:
        url = httpx2.URL(issuer)
    except (httpx2.InvalidURL, TypeError) as error:
        raise ConfigurationError(f"The issuer {issuer!r} is not a URL.") from error
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ConfigurationError(
            f"The issuer {issuer!r} is not an https URL without query and fragment."
        )
    if url.userinfo:
        raise ConfigurationError("The issuer's URL has a password in it: an issuer has none.")
    if not is_safe_to_fetch(url, allow_http=allow_http):
        raise ConfigurationError(
            f"The issuer {issuer!r} is not on this machine and has no https: whoever is on the "
            "way could sign tokens. Use https, or pass allow_http=True on a network you trust."
        )
    return url


def is_safe_to_fetch(url: httpx2.URL, *, allow_http: bool) -> bool:
    """Whether nobody on the way can change what is fetched, or the operator vouches for that."""
    is_plain = url.scheme == "http"
    return url.scheme == "https" or (is_plain and (allow_http or _is_loopback(url.host)))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class JSONFetcher:
    """Gets JSON objects over HTTP, within 5 s and 256 KiB each.

    Redirects are followed within one scheme, host and port only: whoever can redirect must not
    choose who answers.
    """

    def __init__(
        self,
        *,
        transport: httpx2.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx2.Client(
            transport=transport,
            mounts=PAST_PROXIES,
            headers=_HEADERS,
            timeout=TIMEOUT_SECONDS,
            # An idle connection would outlive its use, and a fork would share it.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        self._monotonic = monotonic

    def get(self, url: httpx2.URL) -> dict[str, Any]:
        """The JSON object at `url`.

        Raises:
            ProviderUnusable: for whatever reason it cannot be had; the text says which.
        """
        deadline = self._monotonic() + TIMEOUT_SECONDS
        try:
            found = json.loads(self._get_bytes(url, deadline))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderUnusable(f"{url} does not answer: {type(error).__name__}") from error
        except (ValueError, RecursionError) as error:
            raise ProviderUnusable(f"{url} holds no JSON") from error
        if not isinstance(found, dict):
            raise ProviderUnusable(f"{url} holds no JSON object")
        return found

    def _get_bytes(self, url: httpx2.URL, deadline: float) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            with self._http.stream("GET", url) as response:
                if response.next_request is None:
                    return self._body(response, deadline)
                target = response.next_request.url
                if _origin(target) != _origin(url):
                    raise ProviderUnusable(f"{url} redirects to another host")
                url = target
        raise ProviderUnusable(f"{url} redirects without end")

    def _body(self, response: httpx2.Response, deadline: float) -> bytes:
        if response.status_code != 200:
            raise ProviderUnusable(f"{response.url} answers {response.status_code}")
        return bounded_body(response, deadline, self._monotonic)


def bounded_body(
    response: httpx2.Response, deadline: float, monotonic: Callable[[], float] = time.monotonic
) -> bytes:
    """The body of a response that is read as it comes.

    Raises:
        ProviderUnusable: it is compressed, longer than 256 KiB, or not there by the deadline.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ProviderUnusable(f"{response.url} is compressed, though that was not asked for")
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ProviderUnusable(f"{response.url} is longer than {MAX_BYTES} bytes")
        if monotonic() > deadline:
            raise ProviderUnusable(f"{response.url} takes longer than {TIMEOUT_SECONDS:.0f} s")
    return body


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
