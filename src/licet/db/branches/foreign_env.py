"""What an env.py or alembic.ini of Flask-Migrate's configures that licet does not read.

The env.py is not run: it asks for an extension that may be gone, and connects by itself. The texts
are read, so that nobody believes that a filter which stands there still holds.
"""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from licet.db.branches.branch import Branch

__all__ = ["unread_settings"]

# What licet does anyway, and what says nothing about which tables there are.
_NEEDLESS: Final = frozenset({
    "as_sql", "compare_server_default", "compare_type", "connection", "dialect_name",
    "dialect_opts", "literal_binds", "render_as_batch", "target_metadata",
    "transaction_per_migration", "transactional_ddl", "url",
})  # fmt: skip
# Those that stand in a dict, too, which is then given to the call.
_KNOWN: Final = frozenset({
    "include_name", "include_object", "include_schemas", "version_table", "version_table_schema",
})  # fmt: skip
# Of alembic.ini: where the revisions are and what they are called when they are written.
_PLACES: Final = frozenset({
    "output_encoding", "path_separator", "prepend_sys_path", "script_location", "sqlalchemy.url",
    "version_path_separator",
})  # fmt: skip
_TEMPLATES: Final = "process_revision_directives"  # Flask-Migrate's own: write no empty revision


def unread_settings(branch: Branch) -> Iterator[tuple[Path, list[str]]]:
    """The files beside the revisions with settings that have no effect, and these settings."""
    folder = branch.versions.parent
    for path, read in ((folder / "env.py", _of_env), (folder / "alembic.ini", _of_ini)):
        try:
            names = read(path.read_text("utf-8"))
        except (OSError, SyntaxError, ValueError, configparser.Error):
            continue
        if names:
            yield path, sorted(names)


def _of_env(text: str) -> set[str]:
    return set(_settings(ast.parse(text))) - _NEEDLESS - {_TEMPLATES}


def _of_ini(text: str) -> set[str]:
    found = configparser.RawConfigParser()
    found.read_string(text)
    return set(found.options("alembic") if found.has_section("alembic") else ()) - _PLACES


def _settings(tree: ast.AST) -> Iterator[str]:
    """The names that are given to ``context.configure``, at once or by a dict."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("context.configure"):
            yield from (word.arg for word in node.keywords if word.arg)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name = node.slice.value
            if isinstance(name, str) and name in _KNOWN:
                yield name
