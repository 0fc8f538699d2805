"""What ``make run`` starts: the site under gunicorn, and curl lines to try it with."""

import os
import sys
from pathlib import Path

import click

from licet.cli.serve import serve_app
from licet.db.flask import database_place
from licet.errors import LicetError
from licet.settings import Settings
from services.site import create_app

TRY_IT = """
licet's reference site listens on {url}; open it in a browser for what there is

  curl {url}/skeleton/
  export TOKEN=$(make -s token USER=alice)
  curl -H "Authorization: Bearer $TOKEN" {url}/skeleton/run \\
    --data '{{"request_id": "my-first", "body": {{"input_string": "hey"}}}}'
  curl -H "Authorization: Bearer $TOKEN" '{url}/skeleton/actions?status=succeeded'
  curl -H "Authorization: Bearer $TOKEN" {url}/count/run \\
    --data '{{"request_id": "my-count", "body": {{"to": 100}}}}'
  curl -H "Authorization: Bearer $TOKEN" '{url}/count/actions?status=active'
  curl {url}/v1/speakers
  curl -H "Authorization: Bearer $(make -s token USER=owner)" {url}/v1/speakers/1

The conference at /v1 knows the users admin, alice, bob, carol, and one for each role in an event:
owner, organizer, coorganizer, track-organizer, moderator, registrar.

Stop it with Ctrl-C. The keys stay in {instance}, and what is stored in
{place}.
"""


def main() -> None:
    try:
        host, port = os.environ.get("HOST", "127.0.0.1"), _port()
        app = create_app()
        settings = Settings.read(app.config, Path(app.instance_path))
        text = TRY_IT.format(
            url=f"http://localhost:{port}",
            instance=settings.instance_path,
            place=database_place(settings),
        )
        serve_app(
            create_app,
            host=host,
            port=port,
            workers=2,
            threads=8,
            stop_seconds=settings.stop_seconds,
            on_ready=lambda _server: click.echo(text),
        )
    except LicetError as error:
        sys.exit(f"licet: {error}")


def _port() -> int:
    text = os.environ.get("PORT", "8000")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        sys.exit(f"licet: PORT is {text!r}: write a number from 1 to 65535.")
    return int(text)


if __name__ == "__main__":
    main()
