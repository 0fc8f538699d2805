"""Up, down, and where the databases stand."""

from __future__ import annotations

import click
from flask import Flask

from licet.cli.db._branches import branch_option, chosen, of_revision, telling, with_app
from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import HEADS, move
from licet.db.branches.moves.scripts import heads_in_code, heads_in_database

__all__ = ["current_command", "downgrade_command", "heads_command", "upgrade_command"]


@click.command("upgrade")
@click.argument("revision", required=False)
@branch_option
@with_app
def upgrade_command(app: Flask, revision: str | None, name: str | None) -> None:
    """Bring the databases to the newest revisions, or one to REVISION."""
    branches = [of_revision(app, name, revision)] if revision else chosen(app, name)
    for branch in branches:
        with telling(branch):
            if branch.versions.is_dir():
                move(branch, "upgrade", HEADS if revision in (None, "head") else revision)
            click.echo(f"{branch.name}: revision {_current(branch)}")


@click.command("downgrade", context_settings={"ignore_unknown_options": True})
@click.argument("revision", default="-1")
@branch_option
@click.option("--yes", is_flag=True, help="Do not ask, whatever is lost.")
@with_app
def downgrade_command(app: Flask, revision: str, name: str | None, yes: bool) -> None:
    """Undo the newest revision, or all after REVISION; `base` undoes every one.

    Asks first if tables or columns are dropped. Without --branch it is about the app's tables, or
    about licet's if the app has registered no models.
    """
    from licet.db.branches.rehearsal.losses import losses

    branch = of_revision(app, name, revision)
    with telling(branch):
        if _current(branch) == "none":
            click.echo(f"{branch.name}: revision none, so there is nothing to undo")
            return
        lost = [] if yes else losses(branch, revision)
        if lost:
            listed = ", ".join(f"{subject} ({count})" for subject, count in lost)
            click.echo(f"This loses {listed}: rows of a table, values of a column.")
            click.confirm(f"Go on with the database {branch.place}?", abort=True)
        move(branch, "downgrade", revision)
        click.echo(f"{branch.name}: revision {_current(branch)}")


@click.command("current")
@branch_option
@with_app
def current_command(app: Flask, name: str | None) -> None:
    """Print at what revisions the databases are, and at what the code is."""
    for branch in chosen(app, name):
        with telling(branch):
            found = _current(branch)
        click.echo(f"{branch.name}: database {found}, code {_heads(branch)}")


@click.command("heads")
@branch_option
@with_app
def heads_command(app: Flask, name: str | None) -> None:
    """Print the newest revisions of the code."""
    for branch in chosen(app, name):
        click.echo(f"{branch.name}: {_heads(branch)}")


def _heads(branch: Branch) -> str:
    if not branch.versions.is_dir():
        return "none"
    return ", ".join(sorted(heads_in_code(branch))) or "none"


def _current(branch: Branch) -> str:
    if branch.is_sqlite and not branch.file.exists():
        return "none"
    with connected(branch, writes=False) as connection:
        return ", ".join(sorted(heads_in_database(branch, connection))) or "none"
