"""Mapped objects within values: whether there are any, however deep."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Row, RowMapping
from sqlalchemy.orm import Query

from licet.authz._places import invalid

__all__ = ["Mask", "See", "holds_rows", "is_many", "is_mapped", "refuse_columns"]

Mask = Collection[str] | None
"""The fields that are seen of an object; None of one without a policy."""
See = Callable[[Any], tuple[bool, Mask]]
"""Whether the reader may see a related object, and under which mask."""

_MANY: Final = (Sequence, AbstractSet, ValuesView, Iterator, Query)
_TEXTS: Final = (str, bytes, bytearray, memoryview)


def is_mapped(value: object) -> bool:
    """Whether it is an object of a class that SQLAlchemy maps."""
    return hasattr(value, "_sa_instance_state")


def is_many(value: object) -> bool:
    """Whether it is several values: a list, a tuple, a set, an iterator, a query."""
    return isinstance(value, _MANY) and not isinstance(value, _TEXTS)


def refuse_columns(value: object) -> None:
    """Refuse a row of columns: no policy can tell whose values these are.

    Raises:
        InvalidCondition: it is one.
    """
    if isinstance(value, Row | RowMapping):
        raise invalid(
            "An answer shows objects, and this is a row of columns, which no policy guards: give "
            "the objects (session.scalars(select(Book))), or a dict of values that all may see."
        )


def holds_rows(value: Any, above: frozenset[int] = frozenset()) -> bool:
    """Whether it is a mapped object or holds one, in containers and objects of any kind.

    Raises:
        InvalidCondition: it holds a row of columns.
    """
    if value is None or isinstance(value, str | int | float | bytes) or id(value) in above:
        return False
    if is_mapped(value):
        return True
    refuse_columns(value)
    above |= {id(value)}
    if isinstance(value, Iterator | Query):
        return True  # looked at once, when it is dumped
    if isinstance(value, Mapping):
        return any(holds_rows(one, above) for one in value.values())
    if is_many(value):
        return any(holds_rows(one, above) for one in value)
    inner = getattr(value, "__dict__", {})
    is_own = isinstance(value, BaseModel) or type(value).__module__ != "builtins"
    return is_own and any(holds_rows(one, above) for one in inner.values())
