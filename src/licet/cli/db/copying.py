"""Dumps, and what is restored from them."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask

from licet.cli.db._branches import branch_option, main_branch, telling, with_app

__all__ = ["dump_command", "restore_command"]


@click.command("dump")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@branch_option
@with_app
def dump_command(app: Flask, file: Path, name: str | None) -> None:
    """Write the whole database to FILE, while others go on using it.

    A SQLite database becomes a SQLite file; a PostgreSQL one what pg_dump writes, which is needed.
    """
    from licet.db.branches.backup import dump

    branch = main_branch(app, name)
    with telling(branch):
        size = dump(branch, file)
    click.echo(f"{branch.place}: {size} bytes in {file}")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@branch_option
@click.option("--yes", is_flag=True, help="Do not ask: all that the database holds is replaced.")
@with_app
def restore_command(app: Flask, file: Path, name: str | None, yes: bool) -> None:
    """Replace all that the database holds by what is in FILE, or leave it as it is on any error."""
    from licet.db.branches.backup import restore

    branch = main_branch(app, name)
    if not yes:
        click.confirm(f"This replaces everything in {branch.place}. Go on?", abort=True)
    with telling(branch):
        restore(branch, file)
    click.echo(f"{branch.place}: restored from {file}")
