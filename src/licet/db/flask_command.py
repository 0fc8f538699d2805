"""``flask db``: the commands of ``licet db`` where every user of Flask looks for them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
from flask import Flask

from licet.db.flask import told
from licet.errors import LicetError

__all__ = ["add_db_command"]

_NAME = "db"


class _Commands(click.Group):
    """The commands, imported when one is called; licet's errors are one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._group().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LicetError as error:
            text, code = told(error, ctx.obj.load_app())
            click.echo(f"licet: {text}", err=True)
            sys.exit(code)

    def _group(self) -> click.Group:
        # By name: the command line lies above everything else.
        found: click.Group = import_module("licet.cli.db").db
        return found


def add_db_command(app: Flask) -> None:
    """Add ``flask db``, unless the app has such a command.

    Flask-Migrate's takes its place if it is added later.
    """
    if _NAME not in app.cli.commands:
        help_text = "Migrate, check and copy licet's tables and the app's."
        app.cli.add_command(_Commands(_NAME, help=help_text))
