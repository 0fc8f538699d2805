"""``licet db``: licet's own tables."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask

from licet.db.engine import Database
from licet.db.flask import make_database
from licet.db.migrate import current_revision, downgrade, head_revision, upgrade
from licet.settings.state import app_state

__all__ = ["db"]


@click.group()
def db() -> None:
    """Migrate licet's tables."""


def _database(load_app: Callable[[], Flask]) -> Database:
    return make_database(app_state(load_app()).settings)


@db.command("upgrade")
@click.pass_obj
def upgrade_command(load_app: Callable[[], Flask]) -> None:
    """Bring the database to the newest revision."""
    database = _database(load_app)
    upgrade(database)
    click.echo(f"revision {current_revision(database)}")


@db.command("downgrade")
@click.option("--yes", is_flag=True, help="Do not ask: actions and accounts are removed.")
@click.pass_obj
def downgrade_command(load_app: Callable[[], Flask], yes: bool) -> None:
    """Remove licet's tables and everything in them."""
    database = _database(load_app)
    if not yes:
        click.confirm("This removes every action, its log and every account. Go on?", abort=True)
    downgrade(database)
    click.echo("removed")


@db.command("current")
@click.pass_obj
def current_command(load_app: Callable[[], Flask]) -> None:
    """Print the database's revision and the one this code expects."""
    found = current_revision(_database(load_app)) or "none"
    click.echo(f"database {found}, code {head_revision()}")
