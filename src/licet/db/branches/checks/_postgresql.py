"""Reads the schema of a PostgreSQL database, in the server's own words for it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from licet.db.branches.checks.schema import (
    CHECK,
    FOREIGN_KEY,
    INDEX,
    PRIMARY_KEY,
    UNIQUE,
    Column,
    Rule,
    Table,
)
from licet.db.branches.sql_text import bare, without_text_casts

__all__ = ["read_postgresql"]

_ITS_TABLES: Final = """
    c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY(:schemas)
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
                    AND e.objid = c.oid AND e.deptype = 'e')
"""
_COLUMNS: Final = f"""
    SELECT n.nspname AS schema, c.relname AS table, a.attname AS name,
           format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS is_not_null,
           pg_get_expr(d.adbin, d.adrelid) AS default,
           a.attidentity::text AS identity, a.attgenerated::text AS generated,
           CASE WHEN a.attcollation <> t.typcollation THEN l.collname::text END AS collation,
           ARRAY(SELECT v.enumlabel::text FROM pg_enum v
                 WHERE v.enumtypid IN (t.oid, t.typelem, t.typbasetype)
                 ORDER BY v.enumsortorder) AS labels
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped AND {_ITS_TABLES}
    ORDER BY a.attnum
"""  # noqa: S608 - put together of constants
_CONSTRAINTS: Final = f"""
    SELECT n.nspname AS schema, c.relname AS table, k.conname AS name, k.contype::text AS kind,
           pg_get_constraintdef(k.oid) AS text
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND {_ITS_TABLES}
"""  # noqa: S608 - as above
_INDEXES: Final = f"""
    SELECT n.nspname AS schema, c.relname AS table, i.relname AS name,
           x.indisunique AS is_unique, x.indisvalid AS is_valid,
           x.indpred IS NULL AND x.indexprs IS NULL AS is_plain, pg_get_indexdef(i.oid) AS text
    FROM pg_index x
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid
                      AND k.contype IN ('p', 'u', 'x'))
      AND {_ITS_TABLES}
"""  # noqa: S608 - as above
_KINDS: Final = {"p": PRIMARY_KEY, "u": UNIQUE, "f": FOREIGN_KEY, "c": CHECK, "x": "EXCLUDE"}
_COUNTED: Final = re.compile(r"nextval\('.*'::regclass\)")
_NAMED_INDEX: Final = re.compile(r"^CREATE (UNIQUE )?INDEX .*? ON (?:ONLY )?.*? USING ")
# The models' types are made in another schema than the database's.
_SCHEMA: Final = re.compile(r'^(?:"(?:[^"]|"")+"|\w+)\.')
_OF_TYPE: Final = re.compile(r"^('(?:[^']|'')*')::[^']*$")
_QUALIFIED: Final = re.compile(r'REFERENCES (?:"[^"]+"|\w+)\.')

Key = tuple[str, str]


def read_postgresql(connection: Connection, schemas: Sequence[str]) -> dict[Key, Table]:
    """Every table of the schemas, by schema and name."""
    columns: dict[Key, dict[str, Column]] = defaultdict(dict)
    rules: dict[Key, list[Rule]] = defaultdict(list)
    for row in _rows(connection, _COLUMNS, schemas):
        columns[row.schema, row.table][row.name] = _column(row)
    for row in _rows(connection, _CONSTRAINTS, schemas):
        rules[row.schema, row.table].append(_constraint(row))
    for row in _rows(connection, _INDEXES, schemas):
        rules[row.schema, row.table].append(_index(row))
    return {key: Table(columns=found, rules=tuple(rules[key])) for key, found in columns.items()}


def _rows(connection: Connection, sql: str, schemas: Sequence[str]) -> list[Any]:
    return list(connection.execute(sa.text(sql), {"schemas": list(schemas)}))


def _column(row: Any) -> Column:
    default = row.default
    generated = f"generated as {default}" if row.generated else ""
    identity = {"a": "always identity", "d": "identity"}.get(row.identity, "")
    collation = f"collation {row.collation}" if row.collation else ""
    if default is not None:
        default = _COUNTED.sub("nextval(…)", default)
        if row.labels:
            default = _OF_TYPE.sub(r"\1", default)
    return Column(
        type=_SCHEMA.sub("", row.type),
        nullable=not row.is_not_null,
        default=None if row.generated else default,
        values=tuple(row.labels),
        extra=" ".join(filter(None, (generated, identity, collation))),
    )


def _constraint(row: Any) -> Rule:
    text = row.text
    if row.kind in "pu":  # what else is told, such as NULLS NOT DISTINCT, stays
        text = text.removeprefix("PRIMARY KEY ").removeprefix("UNIQUE ").replace('"', "")
    if row.kind == "f":
        text = _QUALIFIED.sub("REFERENCES ", text)
        text = text.replace(" ON DELETE RESTRICT", "")
    source = ""
    if row.kind == "c":
        source = bare(text.removeprefix("CHECK "))
        text = without_text_casts(source)
    return Rule(kind=_KINDS[row.kind], text=text, name=row.name, source=source)


def _index(row: Any) -> Rule:
    text = _NAMED_INDEX.sub("", row.text)
    if row.is_unique and row.is_plain and text.startswith("btree ("):
        return Rule(kind=UNIQUE, text=text.removeprefix("btree ").replace('"', ""), name=row.name)
    unique = "UNIQUE " if row.is_unique else ""
    invalid = "" if row.is_valid else " INVALID: it was not built to its end"
    text = f"{unique}{without_text_casts(text)}{invalid}"
    return Rule(kind=INDEX, text=text, name=row.name)
