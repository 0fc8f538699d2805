"""What an env.py of Alembic's or Flask-Migrate's configures that licet does not read.

It is not run: it asks for an extension that may be gone, and connects by itself. Its text is read,
so that nobody believes that a filter which stands there still holds.
"""

from __future__ import annotations

import ast
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
_TEMPLATES: Final = "process_revision_directives"  # Flask-Migrate's own: write no empty revision


def unread_settings(branch: Branch) -> tuple[Path, list[str]]:
    """The path of the env.py beside the revisions, and the settings in it that have no effect."""
    path = branch.versions.parent / "env.py"
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return path, []
    return path, sorted(set(_settings(tree)) - _NEEDLESS - {_TEMPLATES})


def _settings(tree: ast.AST) -> Iterator[str]:
    """The names that are given to ``context.configure``, at once or by a dict."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("context.configure"):
            yield from (word.arg for word in node.keywords if word.arg)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name = node.slice.value
            if isinstance(name, str) and name in _KNOWN:
                yield name
