"""One check of a case on a database: every reading of each question agrees with the oracle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, contains_eager, selectinload, with_loader_criteria
from tests.property.schemas.cases import Case, is_refused, said
from tests.property.schemas.mapped import Mapped
from tests.property.schemas.oracle import Question, holds
from tests.property.schemas.spec import CLASS, Entity, Row, Rows, key_of

from licet.authz import CREATE, LIST, UPDATE, VIEW, Policy, everyone, list_objects
from licet.errors import UnloadedObject, UntranslatableCondition

__all__ = ["LISTS", "LOADS", "Drawn", "check"]

_VERBS = LIST | VIEW | UPDATE | CREATE
Loads = Callable[[Session, Any, Entity], list[Any]]


@dataclass
class Drawn:
    """What is drawn for one question: how objects are loaded and listed, and a row to come."""

    load: str
    lists: list[str]
    draft: Row


def check(case: Case, connection: sa.Connection, drawn: list[Drawn]) -> int:
    """How many questions were answered; the database is afterwards as it was before.

    Raises:
        AssertionError: two answers differ.
    """
    with Mapped(case.schema) as mapped, _stored(case.rows, mapped, connection), _quiet():
        asked = (_Asked(case, mapped, *question) for question in case.questions)
        return sum(one.check(connection, how) for one, how in zip(asked, drawn, strict=True))


@contextmanager
def _stored(rows: Rows, mapped: Mapped, connection: sa.Connection) -> Iterator[None]:
    try:
        with connection.begin() as transaction:
            mapped.store(rows, connection)
            yield
            transaction.rollback()
    finally:  # SQLite's driver commits before it makes a table
        with connection.begin():
            mapped.registry.metadata.drop_all(connection)


class _Asked:
    def __init__(self, case: Case, mapped: Mapped, entity: Entity, question: Question) -> None:
        self.case, self.mapped, self.entity, self.question = case, mapped, entity, question
        self.model = mapped.of(entity)
        self.caller = SimpleNamespace(**case.caller)

    def check(self, connection: sa.Connection, how: Drawn) -> int:
        policy = Policy(self.model).allow(everyone, _VERBS, when=said(self.question))
        try:
            policy.build()
        except UntranslatableCondition as error:
            if not (is_refused(self.question) or "A condition has over" in str(error)):
                raise
            return 0
        assert not is_refused(self.question), f"{self.question} was to be refused"
        wanted = self._wanted()
        with Session(connection) as session:
            self._check_lists(policy, session, wanted, how.lists)
        with Session(connection) as session:
            self._check_decisions(policy, session, LOADS[how.load], wanted, how.load)
        with Session(connection) as session:
            self._check_draft(policy, session, how.draft)
        return 1

    def _wanted(self) -> dict[tuple[Any, ...], bool]:
        rows = self.case.rows
        return {
            key_of(row, self.entity): holds(self.question, row, rows, self.case.caller)
            for row in rows.of(self.entity)
        }

    def _keys(self, objects: list[Any]) -> list[tuple[Any, ...]]:
        return [tuple(getattr(one, c.name) for c in self.entity.key) for one in objects]

    def _check_lists(
        self, policy: Policy, session: Session, wanted: dict[Any, bool], names: list[str]
    ) -> None:
        right = sorted((key for key, outcome in wanted.items() if outcome), key=repr)
        for name in names:
            found = sorted(self._listed(policy, session, name), key=repr)
            assert found == right, f"{name}: {found}, not {right}"

    def _listed(self, policy: Policy, session: Session, name: str) -> list[tuple[Any, ...]]:
        """The keys of one kind of list, of `LISTS`."""
        model, alias, caller = self.model, aliased(self.model), self.caller
        some = getattr(model, self.entity.all_columns[-1].name)
        match name:
            case "rows":
                listed = list_objects(policy, session, sa.select(model), caller, may=(UPDATE,))
                return self._keys([one.object for one in listed if UPDATE.name in one.verbs])
            case "criterion":
                columns = [getattr(model, column.name) for column in self.entity.key]
                marked = sa.select(*columns).where(policy.criterion(caller, UPDATE))
                return [tuple(row) for row in session.execute(marked)]
            case "plain":
                statement = sa.select(model)
            case "page":
                statement = sa.select(model).order_by(some).limit(99)
            case "alias":
                statement = sa.select(alias)
            case _:
                statement = sa.select(alias).limit(99).offset(0)
        return self._keys(list(session.scalars(policy.filter(statement, caller))))

    def _check_decisions(
        self, policy: Policy, session: Session, load: Loads, wanted: dict[Any, bool], how: str
    ) -> None:
        for one in load(session, self.model, self.entity):
            (key,) = self._keys([one]) if how != "detached" else [_identity(one)]
            try:
                decided = policy.decide(self.caller, VIEW, one).allowed
                explained = policy.explain(self.caller, VIEW, one).holds
            except UnloadedObject:
                assert how == "detached"
                continue
            assert decided is wanted[key], f"decide, {how}: {key} is {decided}"
            assert explained is wanted[key], f"explain, {how}: {key} is {explained}"

    def _check_draft(self, policy: Policy, session: Session, row: Row) -> None:
        """The same of an object that is in no database yet.

        What other rows lead to does not change before it is written.
        """
        wanted = holds(self.question, row, self.case.rows, self.case.caller)
        draft = self.model(**{name: value for name, value in row.items() if name != CLASS})
        free = policy.decide(self.caller, CREATE, draft, session=session).allowed
        assert free is wanted, f"decide, a draft in no session: {free}"
        session.add(draft)
        with session.no_autoflush:
            pending = policy.decide(self.caller, CREATE, draft).allowed
        assert pending is wanted, f"decide, pending: {pending}"


def _identity(one: Any) -> tuple[Any, ...]:
    return tuple(sa.inspect(one).identity)


def _all(session: Session, model: Any, *options: Any) -> list[Any]:
    return list(session.scalars(sa.select(model).options(*options)).unique())


def _plainly(session: Session, model: Any, _entity: Entity) -> list[Any]:
    return _all(session, model)


def _eagerly(session: Session, model: Any, _entity: Entity) -> list[Any]:
    return _all(session, model, *(selectinload(one) for one in _relationships(model)))


def _expired(session: Session, model: Any, entity: Entity) -> list[Any]:
    found = _eagerly(session, model, entity)
    session.expire_all()
    return found


def _detached(session: Session, model: Any, entity: Entity) -> list[Any]:
    found = _eagerly(session, model, entity)
    session.expunge_all()
    return found


def _partly(session: Session, model: Any, _entity: Entity) -> list[Any]:
    """With relationships that are loaded without any row."""
    never = sa.literal(1) == 2
    found = _all(session, model, *(selectinload(one.and_(never)) for one in _relationships(model)))
    _touch(found)
    return found


def _joined(session: Session, model: Any, _entity: Entity) -> list[Any]:
    """With one collection that a join fills, without any row."""
    for one in _relationships(model):
        if one.property.uselist and one.property.secondary is None:
            target = aliased(one.property.mapper.class_)
            related = one.of_type(target)
            statement = sa.select(model).outerjoin(related.and_(sa.literal(1) == 2))
            filled = statement.options(contains_eager(related))
            return list(session.scalars(filled).unique())
    return _all(session, model)


def _softly(session: Session, model: Any, _entity: Entity) -> list[Any]:
    """With criteria that hide every related row."""
    targets = {one.property.mapper.class_ for one in _relationships(model)} - {model}
    mine = sa.inspect(model)
    others = [one for one in targets if not mine.isa(sa.inspect(one).base_mapper)]
    criteria = (with_loader_criteria(one, sa.literal(1) == 2) for one in others)
    found = _all(session, model, *criteria)
    _touch(found)
    return found


def _touch(objects: list[Any]) -> None:
    for one in objects:
        for prop in sa.inspect(one).mapper.relationships:
            getattr(one, prop.key)


def _relationships(model: Any) -> list[Any]:
    mapper = sa.inspect(model)
    return [
        getattr(model, prop.key)
        for prop in mapper.relationships
        if not prop.entity.is_aliased_class
    ]


LISTS = ("plain", "page", "alias", "page of an alias", "criterion", "rows")
LOADS: dict[str, Loads] = {
    "plain": _plainly,
    "eager": _eagerly,
    "expired": _expired,
    "detached": _detached,
    "partly": _partly,
    "joined": _joined,
    "with criteria": _softly,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Denials of odd objects are logged; a thousand of them say nothing."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
