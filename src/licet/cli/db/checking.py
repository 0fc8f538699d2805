"""Whether code, migrations and database agree; and migrations tried on a copy."""

from __future__ import annotations

import sys
from typing import Final

import click
from flask import Flask

from licet.cli.db._branches import branch_option, chosen, telling, with_app
from licet.db.branches.branch import Branch

__all__ = ["check_command", "print_report", "rehearse_command"]

_FAILED: Final = 1


@click.command("check")
@branch_option
@with_app
def check_command(app: Flask, name: str | None) -> None:
    """Compare revisions, schema and models; exits with 1 if they differ.

    Changes nothing. A database that newer code has migrated is told, and nothing else of it.
    """
    found = [print_report(branch) for branch in chosen(app, name)]
    sys.exit(_FAILED if any(found) else 0)


def print_report(branch: Branch) -> int:
    """Print what differs, a line each; how much it is."""
    from licet.db.branches.checks import check

    with telling(branch):
        report = check(branch)
    parts = {
        "revisions": report.revisions,
        "schema": report.schema,
        "selects": report.selects,
    }
    for part, differences in parts.items():
        if report.is_ahead and part != "revisions":
            click.echo(
                f"{branch.name:5}  {part:9}  not compared: the code is not that of the database"
            )
            continue
        click.echo(f"{branch.name:5}  {part:9}  {'differ' if differences else 'agree'}")
        for one in differences:
            click.echo(f"    {one}")
    return len(report.revisions) if report.is_ahead else len(report.differences)


@click.command("rehearse")
@click.argument("url", required=False)
@branch_option
@with_app
def rehearse_command(app: Flask, url: str | None, name: str | None) -> None:
    """Try the pending migrations on a copy of the database; exits with 1 if something is found.

    Up, check, down, up again, with the time and the locks of each. Where nothing is pending, the
    newest revision is undone and done again. URL names another database, such as staging's; without
    it, it is the app's own. The database itself is only read.
    """
    from licet.db._connecting import parsed_url

    branches = chosen(app, name)
    if url is not None:
        branches = _of_url([branch.at(parsed_url(url)) for branch in branches])
    found = [_rehearsed(branch) for branch in branches if branch.versions.is_dir()]
    sys.exit(_FAILED if any(found) else 0)


def _of_url(branches: list[Branch]) -> list[Branch]:
    """The branches that a database holds; all, if it holds none."""
    from licet.db.branches.moves.connecting import connected
    from licet.db.branches.moves.scripts import heads_in_database

    held = []
    for branch in branches:
        with telling(branch), connected(branch, writes=False) as connection:
            if heads_in_database(branch, connection):
                held.append(branch)
    return held or branches


def _rehearsed(branch: Branch) -> int:
    from licet.db.branches.rehearsal import rehearse

    with telling(branch):
        result = rehearse(branch)
    rows = sum(result.rows.values())
    click.echo(f"{branch.name}: a copy of {result.place}, {len(result.rows)} tables, {rows} rows")
    for step in result.steps:
        click.echo(f"  {step.direction:9}  {step.revision}  {step.seconds:.2f} s")
        for table, (mode, count) in step.locks.items():
            held = f"{step.held_seconds:.2f} s"
            click.echo(f"    locks {table} ({count} rows) with {mode} for at most {held}")
    for text in result.notes:
        click.echo(f"  note: {text}")
    for text in result.findings:
        click.echo(f"  found: {text}")
    if not result.findings:
        click.echo("  nothing found")
    return len(result.findings)
