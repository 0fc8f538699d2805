"""New revisions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
from flask import Flask

from licet.cli.db._branches import branch_option, main_branch, telling, with_app

__all__ = ["init_command", "migrate_command", "revision_command"]

_FAILED: Final = 1
_message: Final = click.option("-m", "--message", required=True, help="What the revision does.")
_head: Final = click.option(
    "--head", help="Which of several heads it follows, such as a label@head."
)


@click.command("revision")
@_message
@click.option("--empty", is_flag=True, help="Compare nothing: write it by hand.")
@click.option("--merge", is_flag=True, help="Join several heads into one.")
@_head
@branch_option
@with_app
def revision_command(
    app: Flask, message: str, empty: bool, merge: bool, head: str | None, name: str | None
) -> None:
    """Write a revision that brings the database to the models.

    The revision is tried in a transaction that is rolled back. What could not be written stands in
    it as `raise Unresolved("…")`; the command then exits with 1.
    """
    _write(app, message, name, is_empty=empty, is_merge=merge, head=head)


@click.command("migrate")
@_message
@_head
@branch_option
@with_app
def migrate_command(app: Flask, message: str, head: str | None, name: str | None) -> None:
    """Write a revision that brings the database to the models, as `revision` does."""
    _write(app, message, name, head=head)


def _write(
    app: Flask,
    message: str,
    name: str | None,
    *,
    is_empty: bool = False,
    is_merge: bool = False,
    head: str | None = None,
) -> None:
    from licet.db.branches.writing import write_revision

    branch = main_branch(app, name)
    with telling(branch):
        written = write_revision(branch, message, is_empty=is_empty, is_merge=is_merge, head=head)
    if written is None:
        click.echo(f"{branch.name}: nothing differs, so no revision was written")
        return
    click.echo(f"{branch.name}: wrote {_relative(written.path)}")
    for text in written.unresolved:
        click.echo(f"  to be completed: {text}")
    if written.unresolved:
        sys.exit(_FAILED)


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@click.command("init", hidden=True)
def init_command() -> None:
    """Flask-Migrate's first command, which is not needed here."""
    click.echo('There is nothing to prepare: `db migrate -m "…"` makes the folder.')
