"""One check of a case on a database: every reading of each condition agrees with the oracle.

The same check is held against deliberate faults in `test_condition_faults`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, selectinload
from tests.property.condition_cases import Case
from tests.property.condition_models import MODELS, Base
from tests.property.condition_oracle import holds, is_denied
from tests.unit.authz.readings import Asked

from licet.authz._moment import using_moment
from licet.authz.policies._in_sql import _page
from licet.authz.policies.conditions import Condition
from licet.db.types import UTCDateTime
from licet.errors import UntranslatableCondition

__all__ = ["check"]

Keys = set[tuple[Any, ...]]


def check(case: Case, connection: sa.Connection) -> int:
    """How many conditions were checked on the case's rows, which are gone again afterwards.

    Raises:
        AssertionError: two readings disagree.
    """
    with (
        _stored(case, connection),
        _quiet(),
        _few_are_many(),
        using_moment(case.world.moment),
    ):
        lazily, eagerly = _objects(connection, is_eager=False), _objects(connection, is_eager=True)
        n_checked = 0
        for table, condition in case.conditions:
            try:
                asked = _Question(case, table, condition)
            except UntranslatableCondition as error:
                if "A condition has over" not in str(error):
                    raise
                continue  # too deep for any database, and refused for that
            n_checked += 1
            with asked.can_be_asked():
                asked.check_decisions(lazily[table], asked.asked.decide, "decide, loading lazily")
                with _no_statements(connection):
                    asked.check_decisions(eagerly[table], asked.asked.decide, "decide, all loaded")
                    asked.check_decisions(eagerly[table], asked.asked.explain, "explain")
                asked.check_statements(connection)
        for session in (lazily["session"], eagerly["session"]):
            session.close()
    return n_checked


@contextmanager
def _stored(case: Case, connection: sa.Connection) -> Iterator[None]:
    with connection.begin() as transaction:
        for table in Base.metadata.sorted_tables:
            if rows := case.world.tables[table.name]:
                _insert(connection, table, rows)
        if connection.dialect.name == "sqlite":
            _write_as_others(connection)
        yield
        transaction.rollback()


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    model = MODELS.get(table.name)
    if model is not None:  # from the names of attributes to those of columns
        names = {prop.key: prop.columns[0].name for prop in sa.inspect(model).column_attrs}
        rows = [{names[name]: value for name, value in row.items()} for row in rows]
        naive = [one.name for one in table.columns if _is_naive(one)]
        for row in rows:
            row.update({name: row[name] and row[name].replace(tzinfo=None) for name in naive})
    connection.execute(table.insert(), rows)


def _write_as_others(connection: sa.Connection) -> None:
    """Keep the values of some rows in forms that SQLAlchemy does not write, and reads alike."""
    for column in Base.metadata.tables["item"].columns:
        if isinstance(column.type, sa.DateTime | UTCDateTime):  # as CURRENT_TIMESTAMP does
            form, where = "substr({0}, 1, 19)", "{0} LIKE '%.000000'"
        elif type(column.type) is sa.Numeric:  # as sums of doubles are
            form, where = "{0} + 1e-9", "true"
        else:
            continue
        change = f"UPDATE item SET {{0}} = {form} WHERE id % 2 AND {where}"
        connection.execute(sa.text(change.format(column.name)))


def _is_naive(column: sa.Column[Any]) -> bool:
    return type(column.type) is sa.DateTime and not column.type.timezone


def _objects(connection: sa.Connection, *, is_eager: bool) -> dict[str, Any]:
    """The stored objects of every table, in a session of their own."""
    session = Session(connection, autoflush=False)
    found: dict[str, Any] = {"session": session}
    for table, model in MODELS.items():
        chosen = sa.select(model)
        if is_eager:
            relationships = sa.inspect(model).relationships
            chosen = chosen.options(*(selectinload(rel.class_attribute) for rel in relationships))
        found[table] = session.scalars(chosen).all()
    return found


@contextmanager
def _no_statements(connection: sa.Connection) -> Iterator[None]:
    def refuse(*details: Any) -> None:
        raise AssertionError(f"A decision asked the database: {details[2]}")

    sa.event.listen(connection, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(connection, "before_cursor_execute", refuse)


@contextmanager
def _quiet() -> Iterator[None]:
    """Denied callers are logged, which here would be megabytes."""
    logs = [logging.getLogger(f"licet.authz.policies.{name}") for name in ("_caller", "_check")]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log in logs:
            log.disabled = False


@contextmanager
def _few_are_many() -> Iterator[None]:
    """Pages are chosen for callers of one row as for those of thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_page, "MANY_OWN_ROWS", 1)
        patch.setattr(_page, "FIRST_ROWS", 3)
        yield


