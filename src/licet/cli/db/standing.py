"""What is written down about revisions: their order, and where a database is said to be."""

from __future__ import annotations

import click
from flask import Flask

from licet.cli.db._branches import branch_option, chosen, of_revision, telling, with_app
from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.run import HEADS, stamp
from licet.db.branches.moves.scripts import heads_in_database, scripts_of

__all__ = ["history_command", "stamp_command"]


@click.command("history")
@click.option(
    "-i", "--indicate-current", "is_current", is_flag=True, help="Ask the databases, too."
)
@branch_option
@with_app
def history_command(app: Flask, is_current: bool, name: str | None) -> None:
    """Print the revisions of the code, the newest first."""
    for branch in chosen(app, name):
        if not branch.versions.is_dir():
            continue
        current = _current(branch) if is_current else frozenset()
        for script in scripts_of(branch).walk_revisions():
            before = script.down_revision or "none"
            after = before if isinstance(before, str) else ", ".join(before)
            marks = "".join(
                f" ({mark})"
                for mark, is_true in (
                    ("head", script.is_head),
                    ("current", script.revision in current),
                )
                if is_true
            )
            click.echo(
                f"{branch.name}: {after} -> {script.revision}{marks}, {_subject(script.doc)}"
            )


def _subject(doc: str | None) -> str:
    return (doc or "no message").partition("\n")[0]


def _current(branch: Branch) -> frozenset[str]:
    with telling(branch), connected(branch, writes=False) as connection:
        return heads_in_database(branch, connection)


@click.command("stamp")
@click.argument("revision", default="head")
@branch_option
@click.option("--purge", is_flag=True, help="Forget first what is written there.")
@with_app
def stamp_command(app: Flask, revision: str, name: str | None, purge: bool) -> None:
    """Write down that a database is at REVISION, and run nothing.

    For a database whose tables were made without migrations. `check` says whether it is true.
    """
    branch = of_revision(app, name, revision)
    with telling(branch):
        stamp(branch, HEADS if revision == "head" else revision, is_purging=purge)
        found = ", ".join(sorted(_current(branch))) or "none"
    click.echo(f"{branch.name}: revision {found} is written down; `licet db check` compares")
