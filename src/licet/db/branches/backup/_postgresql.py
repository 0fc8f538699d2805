"""pg_dump and pg_restore, where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from licet.db.branches.backup._files import appearing
from licet.db.branches.branch import Branch
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.lock import migration_lock
from licet.db.branches.rehearsal.copies import libpq_environment, said_by
from licet.errors import SchemaUnusable

__all__ = ["dump", "restore"]

_HEAD: Final = b"PGDMP"


def dump(branch: Branch, file: Path) -> int:
    """What pg_dump writes in its custom format; its size in bytes."""
    program = _program("pg_dump")
    schema = _schema(branch)
    with appearing(file) as part:
        _run(branch, program, "--format=custom", f"--schema={schema}", f"--file={part}")
        return part.stat().st_size


def restore(branch: Branch, file: Path) -> None:
    """Drop what the dump holds, and make it anew, in one transaction."""
    program = _program("pg_restore")
    with file.open("rb") as opened:
        if opened.read(len(_HEAD)) != _HEAD:
            raise SchemaUnusable(
                told=f"{file} is no dump of a PostgreSQL database. Nothing was changed: give a "
                "file "
                "that `licet db dump` has written."
            )
    with migration_lock(branch):
        _run(
            branch,
            program,
            "--single-transaction",
            "--exit-on-error",
            "--clean",
            "--if-exists",
            "--no-owner",
            "--no-acl",
            f"--dbname={branch.url.database or ''}",
            str(file),
        )


def _schema(branch: Branch) -> str:
    with connected(branch, writes=False) as connection:
        return str(connection.scalar(sa.select(sa.func.current_schema())))


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SchemaUnusable(
            told=f"{name} is not installed here: install PostgreSQL's client programs (Debian: apt "
            "install postgresql-client), or run it on the server. Nothing was changed."
        )
    return found


def _run(branch: Branch, program: str, *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, no shell
        [program, *arguments],
        env=os.environ | libpq_environment(branch.url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = said_by(Path(program).name, done.stderr)
        raise SchemaUnusable(told=f"{branch.place}: {said}. Nothing was changed.")