@dataclass
class _Question:
    case: Case
    table: str
    condition: Condition

    def __post_init__(self) -> None:
        self.model = MODELS[self.table]
        self.key_names = [column.key for column in sa.inspect(self.model).primary_key]
        self.asked = Asked(self.model, self.condition)
        self.expected = [self._expected(identity) for identity in self.case.callers]

    def _expected(self, identity: Any) -> Keys:
        world = self.case.world
        if is_denied(self.condition, world, self.table, identity):
            return set()
        return {
            self._key_of_row(row)
            for row in world.tables[self.table]
            if holds(self.condition, world, self.table, row, identity)
        }

    def _key_of_row(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key_names)

    def _keys(self, entity: Any) -> list[Any]:
        return [getattr(entity, name) for name in self.key_names]

    def check_decisions(
        self, objects: list[Any], decide: Callable[[Any, Any], bool], reading: str
    ) -> None:
        for index, identity in enumerate(self.case.callers):
            found = {tuple(self._keys(o)) for o in objects if decide(o, identity)}
            self._compare(found, index, reading)

    @contextmanager
    def can_be_asked(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.StatementError, OverflowError, UnicodeError) as error:
            raise AssertionError(f"{self.condition} cannot be asked: {error}") from error

    def check_statements(self, connection: sa.Connection) -> None:
        """As columns always, and in one of three other places, which depends on the condition."""
        self._check_columns(connection)
        others = (self._check_union, self._check_alias, self._check_page)
        others[len(str(self.condition)) % len(others)](connection)

    def _check_columns(self, connection: sa.Connection) -> None:
        """Each caller's outcome as a column, which is never NULL."""
        columns = [self.asked.column(identity) for identity in self.case.callers]
        rows = connection.execute(sa.select(*self._keys(self.model), *columns)).all()
        for index in (0, 1):
            place = len(self.key_names) + index
            assert all(isinstance(row[place], bool) for row in rows), f"column: {rows}"
            found = {tuple(row[: len(self.key_names)]) for row in rows if row[place]}
            self._compare(found, index, "column")

    def _check_alias(self, connection: sa.Connection) -> None:
        other = aliased(self.model)
        where = self.asked.where(self.case.callers[1], other)
        found = connection.execute(sa.select(*self._keys(other)).where(where)).all()
        self._compare({tuple(row) for row in found}, 1, "WHERE on an alias")

    def _check_union(self, connection: sa.Connection) -> None:
        """Both callers' rows in one statement, each marked with whose it is."""
        parts = [
            sa.select(*self._keys(self.model), sa.literal_column(str(index)).label("whose")).where(
                self.asked.where(identity)
            )
            for index, identity in enumerate(self.case.callers)
        ]
        rows = connection.execute(sa.union_all(*parts)).all()
        for index in (0, 1):
            found = {tuple(row[:-1]) for row in rows if row[-1] == index}
            self._compare(found, index, "WHERE in a UNION")
        assert len(rows) == sum(map(len, self.expected)), "WHERE in a UNION: a row came twice"

    def _check_page(self, connection: sa.Connection) -> None:
        """The page from the second row on."""
        whole = sa.select(*self._keys(self.model)).order_by(*self._keys(self.model))
        page = self.asked.page(whole.limit(2).offset(1), self.case.callers[0])
        found = [tuple(row) for row in connection.execute(page)]
        every = (tuple(row) for row in connection.execute(whole))
        wanted = [key for key in every if key in self.expected[0]][1:3]
        assert found == wanted, f"a page: {self.condition} on {self.table}: {found}, not {wanted}"

    def _compare(self, found: Keys, index: int, reading: str) -> None:
        expected = self.expected[index]
        assert found == expected, (
            f"{reading}: {self.condition} on {self.table} for {self.case.callers[index]}: "
            f"expected {expected}, found {found}"
        )
