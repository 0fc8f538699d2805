"""``python -m services.open_event``: the conference alone, at http://localhost:8000/v1."""

import os
import sys

import click

from licet.cli.serve import serve_app
from licet.errors import LicetError

from .app import create_app


def main() -> None:
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    told = f"The conference listens on http://localhost:{port}/v1/events"
    try:
        serve_app(
            create_app,
            host=host,
            port=port,
            workers=2,
            threads=8,
            stop_seconds=10,
            on_ready=lambda _server: click.echo(told),
        )
    except LicetError as error:
        sys.exit(f"licet: {error}")


if __name__ == "__main__":
    main()
