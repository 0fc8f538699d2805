"""The HTTP clients of licet: every request that it sends goes through one of them.

Decides what holds for all of them. What is for this machine goes past the environment's proxies:
it may be plain HTTP, and a proxy would read it. Everything has a time-out; an answer has a longest
size and a latest moment, its headers included; redirects are not followed. What an answer means is
its reader's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx2

from licet.wire._deadline import keep_deadlines, until
from licet.wire.loopback import loopback_name

__all__ = [
    "DEADLINE",
    "MAX_BYTES",
    "AnswerRefused",
    "Bounds",
    "CarefulClient",
    "ProxyUnusable",
    "make_client",
    "make_client_of",
]

DEADLINE: Final = "licet.deadline"  # in a request's extensions: a moment of `Bounds.monotonic`
MAX_BYTES: Final = 256 * 1024
_NOT_PACKED: Final = {"Accept-Encoding": "identity"}
_KEPT_EXTENSIONS: Final = ("http_version", "reason_phrase")
C = TypeVar("C", bound="CarefulClient")


class AnswerRefused(httpx2.RequestError):
    """The answer is too long, too slow or compressed; the text says which, after its URL."""


class ProxyUnusable(httpx2.ProxyError):
    """The environment names a proxy that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long and how slow an answer may be, headers included; and what tells the time."""

    max_bytes: int = MAX_BYTES
    deadline_seconds: float = 5.0
    monotonic: Callable[[], float] = time.monotonic


class CarefulClient(httpx2.Client):
    """A client of httpx2 whose answers are whole and bounded; made by `make_client`.

    Concurrency: as httpx2's, one serves all threads.
    """

    bounds = Bounds()
    outside: Callable[[], httpx2.Client] | None = None  # None: everything by its own transport
    _for_outside: httpx2.Client | None = None

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request, past proxies if it is for this machine; the whole answer.

        Raises:
            AnswerRefused: it is longer or slower than the bounds allow, or compressed.
            httpx2.RequestError: there is none, or its headers are not there in time.
        """
        latest = self.bounds.monotonic() + self.bounds.deadline_seconds
        deadline = min(latest, request.extensions.get(DEADLINE, latest))
        with until(deadline, self.bounds.monotonic):
            response = self._sent(request, {**options, "stream": True})
            try:
                body = self._body(response, deadline)
            except AnswerRefused as error:
                error.request = request
                raise
            finally:
                response.close()
        whole = httpx2.Response(
            response.status_code,
            headers=response.headers,
            content=body,
            request=response.request,
            extensions={k: v for k, v in response.extensions.items() if k in _KEPT_EXTENSIONS},
        )
        whole.next_request = response.next_request
        return whole

    def _sent(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        name = loopback_name(request.url.host)
        if name is None and self.outside is not None:
            return self._client_for_outside(self.outside).send(request, **options)
        if name not in (None, request.url.host):
            request.url = request.url.copy_with(host=name)
        response: httpx2.Response = super().send(request, **options)
        return response

    def _client_for_outside(self, make: Callable[[], httpx2.Client]) -> httpx2.Client:
        """The client that asks the environment for proxies, made when it is first needed.

        A proxy that cannot be used is no trouble to what goes past it.
        """
        if self._for_outside is None:
            try:
                made = make()
            except (ImportError, ValueError, httpx2.InvalidURL) as error:
                raise ProxyUnusable(
                    "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY of the environment cannot be used: "
                    f"{error}"
                ) from error
            keep_deadlines(made)
            # Without a lock, which a fork could take along: of two that are made at once, one stays
            self.__dict__.setdefault("_for_outside", made)
        found: httpx2.Client = self.__dict__["_for_outside"]
        return found

    def _body(self, response: httpx2.Response, deadline: float) -> bytes:
        bounds = self.bounds
        if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            raise AnswerRefused("is compressed, though that was not asked for")
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > bounds.max_bytes:
                raise AnswerRefused(f"is longer than {bounds.max_bytes} bytes")
            if bounds.monotonic() > deadline:
                raise AnswerRefused(f"takes longer than {bounds.deadline_seconds:g} s")
        return bytes(body)

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._close_outside()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        self._close_outside()

    def _close_outside(self) -> None:
        if self._for_outside is not None:
            self._for_outside.close()


def make_client(
    *,
    timeout_seconds: float,
    bounds: Bounds | None = None,
    headers: Mapping[str, str] | None = None,
    keeps_connections: bool = True,
    transport: httpx2.BaseTransport | None = None,
) -> CarefulClient:
    """A client for one purpose.

    Args:
        timeout_seconds: how long connecting, and each wait for something to be sent or to come, may
            take; and the whole answer, when there are no `bounds`.
        bounds: what else holds for answers.
        headers: sent with every request.
        keeps_connections: whether a connection stays open for the next request; a fork would share
            it.
        transport: sends everything; for tests.
    """
    return make_client_of(
        CarefulClient,
        timeout_seconds=timeout_seconds,
        bounds=bounds,
        headers=headers,
        keeps_connections=keeps_connections,
        transport=transport,
    )


def make_client_of(
    kind: Callable[..., C],
    *,
    timeout_seconds: float,
    bounds: Bounds | None = None,
    headers: Mapping[str, str] | None = None,
    keeps_connections: bool = True,
    transport: httpx2.BaseTransport | None = None,
) -> C:
    """As `make_client`, of another library's kind: a class over `CarefulClient`, called once."""
    tls = True if transport is not None else httpx2.create_ssl_context()
    limits = httpx2.Limits(
        max_connections=100, max_keepalive_connections=20 if keeps_connections else 0
    )
    client = kind(
        headers={**_NOT_PACKED, **(headers or {})},
        timeout=timeout_seconds,
        verify=tls,
        limits=limits,
        transport=transport,
        follow_redirects=False,
        trust_env=False,
    )
    client.bounds = bounds or Bounds(deadline_seconds=timeout_seconds)
    keep_deadlines(client)
    if transport is None:
        client.outside = lambda: httpx2.Client(verify=tls, limits=limits, timeout=timeout_seconds)
    return client
