"""Real HTTP servers for the client and the command line, on free loopback ports."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


@contextmanager
def served(app: Callable[..., Any]) -> Iterator[str]:
    """The URL of a WSGI app that is served until the end of the block."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def hanging_up(times: int, app: Callable[..., Any]) -> Iterator[str]:
    """Like `served`, but the first so many connections are closed without an answer."""
    left = [times]

    def flaky(environ: dict[str, Any], start_response: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            app(environ, lambda *_: None)  # the request arrives; its answer is lost
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        return app(environ, start_response)

    with served(flaky) as url:
        yield url


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(*responses: Response):
    """An app that gives these answers, the last one again and again; it notes what it was
    asked, and the ``Prefer`` headers.
    """
    left = list(responses)

    @Request.application
    def app(request: Request) -> Response:
        app.preferred.append(request.headers.get("Prefer"))
        app.asked.append((request.method, request.full_path, request.get_data()))
        return left.pop(0) if len(left) > 1 else left[0]

    app.asked = []
    app.preferred = []
    return app


def answer(document: object, status: int = 200, **headers: str) -> Response:
    return Response(json.dumps(document), status, headers, content_type="application/json")
