"""Where the browser brings the authorization code: a server on this machine, for one answer.

It listens on 127.0.0.1 at a port that the system chooses, and takes a single answer: the one with
the right ``state``. Whatever else asks is sent away, and the waiting goes on.

Source: RFC 8252 sections 7.3 and 8.3.
"""

from __future__ import annotations

import hmac
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from licet.cli.logins.errors import LoginUnreachable

__all__ = ["Redirect", "awaiting_redirect"]

PATH: Final = "/callback"
_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
Parameters = Mapping[str, str]


class Redirect:
    """The address that the browser is sent back to, and what it brings."""

    def __init__(self, port: int, answers: queue.Queue[Parameters]) -> None:
        self.uri = f"http://127.0.0.1:{port}{PATH}"
        self._answers = answers

    def wait(self, seconds: float) -> Parameters:
        """The parameters of the answer.

        Raises:
            LoginUnreachable: it did not come in time.
        """
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            raise LoginUnreachable(
                f"Nobody signed in within {seconds:.0f} s: start again."
            ) from None


@contextmanager
def awaiting_redirect(state: str) -> Iterator[Redirect]:
    """Listen for the answer with this state until the end of the block."""
    answers: queue.Queue[Parameters] = queue.Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state, answers))
    server.daemon_threads = True
    server.block_on_close = False  # a browser may keep a connection open that it never uses
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Redirect(server.server_port, answers)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(state: str, answers: queue.Queue[Parameters]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0
        server_version = "licet"
        sys_version = ""

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            pairs = parse_qsl(asked.query, keep_blank_values=True, max_num_fields=20)
            parameters = dict(pairs)
            if asked.path != PATH or len(parameters) != len(pairs):
                self._say(404, "There is nothing here.")
            elif not hmac.compare_digest(parameters.get("state", "").encode(), state.encode()):
                self._say(400, "This is not the answer to the sign-in that was started here.")
            else:
                self._say(200, "Go back to the terminal: this window may be closed.")
                answers.put(parameters)

        def _say(self, status: int, text: str) -> None:
            octets = f"{text}\n".encode()
            self.send_response(status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_told: object) -> None:
            """Log nothing: the address holds the code."""

    return Handler
