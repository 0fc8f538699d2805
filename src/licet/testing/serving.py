"""A real HTTP server for tests, on a free loopback port, and plain requests to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from httpx2 import HTTPError
from werkzeug.serving import WSGIRequestHandler, make_server

from licet.wire.client import CarefulClient, make_client

__all__ = ["Received", "client_of_tests", "send", "served"]

_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.01


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The URL at which the app is served until the end of the block, by threads of this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Received:
    """What a server answered."""

    status: int
    media_type: str
    body: bytes

    def document(self) -> Any:
        """The JSON of the body.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


def client_of_tests() -> CarefulClient:
    """A client for many requests, each over a connection of its own."""
    return make_client(timeout_seconds=_SECONDS, keeps_connections=False)


def send(
    client: CarefulClient,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Received:
    """Send one request.

    Raises:
        OSError: the server does not answer within 30 seconds.
    """
    try:
        answer = client.request(method, url, headers=dict(headers), content=body)
    except HTTPError as error:
        raise OSError(f"{method} {url}: {error}") from error
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Received(answer.status_code, kind, answer.content)
