"""pg_dump and pg_restore, where they are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db._connecting import BUSY_SECONDS
from licet.db.branches.backup._files import appearing
from licet.db.branches.branch import Branch
from licet.db.branches.checks.shape import schemas_of
from licet.db.branches.moves.connecting import connected
from licet.db.branches.moves.lock import migration_lock
from licet.db.branches.rehearsal.copies import libpq_environment, said_by
from licet.db.branches.rehearsal.leftovers import own_folder
from licet.errors import SchemaUnusable

__all__ = ["dump", "restore"]

_HEAD: Final = b"PGDMP"
_OBJECTS: Final = """
    SELECT kind, name FROM (
        SELECT CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW'
                              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE'
                              ELSE 'TABLE' END AS kind,
               CASE c.relkind WHEN 'm' THEN 1 WHEN 'v' THEN 2 WHEN 'S' THEN 5 ELSE 3 END AS place,
               format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S')
          AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                          AND e.objid = c.oid
                          AND (e.deptype = 'e' OR c.relkind = 'S' AND e.deptype IN ('a', 'i')))
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
               CASE t.typtype WHEN 'd' THEN 6 ELSE 7 END,
               format('%I.%I', n.nspname, t.typname)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = ANY(:schemas) AND t.typtype IN ('e', 'd')
          AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass
                          AND e.objid = t.oid AND e.deptype = 'e')
    ) AS objects ORDER BY place, name
"""


def dump(branch: Branch, file: Path) -> int:
    """What pg_dump writes in its custom format, of all schemas of the branch; its size in bytes."""
    program = _program("pg_dump")
    with connected(branch, writes=False) as connection:
        _default, schemas = schemas_of(branch, connection)
    with appearing(file) as part:
        named = (f"--schema={_quoted(schema)}" for schema in schemas)
        _run(branch, program, "--format=custom", *named, f"--file={part}")
        return part.stat().st_size


def restore(branch: Branch, file: Path) -> None:
    """Drop what is in the branch's schemas, and make what the dump holds, in one transaction."""
    program, client = _program("pg_restore"), _program("psql")
    with file.open("rb") as opened:
        if opened.read(len(_HEAD)) != _HEAD:
            raise SchemaUnusable(
                told=f"{file} is no dump of a PostgreSQL database. Nothing was changed: give a "
                "file "
                "that `licet db dump` has written."
            )
    with migration_lock(branch), own_folder() as folder:
        drops, script = folder / "drops.sql", folder / "script.sql"
        _run(
            branch,
            program,
            "--clean",
            "--if-exists",
            "--no-owner",
            "--no-acl",
            f"--file={script}",
            str(file),
        )
        with connected(branch, writes=False) as connection:
            default, schemas = schemas_of(branch, connection)
            _refuse_strange(file, script, default)
            drops.write_text("\n".join(_drops(connection, schemas)), "utf-8")
        files = (f"--file={drops}", f"--file={script}")
        _run(branch, client, "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", *files)


def _refuse_strange(file: Path, script: Path, schema: str) -> None:
    """Refuse a dump of another schema: what is there would be dropped, and not come back.

    And one that is written by programs of before CVE-2025-8714: its names could be commands that
    psql runs on this machine.
    """
    bare = re.escape(schema)
    with script.open(encoding="utf-8", errors="replace") as opened:
        if not any(line.startswith(r"\restrict ") for line in islice(opened, 20)):
            raise SchemaUnusable(
                told="pg_restore is older than the mend of CVE-2025-8714: install PostgreSQL's "
                "client programs of a newer minor version. Nothing was changed."
            )
        if any(re.match(rf'CREATE TABLE (?:{bare}|"{bare}")\.', line) for line in opened):
            return
    raise SchemaUnusable(
        told=f"{file} holds no table of the schema {schema}. Nothing was changed: give a dump of "
        "this database, or restore by pg_restore."
    )


def _drops(connection: Connection, schemas: list[str]) -> Iterator[str]:
    """Statements that drop all tables, views and types of schemas but those of extensions.

    Without CASCADE: what others have that depends on them is told, and nothing is dropped.
    """
    yield f"SET lock_timeout = '{BUSY_SECONDS}s';"
    found: dict[str, list[str]] = {}
    for kind, name in connection.execute(sa.text(_OBJECTS), {"schemas": schemas}):
        found.setdefault(kind, []).append(name)
    for kind, names in found.items():
        yield f"DROP {kind} {', '.join(names)};"


def _quoted(schema: str) -> str:
    """A pattern of pg_dump's that is this name and no other."""
    return '"{}"'.format(schema.replace('"', '""'))


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
