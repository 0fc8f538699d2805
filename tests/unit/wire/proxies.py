"""A proxy that notes what it is asked and answers 502, and environments that name it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

VARIABLES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class RecordingProxy:
    """`seen` holds the first line and the Authorization header of every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []
        self.url = ""


def _handler(proxy: RecordingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            proxy.seen.append((self.requestline, self.headers.get("Authorization")))
            self.send_response(502)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - http.server's name
        do_CONNECT = do_GET  # noqa: N815 - as above

        def log_message(self, *_told: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """A proxy that listens until the end of the block."""
    proxy = RecordingProxy()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        yield proxy
        server.shutdown()
        thread.join()


def name_proxy(monkeypatch: pytest.MonkeyPatch, url: str, *variables: str) -> None:
    """An environment in which these variables, or all there are, name one proxy."""
    for name in (*VARIABLES, "NO_PROXY", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    for name in variables or VARIABLES:
        monkeypatch.setenv(name, url)
