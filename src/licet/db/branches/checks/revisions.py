"""The revisions of the code against those of the database: the first of the three comparisons."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.db.branches.checks._compare import Difference
from licet.db.branches.moves.scripts import heads_in_database, heads_of, scripts_of

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

__all__ = ["UNRESOLVED", "revision_differences"]

UNRESOLVED = "Unresolved"  # the error that a generated script raises where it is to be completed


def revision_differences(branch: Branch, connection: Connection) -> list[Difference]:
    """What differs between the two sets of heads; several heads are fine where each is labelled."""
    if not branch.versions.is_dir():
        found = heads_in_database(branch, connection)
        return [_unknown(branch, revision) for revision in sorted(found)]
    scripts = scripts_of(branch)
    all_scripts = list(scripts.walk_revisions())
    known = {script.revision for script in all_scripts}
    heads, found = set(heads_of(scripts)), heads_in_database(branch, connection)
    return [
        *(_unknown(branch, revision) for revision in sorted(found - known)),
        *_behind(heads, set(found), known),
        *_forked(branch, scripts, heads),
        *(one for script in all_scripts for one in _unresolved(script)),
    ]


def _unknown(branch: Branch, revision: str) -> Difference:
    return Difference(
        kind="unknown_revision",
        subject=revision,
        text=(
            f"The database is at revision {revision}, of which {branch.name} has no script: it was "
            "migrated by newer code, or by another branch of it."
        ),
    )


def _behind(heads: set[str], found: set[str], known: set[str]) -> Iterator[Difference]:
    if heads <= found or found - known:
        return
    there = ", ".join(sorted(found)) or "none"
    for head in sorted(heads - found):
        yield Difference(
            kind="behind",
            subject=head,
            text=(
                f"The database is at revision {there}, and the code at {head}: run `licet db "
                "upgrade`."
            ),
        )


def _forked(branch: Branch, scripts: ScriptDirectory, heads: set[str]) -> Iterator[Difference]:
    labels = [frozenset(scripts.get_revision(head).branch_labels) for head in heads]
    if len(heads) > 1 and (not all(labels) or len(set(labels)) < len(labels)):
        named = ", ".join(sorted(heads))
        yield Difference(
            kind="two_heads",
            subject=named,
            text=(
                f"The scripts of {branch.name} end in several heads, {named}: two revisions follow "
                'the same one. Run `licet db revision --merge -m "merge"`, or give each its own '
                "branch label."
            ),
        )


def _unresolved(script: Script) -> Iterator[Difference]:
    """Statements ``raise Unresolved("…")`` that `licet db revision` has left in a script."""
    tree = ast.parse(Path(script.path).read_text("utf-8"))
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else None
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != UNRESOLVED:
            continue
        said = ast.literal_eval(call.args[0]) if call.args else "something is to be written"
        yield Difference(
            kind="unresolved",
            subject=script.revision,
            text=f"Revision {script.revision} is not complete: {said} ({script.path})",
        )
