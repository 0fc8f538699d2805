"""The few SQL expressions that are written differently on SQLite and PostgreSQL.

``code_points(x)`` orders by code point, ``position(x, y)`` finds text without patterns,
``begins(x, y)`` is its own, and ``is_among(x, many)`` takes any number of values as one parameter.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Many", "begins", "code_points", "is_among", "is_json_null", "position"]


class code_points(FunctionElement[str]):  # noqa: N801 - SQL functions are lower case
    """A text that orders by code point."""

    inherit_cache = True
    type = sa.Text()


class position(FunctionElement[int]):  # noqa: N801 - as above
    """Where a text first has another in it, from 1; 0 when nowhere."""

    inherit_cache = True
    type = sa.Integer()


class begins(FunctionElement[bool]):  # noqa: N801 - as above
    """Whether a text begins with another."""

    inherit_cache = True
    type = sa.Boolean()


class is_among(FunctionElement[bool]):  # noqa: N801 - as above
    """Whether a value is one of those in a `Many` parameter."""

    inherit_cache = True
    type = sa.Boolean()


class is_json_null(FunctionElement[bool]):  # noqa: N801 - as above
    """Whether JSON is its own null, which SQLAlchemy reads as None, too."""

    inherit_cache = True
    type = sa.Boolean()


class Many(TypeDecorator[Any]):
    """Any number of values as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array, or the text of one."""
        if dialect.name == "postgresql":
            return postgresql.ARRAY(self.item)
        return sa.Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The items as the database keeps them."""
        if dialect.name == "postgresql":
            return list(value)
        convert = self.item.dialect_impl(dialect).bind_processor(dialect)
        return json.dumps([item if convert is None else convert(item) for item in value])

    @property
    def python_type(self) -> type[Any]:
        """A list."""
        return list


@compiles(code_points)
def _plain(element: code_points, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(code_points, "postgresql")
def _collated(element: code_points, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


@compiles(position)
def _instr(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(position, "postgresql")
def _strpos(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


@compiles(begins)
def _instr_first(element: begins, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) = 1)"


@compiles(begins, "postgresql")
def _starts_with(element: begins, compiler: SQLCompiler, **options: Any) -> str:
    return f"starts_with({compiler.process(element.clauses, **options)})"


@compiles(is_among)
def _in_json(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    value, many = (compiler.process(part, **options) for part in element.clauses)
    return f"({value} IN (SELECT value FROM json_each({many})))"  # noqa: S608 - compiled parts


@compiles(is_among, "postgresql")
def _any_array(element: is_among, compiler: SQLCompiler, **options: Any) -> str:
    value, many = (compiler.process(part, **options) for part in element.clauses)
    return f"({value} = ANY ({many}))"


@compiles(is_json_null)
def _trimmed(element: is_json_null, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(trim({text}, char(32, 9, 10, 13)) = 'null')"


@compiles(is_json_null, "postgresql")
def _trimmed_text(element: is_json_null, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(btrim(CAST({text} AS TEXT), E' \\t\\n\\r') = 'null')"
