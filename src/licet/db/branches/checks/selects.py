"""A SELECT on every model: the third of the three comparisons.

Source: seed document 003, "Checking Whether Migrations Are Up To Date With The Sqlalchemy Models".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from licet.db.branches.branch import Branch
from licet.db.branches.checks._compare import Difference
from licet.db.branches.moves.failures import INSUFFICIENT_PRIVILEGE

__all__ = ["select_differences"]

_OUT_OF_DATE: Final = "model out of date with migrations"


def select_differences(branch: Branch, connection: Connection) -> list[Difference]:
    """The models whose SELECT fails, deferred columns included; no row is read."""
    return [
        Difference(
            kind="select_failed",
            subject=model,
            text=f"{model} {failed}.",
        )
        for model, statement in _statements(branch)
        if (failed := _failure(connection, statement)) is not None
    ]


def _statements(branch: Branch) -> Iterator[tuple[str, Callable[[], Any]]]:
    """By the name of the model, or of the table that has none."""
    seen: set[Any] = set()
    for mapper in sorted(branch.mappers(), key=lambda one: str(one.class_.__qualname__)):
        seen |= set(mapper.tables)
        yield mapper.class_.__name__, partial(_select, mapper)
    for table in branch.metadata.tables.values():
        if table not in seen:
            yield table.name, partial(sa.select, table)


def _select(mapper: Any) -> Any:
    return sa.select(mapper).options(orm.undefer("*"))


def _failure(connection: Connection, make: Callable[[], Any]) -> str | None:
    point = connection.begin_nested()
    try:
        with orm.Session(connection, join_transaction_mode="conditional_savepoint") as session:
            session.execute(make().limit(0)).close()
    except DBAPIError as error:
        is_right = getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE
        told = _OUT_OF_DATE if is_right else "model may not be read by this role"
        return f"{told}: {_first_line(error.orig)}"
    except SQLAlchemyError as error:  # the mapping itself is wrong
        return f"{_OUT_OF_DATE}: {_first_line(error)}"
    finally:
        point.rollback()
    return None


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0].rstrip(".")
