"""Alembic's view of a branch: its configuration, its revisions, and those of the database."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.branch import Branch
from licet.errors import ConfigurationError, SchemaUnusable

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script, ScriptDirectory

__all__ = [
    "MIGRATIONS",
    "config_of",
    "heads_in_code",
    "heads_in_database",
    "heads_of",
    "is_known",
    "scripts_of",
]

MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
_REVISION: Final = re.compile(r"""^revision\s*(?::[^=\n]*)?=\s*["']([^"'\n]+)["']""", re.MULTILINE)


def config_of(branch: Branch, **attributes: Any) -> Config:
    """Alembic's configuration for a branch; the attributes are what env.py reads."""
    from alembic.config import Config  # noqa: PLC0415 - 0.2 s of imports, seldom needed

    config = Config(cmd_opts=Namespace(quiet=True))  # what was done, licet's commands tell
    for name, value in (
        ("script_location", MIGRATIONS),
        ("path_separator", "newline"),
        ("version_locations", branch.versions),
    ):
        config.set_main_option(name, str(value).replace("%", "%%"))
    config.attributes.update(attributes, version_table=branch.version_table, docstring=_docstring)
    return config


def _docstring(text: str) -> str:
    """The text as it stands between three double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def scripts_of(branch: Branch) -> ScriptDirectory:
    """The revisions of a branch, all of them loaded.

    Raises:
        SchemaUnusable: one of them cannot be loaded, or they do not hang together.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    _refuse_twins(branch)
    try:
        found = ScriptDirectory.from_config(config_of(branch))
        found.get_heads()
    except CommandError as error:
        raise SchemaUnusable(
            told=f"The revisions in {branch.versions} are at odds: {error}"
        ) from error
    except Exception as error:  # whatever the scripts raise as they are imported
        place = _script_in(error, branch.versions)
        told = f"{type(error).__name__}: {error}"
        raise SchemaUnusable(
            told=f"{place} cannot be loaded ({told}): mend or remove it."
        ) from error
    return found


def _refuse_twins(branch: Branch) -> None:
    """Refuse two scripts of one revision: Alembic warns, and never runs the other one."""
    named: dict[str, list[str]] = defaultdict(list)
    for path in sorted(branch.versions.glob("*.py")):
        found = _REVISION.search(path.read_text("utf-8", errors="replace"))
        if found is not None and not path.name.startswith((".#", "__init__")):
            named[found[1]].append(path.name)
    for revision, names in named.items():
        if len(names) > 1:
            raise SchemaUnusable(
                told=f"{' and '.join(names)} in {branch.versions} are both of revision {revision}, "
                "of which only one would ever run: give one another revision, and have it follow "
                "the other."
            )


def _script_in(error: BaseException, folder: Path) -> Path:
    """The revision's file that raised, or whose syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return Path(error.filename)
    found, traceback = folder, error.__traceback__
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        found = path if path.parent == folder else found
        traceback = traceback.tb_next
    return found


def heads_in_code(branch: Branch) -> frozenset[str]:
    """The newest revisions of the scripts: several where the branch forks."""
    return heads_of(scripts_of(branch))


def heads_of(scripts: ScriptDirectory) -> frozenset[str]:
    """The heads that a database says it is at: without those that another revision depends on."""
    needed = {
        found.revision
        for script in scripts.walk_revisions()
        for one in _listed(script.dependencies)
        for found in scripts.get_revisions(one)
        if found is not None
    }
    return frozenset(scripts.get_heads()) - needed


def _listed(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def heads_in_database(branch: Branch, connection: Connection) -> frozenset[str]:
    """The revisions that the database says it is at; none before the first migration."""
    if not sa.inspect(connection).has_table(branch.version_table):
        return frozenset()
    named = sa.table(branch.version_table, sa.column("version_num"))
    return frozenset(connection.scalars(sa.select(named.c.version_num)))


def is_known(branch: Branch, revision: str) -> bool:
    """Whether a script of the branch has this revision, or the beginning of it."""
    return _script(branch, revision) is not None


def _script(branch: Branch, revision: str) -> Script | None:
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    if not branch.versions.is_dir():
        return None
    try:
        return scripts_of(branch).get_revision(revision)
    except CommandError as error:
        if "ambiguous" in str(error).lower() or "more than one" in str(error).lower():
            raise ConfigurationError(f"Revision {revision}: {error}") from error
        return None
