"""What conditions ask of the caller: read once for each check, and checked for their types.

An attribute that the caller does not have counts as missing. One of a wrong type is a bug somewhere
else, and nothing may be granted on it: the whole check is denied, under a negation too, and logged.
"""

from __future__ import annotations

import inspect
import logging
import operator
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from licet.authz._shape import Column, Kind, misfit, misplaced
from licet.authz.conditions import CallerCheck, CallerTest, Condition, IsNull, Op, in_utc

__all__ = [
    "CallerValues",
    "InvalidCaller",
    "read_caller",
    "read_collection",
    "read_test",
    "require_fit",
]

log = logging.getLogger(__name__)
_EXACT: Final = frozenset({Kind.INTEGER, Kind.BOOLEAN, Kind.UUID, Kind.DATE})
Reader = Callable[[Any], Any]


class InvalidCaller(Exception):
    """The caller has an attribute that cannot be compared; the text says which and why."""


def read_caller(identity: Any, path: tuple[str, ...]) -> Any:
    """The caller's attribute at a path, or None; mappings on the way are read by key."""
    value = identity
    for name in path:
        is_mapping = isinstance(value, Mapping)
        value = value.get(name) if is_mapping else getattr(value, name, None)
        if value is None:
            return None
    return value


class CallerValues:
    """Everything that one policy asks of its callers, each thing once.

    Conditions refer to a value by its index in the tuple that `read` returns.
    """

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self._index: dict[Any, int] = {}

    def add_value(self, path: tuple[str, ...], column: Column, *, is_collection: bool) -> int:
        """The index of an attribute that is compared with `column`."""
        key = (path, column.kind, column.enum_class, is_collection)
        read = _collection_reader if is_collection else _scalar_reader
        return self._add(key, lambda: read(path, column))

    def add_test(self, condition: Condition) -> int:
        """The index of the outcome of a test of the caller alone."""
        return self._add(condition, lambda: _test_reader(condition))

    def _add(self, key: Any, make: Callable[[], Reader]) -> int:
        if key not in self._index:
            self._index[key] = len(self._readers)
            self._readers.append(make())
        return self._index[key]

    def require(self, identity: Any) -> None:
        """Refuse a caller one of whose values is of a wrong type.

        Raises:
            InvalidCaller: it says which.
        """
        for read in self._readers:
            read(identity)

    def read(self, identity: Any) -> tuple[Any, ...] | None:
        """The caller's values, or None when one of them is of a wrong type."""
        try:
            return tuple([read(identity) for read in self._readers])
        except InvalidCaller as error:
            log.error("A check is denied: %s", error)  # noqa: TRY400 - told in one line
        except Exception:
            log.exception("A check is denied: an attribute of the caller could not be read.")
        return None


def _scalar_reader(path: tuple[str, ...], column: Column) -> Reader:
    name, wanted, is_exact = path[0], column.kind.value, column.kind in _EXACT

    def read(identity: Any) -> Any:
        value = read_caller(identity, path)
        if value is not None:
            require_fit(path, column, value)
        return in_utc(value)

    def read_attribute(identity: Any) -> Any:
        value = getattr(identity, name, None)
        return value if type(value) is wanted else read(identity)

    return read_attribute if is_exact and len(path) == 1 else read


def _collection_reader(path: tuple[str, ...], column: Column) -> Reader:
    return lambda identity: read_collection(path, column, identity)


def read_collection(path: tuple[str, ...], column: Column, identity: Any) -> frozenset[Any]:
    """The members of a collection that the caller has; empty when they have none.

    Raises:
        InvalidCaller: it is no collection, or a member cannot be compared with `column`.
    """
    values = read_caller(identity, path)
    if values is None:
        return frozenset()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Collection):
        raise InvalidCaller(
            f"caller.{'.'.join(path)} is {type(values).__name__}, not a collection."
        )
    for value in values:
        if value is not None:
            require_fit(path, column, value)
    return frozenset(map(in_utc, values)) - {None}


def require_fit(path: tuple[str, ...], column: Column, value: Any) -> None:
    """Refuse a value of the caller's that cannot be compared with `column`.

    Raises:
        InvalidCaller: with the reason, without the value.
    """
    if (reason := misfit(column, value)) is not None:
        raise InvalidCaller(f"caller.{'.'.join(path)}, compared with {column.name}, {reason}.")


def _test_reader(condition: Condition) -> Reader:
    if not isinstance(condition, CallerTest):
        return lambda identity: read_test(condition, identity)
    path, operand, compare = condition.path, condition.operand, _COMPARE.get(condition.op)
    is_plain = isinstance(operand, str) or (
        isinstance(operand, int) and condition.op is not Op.CONTAINS
    )
    if compare is None or len(path) > 1 or not is_plain:
        return lambda identity: read_test(condition, identity)
    name, wanted = path[0], type(operand)

    def read(identity: Any) -> bool:
        value = getattr(identity, name, None)
        if type(value) is wanted:
            return bool(compare(value, operand))
        return read_test(condition, identity)

    return read


def read_test(condition: Condition, identity: Any) -> bool:
    """The outcome of a test of the caller alone.

    Raises:
        InvalidCaller: what it asks is of a wrong type.
    """
    if isinstance(condition, CallerTest):
        return _holds(condition, read_caller(identity, condition.path))
    if isinstance(condition, CallerCheck):
        return _outcome(condition, identity)
    if isinstance(condition, IsNull):
        return read_caller(identity, condition.path) is None
    raise TypeError(f"{condition} is no test of the caller.")


def _outcome(check: CallerCheck, identity: Any) -> bool:
    outcome: object = check.function(identity)
    if outcome is None or isinstance(outcome, bool | int):
        return bool(outcome)
    if inspect.iscoroutine(outcome):
        outcome.close()  # or Python warns that it was never awaited
    raise InvalidCaller(f"{check} returned {type(outcome).__name__}, not True or False.")


def _holds(test: CallerTest, value: Any) -> bool:
    """Two-valued, and never True by chance between values of different types."""
    op, operand = test.op, test.operand
    if value is None:
        return op is Op.NE
    if op is Op.IN:
        return bool(operand) and _comparable(test, value, *operand) in operand
    if op is Op.CONTAINS and not isinstance(value, str):
        return _contains(test, value)
    return bool(_COMPARE[op](_comparable(test, value, operand), operand))


def _comparable(test: CallerTest, value: Any, *operands: Any) -> Any:
    """The caller's value, which must be of the type of one of the operands."""
    reason = misplaced(value) if isinstance(value, datetime) else None
    if type(value) not in set(map(type, operands)):
        reason = f"is {type(value).__name__}, not {type(operands[0]).__name__}"
    if reason is not None:
        raise InvalidCaller(f"caller.{'.'.join(test.path)}, asked for in `{test}`, {reason}.")
    return in_utc(value)


def _contains(test: CallerTest, value: Any) -> bool:
    if isinstance(value, Mapping) or not isinstance(value, Collection):
        raise InvalidCaller(
            f"caller.{'.'.join(test.path)} is {type(value).__name__}, not a collection."
        )
    return test.operand in {
        _comparable(test, one, test.operand) for one in value if one is not None
    }


_COMPARE: Final[Mapping[Op, Callable[[Any, Any], Any]]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.CONTAINS: operator.contains,
    Op.STARTSWITH: str.startswith,
}
