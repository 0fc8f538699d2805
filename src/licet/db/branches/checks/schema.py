"""A database's schema as plain records, in the words of that database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CHECK", "FOREIGN_KEY", "INDEX", "PRIMARY_KEY", "UNIQUE", "Column", "Rule", "Table"]

PRIMARY_KEY: Final = "primary key"
UNIQUE: Final = "UNIQUE constraint"
FOREIGN_KEY: Final = "foreign key"
CHECK: Final = "CHECK constraint"
INDEX: Final = "index"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; `values` are those of its enum type, if it has one that the database knows."""

    type: str
    nullable: bool
    default: str | None = None
    values: tuple[str, ...] = ()
    extra: str = ""  # generated, identity, collation


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A constraint or an index: two of one kind and text do the same, whatever their names.

    `source` is the condition of a CHECK as it may be written again.
    """

    kind: str
    text: str
    name: str | None = None
    source: str = field(default="", compare=False)

    @property
    def what_it_does(self) -> tuple[str, str]:
        """Its kind and its text, by which rules are compared."""
        return self.kind, self.text


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its columns by name; `options` are SQLite's, such as STRICT."""

    columns: Mapping[str, Column]
    rules: tuple[Rule, ...] = field(default=())
    options: tuple[str, ...] = ()
