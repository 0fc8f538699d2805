"""The process whose memory is measured: the app, its worker and its sweeper; prints its URL."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from _durables import make_app
from licet import Licet


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


def main() -> None:
    where = sys.argv[1]
    gate = Path(where) / "gate"

    def handler(_action: Any, _body: Any) -> dict[str, Any]:
        while gate.exists():
            time.sleep(0.05)
        return {}

    app = make_app(where, handler)
    Licet(app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
