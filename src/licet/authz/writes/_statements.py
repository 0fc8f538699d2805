"""INSERT, UPDATE and DELETE on guarded tables: filtered by a policy, marked, or refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Compiled
from sqlalchemy.orm import FromStatement, Session
from sqlalchemy.sql.lambdas import LambdaElement

from licet.authz.callers.asking import request_id
from licet.authz.policies._in_sql._changes import FILTERED, model_written
from licet.authz.policies.verbs import DELETE, UPDATE
from licet.authz.writes._family import BY_SERVICE, GRANTS, name_of
from licet.authz.writes._flushes import flushes
from licet.authz.writes._guard import Guard
from licet.authz.writes._scope import Scope, begin_watch
from licet.errors import UnguardedWrite

__all__ = [
    "UNGUARDED",
    "closed_table",
    "is_permitted",
    "note_filtered",
    "permit_or_refuse",
    "permitted",
    "written_by",
]

log = logging.getLogger("licet.authz.decisions")
UNGUARDED: Final = "licet_unguarded"
_permitted: ContextVar[int | None] = ContextVar("licet_permitted_statement", default=None)


@contextmanager
def permitted() -> Iterator[None]:
    """Let the statements of the block pass, but not those of a flush that begins in it."""
    token = _permitted.set(flushes())
    try:
        yield
    finally:
        _permitted.reset(token)


def is_permitted() -> bool:
    """Whether the statement that is executed now was let pass."""
    return _permitted.get() == flushes()


def written_by(statement: Any) -> Any:
    """The INSERT, UPDATE or DELETE that is executed, whatever it is wrapped in; or None."""
    while not isinstance(statement, sa.Insert | sa.Update | sa.Delete):
        match statement:
            case FromStatement():
                statement = statement.element
            case LambdaElement():
                statement = statement._resolved
            case Compiled():
                statement = statement.statement
            case _:
                return None
    return statement


def closed_table(guard: Guard, statement: Any, parameters: Iterable[Any] = ()) -> Any:
    """The guarded table that the statement writes, itself or in an expression of it; or None."""
    written = [statement, *(one.element for one in getattr(statement, "_independent_ctes", ()))]
    for one in written:
        if isinstance(one, sa.Insert | sa.Update | sa.Delete):
            for table in _tables(one.table):
                name = name_of(table)
                if name in guard.closed or _takes_others(guard, one, name, parameters):
                    return table
    return None


def _takes_others(guard: Guard, statement: Any, name: Any, parameters: Iterable[Any]) -> bool:
    """Whether the database deletes or changes guarded rows with those that the statement writes."""
    deletes = isinstance(statement, sa.Delete)
    if isinstance(statement, sa.Insert) and any(
        "REPLACE" in str(prefix).upper() for prefix, _ in statement._prefixes
    ):
        deletes = True  # the rows that stand in the way
    if deletes and name in guard.undeletable:
        return True
    referred = guard.referred.get(name)
    return referred is not None and not referred.isdisjoint(_columns_set(statement, parameters))


def _columns_set(statement: Any, parameters: Iterable[Any]) -> set[str]:
    """The names of the columns that a statement sets of rows that there are."""
    if isinstance(statement, sa.Insert):
        clause = getattr(statement, "_post_values_clause", None)
        given = list(getattr(clause, "update_values_to_set", None) or ())
        given = [one[0] if isinstance(one, tuple) else one for one in given]
    else:
        given = [*(statement._values or ()), *(pair[0] for pair in _ordered(statement))]
        given += [name for row in parameters for name in row or ()]
    columns, model = getattr(statement.table, "c", {}), model_written(statement)
    attributes = sa.inspect(model).column_attrs if model is not None else {}
    names = set[str]()
    for one in given:
        key = getattr(one, "key", one)
        found = [*attributes[key].columns] if key in attributes else [columns.get(key, one)]
        names.update(str(getattr(column, "name", column)) for column in found)
    return names


def _tables(source: Any) -> list[Any]:
    if isinstance(source, sa.Join):
        return [*_tables(source.left), *_tables(source.right)]
    return [getattr(source, "element", source)]


def permit_or_refuse(table: Any, options: Mapping[str, Any]) -> None:
    """Let a statement pass that is marked as unguarded, and log its reason.

    Raises:
        UnguardedWrite: it is not, or gives no reason.
    """
    if name_of(table) == GRANTS and BY_SERVICE in options:
        return  # licet's own, which has asked who may give the role
    reason = options.get(UNGUARDED)
    if not isinstance(reason, str) or not reason.strip():
        raise UnguardedWrite(
            f"A statement writes the guarded table {table}, and no policy decides about its rows. "
            "Change objects of the session instead; or restrict it: session.execute(policy.filter("
            "update(Model)…, identity, UPDATE)); or say why nothing is to be asked: "
            f'.execution_options({UNGUARDED}="the reason").'
        )
    log.warning("unguarded write of %s, request %s: %s", table, request_id(), reason)


def note_filtered(session: Session, scope: Scope, statement: Any, parameters: Any) -> None:
    """Note the rows that an UPDATE or DELETE made by `policy.filter` is going to write.

    Raises:
        UnguardedWrite: it changes primary keys, so that its rows could not be found afterwards.
    """
    if isinstance(parameters, list):
        raise UnguardedWrite(
            "A statement that a policy restricts is executed once, not for a list of rows: change "
            "the objects, or execute it for each row."
        )
    mapper = sa.inspect(statement._execution_options[FILTERED])
    is_delete = isinstance(statement, sa.Delete)
    if not is_delete:
        _require_same_keys(scope.guard, statement, parameters, mapper)
    if session.autoflush:
        session.flush()
    watch = begin_watch(session, scope)
    names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    source = model_written(statement)
    columns = [
        getattr(source, name) if source else column
        for name, column in zip(names, mapper.primary_key, strict=True)
    ]
    selected = sa.select(*columns)
    if statement.whereclause is not None:
        selected = selected.where(statement.whereclause)
    rows = watch.questions.run(mapper, selected, None, was=False, parameters=parameters or {})
    keys = [tuple(row) for row in rows]  # not by the session, which may narrow what it selects
    watch.note(mapper, keys, DELETE if is_delete else UPDATE)
    watch.confirm(mapper, keys, is_gone=is_delete)


def _require_same_keys(guard: Guard, statement: Any, parameters: Any, mapper: Any) -> None:
    names = _columns_set(statement, [parameters])
    moved = sorted(column.key for column in mapper.primary_key if column.name in names)
    if moved:
        raise UnguardedWrite(
            f"The statement changes the primary key {', '.join(moved)}: change the objects instead."
        )
    referred = (guard.referred.get(name_of(table), frozenset()) for table in mapper.tables)
    if taken := sorted(names & frozenset().union(*referred)):
        raise UnguardedWrite(
            f"The statement changes {', '.join(taken)}, with which the database changes the rows "
            "that refer to it: change the objects instead."
        )


def _ordered(statement: Any) -> Any:
    return getattr(statement, "_ordered_values", None) or ()
