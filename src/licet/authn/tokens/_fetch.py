"""JSON documents of an OpenID provider, fetched with every limit that there is.

Source: OpenID Connect Discovery 1.0 section 4 (metadata over TLS).
"""

from __future__ import annotations

import time
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, Final

import httpx2

from licet.errors import ConfigurationError
from licet.wire.client import DEADLINE, AnswerRefused, Bounds, make_client
from licet.wire.documents import read_json
from licet.wire.loopback import is_loopback

__all__ = [
    "BAD_URL",
    "JSONFetcher",
    "ProviderUnusable",
    "checked_issuer",
    "is_safe_to_fetch",
]

# What httpx2.URL raises: its own error, and Python's for text that cannot be encoded.
BAD_URL: Final = (httpx2.InvalidURL, TypeError, ValueError)
TIMEOUT_SECONDS: Final = 5.0
_MAX_REDIRECTS: Final = 3


class ProviderUnusable(Exception):
    """The provider does not answer, or not with what it should."""


def checked_issuer(issuer: str, *, allow_http: bool) -> httpx2.URL:
    """The issuer as a URL.

    Raises:
        ConfigurationError: it cannot be an issuer, or its documents would come over plain http.
    """
    try:
        url = httpx2.URL(issuer)
    except BAD_URL as error:
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
    return url.scheme == "https" or (is_plain and (allow_http or is_loopback(url.host)))


class JSONFetcher:
    """Gets JSON objects over HTTP, within 5 s and 256 KiB each, redirects included.

    Redirects are followed within one scheme, host and port only: whoever can redirect must not
    choose who answers.
    """

    def __init__(
        self,
        *,
        transport: httpx2.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # An idle connection would outlive its use, and a fork would share it.
        self._monotonic = monotonic
        self._http = make_client(
            timeout_seconds=TIMEOUT_SECONDS,
            bounds=Bounds(deadline_seconds=TIMEOUT_SECONDS, monotonic=monotonic),
            headers={"Accept": "application/json"},
            keeps_connections=False,
            transport=transport,
        )

    def deadline(self) -> float:
        """The moment, of the fetcher's clock, at which a fetch that begins now has to be done."""
        return self._monotonic() + TIMEOUT_SECONDS

    def get(self, url: httpx2.URL, deadline: float | None = None) -> dict[str, Any]:
        """The JSON object at `url`, had by `deadline`; within 5 s when none is given.

        Raises:
            ProviderUnusable: for whatever reason it cannot be had; the text says which.
        """
        try:
            # a document that somebody saved with Notepad begins with a byte order mark
            found = read_json(self._answer(url, deadline).content.removeprefix(BOM_UTF8))
        except AnswerRefused as error:
            raise ProviderUnusable(f"{error.request.url} {error}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderUnusable(f"{url} does not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise ProviderUnusable(f"{url} holds no JSON") from error
        if not isinstance(found, dict):
            raise ProviderUnusable(f"{url} holds no JSON object")
        return found

    def _answer(self, url: httpx2.URL, deadline: float | None) -> httpx2.Response:
        extensions = {DEADLINE: self.deadline() if deadline is None else deadline}
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._http.get(url, extensions=extensions)
            if response.next_request is None:
                break
            target = response.next_request.url
            if _origin(target) != _origin(response.url):
                raise ProviderUnusable(f"{url} redirects to another host")
            url = target
        else:
            raise ProviderUnusable(f"{url} redirects without end")
        if response.status_code != 200:
            raise ProviderUnusable(f"{response.url} answers {response.status_code}")
        return response


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
