"""Makes the tables of the models in a place of their own, to read them as the database's are read.

Both are so in the words of the same database: no rule of thumb has to say whether two types, two
defaults or two expressions are the same. On SQLite the place is a database in memory, on PostgreSQL
temporary tables that are rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateSequence, CreateTable
from sqlalchemy.schema import sort_tables_and_constraints as in_order

from licet.errors import ConfigurationError

__all__ = ["made_in_memory", "made_temporarily"]

_ELSEWHERE: Final = re.compile(
    r"(?<=CREATE )UNLOGGED (?=TABLE)|(?<=CREATE INDEX )CONCURRENTLY "
    r"|(?<=CREATE UNIQUE INDEX )CONCURRENTLY "
)
_BYTES: Final = 63  # of a name of PostgreSQL's, which cuts longer ones


@contextmanager
def made_in_memory(metadata: sa.MetaData) -> Iterator[Connection]:
    """A connection to a SQLite database in memory with the tables of the metadata."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    try:
        with engine.connect() as connection:
            _make(connection, metadata)
            yield connection
    finally:
        engine.dispose()


@contextmanager
def made_temporarily(connection: Connection, metadata: sa.MetaData) -> Iterator[str]:
    """The name of the PostgreSQL schema that holds the tables of the metadata during the block."""
    point = connection.begin_nested()
    try:
        path = connection.scalar(sa.text("SELECT current_setting('search_path')"))
        connection.exec_driver_sql(f"SET LOCAL search_path TO pg_temp, {path or 'public'}")
        _make(connection, metadata)
        schema = connection.scalar(
            sa.text("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()")
        )
        yield str(schema)
    finally:
        point.rollback()


def _make(connection: Connection, metadata: sa.MetaData) -> None:
    _refuse_namesakes(metadata)
    if connection.dialect.name != "sqlite":
        _refuse_long_names(metadata)
    try:
        _make_apart(connection, metadata)
    except DBAPIError:
        raise
    except SQLAlchemyError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigurationError(
            f"The tables of the models cannot be made: {reason}. Correct the models."
        ) from error


def _make_apart(connection: Connection, metadata: sa.MetaData) -> None:
    """Make the tables where nothing else is, without a schema of their own."""
    place = None if connection.dialect.name == "sqlite" else "pg_temp"
    tables = (*metadata.tables.values(), *(_beyond(metadata) if place else ()))
    types = (getattr(column.type, "schema", None) for table in tables for column in table.columns)
    schemas = dict.fromkeys((None, *(table.schema for table in tables), *types), place)
    here = connection.execution_options(schema_translate_map=schemas)
    sa.event.listen(here, "before_cursor_execute", _plainly, retval=True)
    try:
        _make_all(here, metadata)
    finally:
        sa.event.remove(here, "before_cursor_execute", _plainly)
        connection.execution_options(schema_translate_map=None)


def _plainly(
    _on: object, _cursor: object, statement: str, parameters: Any, *_others: object
) -> tuple[str, Any]:
    """Without what a temporary table cannot be, and without what wants no transaction."""
    return _ELSEWHERE.sub("", statement, count=1), parameters


def _make_all(here: Connection, metadata: sa.MetaData) -> None:
    is_sqlite = here.dialect.name == "sqlite"
    beyond = () if is_sqlite else _beyond(metadata)
    for kind in () if is_sqlite else _named_types((*metadata.tables.values(), *beyond), here):
        here.execute(kind)
    for other in beyond:
        here.execute(CreateTable(other, include_foreign_key_constraints=[]))
    ordered = in_order(list(metadata.tables.values()))  # type: ignore[no-untyped-call]  # SQLAlchemy's
    for made, keys in ordered:
        if made is None:
            for key in () if is_sqlite else keys:
                here.execute(AddConstraint(key))
            continue
        # SQLite has no ALTER for those that go in a circle: they stand in the table.
        inline = list(made.foreign_key_constraints) if is_sqlite else list(keys)
        here.execute(CreateTable(made, include_foreign_key_constraints=inline))
        for index in sorted(made.indexes, key=lambda one: str(one.name)):
            here.execute(CreateIndex(index))


def _beyond(metadata: sa.MetaData) -> list[sa.Table]:
    """Tables of another metadata that foreign keys refer to: a temporary one refers to no other."""
    own = set(metadata.tables.values())
    others = {key.column.table for table in own for key in table.foreign_keys} - own
    return sorted(others, key=lambda one: one.name)


def _refuse_namesakes(metadata: sa.MetaData) -> None:
    names = [table.name for table in metadata.tables.values()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            f"The models have a table {name} in more than one schema: these cannot be compared "
            "with a database. Register the models of each schema by themselves."
        )


def _refuse_long_names(metadata: sa.MetaData) -> None:
    for table in metadata.tables.values():
        names = [("table", str(table.name)), *(("column", str(one.name)) for one in table.columns)]
        for what, name in names:
            if (size := len(name.encode())) > _BYTES:
                raise ConfigurationError(
                    f"The name of the {what} {name} has {size} bytes, and PostgreSQL cuts it after "
                    f"{_BYTES}: give the models a shorter one."
                )


def _named_types(tables: Iterable[sa.Table], connection: Connection) -> Iterator[Any]:
    """CREATE TYPE, DOMAIN and SEQUENCE for what the columns use, once each."""
    made = set()
    for table in tables:
        for column in table.columns:
            if isinstance(column.default, sa.Sequence):
                yield CreateSequence(column.default, if_not_exists=True)
            kind = _bare(column.type, connection)
            if isinstance(kind, postgresql.ENUM) and kind.name not in made:
                made.add(kind.name)
                yield postgresql.CreateEnumType(kind)
            elif isinstance(kind, postgresql.DOMAIN) and kind.name not in made:
                made.add(kind.name)
                yield postgresql.CreateDomainType(kind)


def _bare(kind: Any, connection: Connection) -> Any:
    kind = kind.dialect_impl(connection.dialect)
    while isinstance(kind, sa.types.TypeDecorator):
        kind = kind.impl_instance.dialect_impl(connection.dialect)
    if isinstance(kind, sa.ARRAY):
        return _bare(kind.item_type, connection)
    return kind
