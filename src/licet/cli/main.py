"""The ``licet`` command and what its subcommands share: the app, and errors as one line.

Exit codes: 0 done, 1 the action failed, 2 wrong usage, 3 refused, 4 unreachable.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from licet.cli.access import explain, matrix
from licet.cli.account import account
from licet.cli.action import action
from licet.cli.audit import audit
from licet.cli.db import db
from licet.cli.doctor import doctor
from licet.cli.keys import keys
from licet.cli.login import login, logout, whoami
from licet.cli.serve import serve
from licet.cli.token import token
from licet.cli.worker import sweep, worker
from licet.errors import LicetError
from licet.settings import check_environment

__all__ = ["main"]


class _Group(click.Group):
    """Shows licet's own errors as one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (LicetError, NoAppException) as error:
            click.echo(f"licet: {error}", err=True)
            sys.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--app",
    "import_path",
    envvar=["LICET_APP", "FLASK_APP"],
    help="The Flask app, as module:name or module:factory.",
)
@click.version_option(package_name="licet", prog_name="licet")
@click.pass_context
def main(ctx: click.Context, import_path: str | None) -> None:
    """Run and inspect services made with licet."""
    check_environment()
    ctx.obj = _app_loader(import_path)


def _app_loader(import_path: str | None) -> Any:
    def load(given: str | None = None) -> Flask:
        path = given or import_path
        if path is None:
            raise click.UsageError(
                "Which app? Give --app module:name before the command, or set LICET_APP."
            )
        if "" not in sys.path:
            sys.path.insert(0, "")
        return ScriptInfo(app_import_path=path, set_debug_flag=False).load_app()

    return load


main.add_command(account)
main.add_command(action)
main.add_command(audit)
main.add_command(db)
main.add_command(doctor)
main.add_command(explain)
main.add_command(keys)
main.add_command(login)
main.add_command(logout)
main.add_command(matrix)
main.add_command(serve)
main.add_command(sweep)
main.add_command(token)
main.add_command(whoami)
main.add_command(worker)
