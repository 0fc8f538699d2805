"""What conditions ask of the caller: read once for each check, and checked for their types.

An attribute that the caller does not have counts as missing. One of a wrong type is a bug somewhere
else, and nothing may be granted on it: the whole check is denied, under a negation too, and logged.
An HTTPException that reading raises stays the answer.
"""

from __future__ import annotations

import inspect
import logging
import operator
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any, Final

from werkzeug.exceptions import HTTPException

from licet.authz._clock import at_one_moment, decision_moment
from licet.authz._moment import Now, in_utc, known_moment
from licet.authz.policies._models.shape import Column, Kind, misfit, misplaced, too_many
from licet.authz.policies._models.stored import Unfit, as_stored
from licet.authz.policies.conditions import CallerCheck, CallerTest, Condition, IsNull, Op

__all__ = [
    "CallerValues",
    "InvalidCaller",
    "fitting",
    "moment_after",
    "moment_beside",
    "read_caller",
    "read_collection",
    "read_predicate",
    "read_test",
    "require_fit",
    "told",
]

log = logging.getLogger(__name__)
_EXACT: Final = frozenset({Kind.INTEGER, Kind.BOOLEAN, Kind.UUID, Kind.DATE})
Reader = Callable[[Any], Any]


class InvalidCaller(Exception):
    """Something that a check asks for is of no use; the text says what and why, without values."""


def told(error: BaseException) -> str:
    """An error's class and place. Its text may hold anything, and is for no log."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frame.filename}:{frame.lineno}"


def read_caller(identity: Any, path: tuple[str, ...]) -> Any:
    """The caller's attribute at a path, or None; mappings on the way are read by key."""
    value = identity
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        else:  # what a property raises is a fault of its own, and no sign that there is none
            found = getattr(value, name, None)
            is_asked = found is None and _has_descriptor(type(value), name)
            value = getattr(value, name) if is_asked else found
        if value is None:
            return None
    return value


def _has_descriptor(kind: type[Any], name: str) -> bool:
    """Whether a class has a property of that name, or the like; a slot may never be filled."""
    for one in kind.__mro__:
        if name in one.__dict__:
            found = one.__dict__[name]
            return hasattr(type(found), "__get__") and type(found) is not MemberDescriptorType
    return False


class CallerValues:
    """Everything that one policy asks of its callers, each thing once.

    Conditions refer to a value by its index in the list that `read` returns.
    """

    def __init__(self) -> None:
        self.asks_now = False
        self._readers: list[Reader] = []
        self._index: dict[Any, int] = {}

    def add_value(self, path: tuple[str, ...], column: Column, *, is_collection: bool) -> int:
        """The index of an attribute that is compared with `column`."""
        key = (path, column.kind, column.enum_class, is_collection)
        read = _collection_reader if is_collection else _scalar_reader
        return self._add(key, lambda: read(path, column))

    def add_moment(self, now: Now, column: Column) -> int:
        """The index of the moment that is compared with `column`; of its date, when that is one."""
        self.asks_now = True
        key = (now.offset, column.kind)
        return self._add(key, lambda: lambda _identity: moment_beside(now, column))

    def add_test(self, condition: Condition) -> int:
        """The index of the outcome of a test of the caller alone."""
        if isinstance(condition, CallerTest) and isinstance(condition.operand, Now):
            self.asks_now = True
        return self._add(condition, lambda: _test_reader(condition))

    def _add(self, key: Any, make: Callable[[], Reader]) -> int:
        if key not in self._index:
            self._index[key] = len(self._readers)
            self._readers.append(make())
        return self._index[key]

    def read(self, identity: Any) -> list[Any] | None:
        """The caller's values, or None when one of them is of a wrong type."""
        if self.asks_now and known_moment() is None:  # which is one for all of them
            with at_one_moment():
                return self.read(identity)
        values = []
        try:
            for read in self._readers:  # a comprehension is a function of its own before 3.12
                values.append(read(identity))  # noqa: PERF401
        except HTTPException:  # such as a bad token, found when the caller is asked
            raise
        except Exception as error:  # noqa: BLE001 - denied, whatever it is
            log.error("A check is denied: %s", _refusal(error))  # noqa: TRY400 - no values
            return None
        return values

    def require(self, identity: Any) -> None:
        """Refuse a caller whose values cannot be used.

        Raises:
            InvalidCaller: it says which.
        """
        try:
            for read in self._readers:
                read(identity)
        except HTTPException:
            raise
        except Exception as error:
            raise InvalidCaller(_refusal(error)) from error


def _refusal(error: Exception) -> str:
    if isinstance(error, InvalidCaller):
        return str(error)
    return f"an attribute of the caller could not be read: {told(error)}."


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
    if (reason := too_many(column, values)) is not None:
        raise InvalidCaller(f"caller.{'.'.join(path)} {reason}.")
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


def fitting(value: Any, column: Column, owner: Any) -> Any:
    """An object's value as it is compared, in UTC when it is a moment.

    Raises:
        InvalidCaller: it is not of the column's type, as one that was assigned and not read back.
    """
    if column.is_converted:
        try:
            return as_stored(value, column, owner)
        except Unfit as error:
            raise InvalidCaller(f"{type(owner).__name__}.{column.name} {error}.") from error
    is_unlike = type(value) is not column.value_type or column.kind is Kind.MOMENT
    if value is not None and is_unlike and (reason := misfit(column, value)) is not None:
        raise InvalidCaller(f"{type(owner).__name__}.{column.name} {reason}.")
    return in_utc(value)


def moment_beside(now: Now, column: Column) -> Any:
    """The value of `now` in this decision, for a column of moments or dates.

    Raises:
        InvalidCaller: it is not within the years 1 to 9999.
    """
    moment = moment_after(now)
    return moment.date() if column.kind is Kind.DATE else moment


def moment_after(now: Now) -> datetime:
    """The moment that a term means in this decision.

    Raises:
        InvalidCaller: it is not within the years 1 to 9999.
    """
    try:
        return now.after(decision_moment())
    except OverflowError:
        raise InvalidCaller(f"{now} is outside of the years 1 to 9999.") from None


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
        return _as_outcome(condition.function, condition.function(identity))
    if isinstance(condition, IsNull):
        return read_caller(identity, condition.path) is None
    raise TypeError(f"{condition} is no test of the caller.")


def read_predicate(function: Callable[[Any, Any], bool], owner: Any, identity: Any) -> bool:
    """The outcome of a Python function of the object and the caller.

    Raises:
        InvalidCaller: it raised, or returned something else than True or False.
    """
    try:
        outcome = function(owner, identity)
    except HTTPException:
        raise
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise InvalidCaller(f"{name} raised {told(error)}.") from error
    return _as_outcome(function, outcome)


def _as_outcome(function: object, outcome: object) -> bool:
    if outcome is None or isinstance(outcome, bool | int):
        return bool(outcome)
    if inspect.iscoroutine(outcome):
        outcome.close()  # or Python warns that it was never awaited
    name = getattr(function, "__qualname__", repr(function))
    raise InvalidCaller(f"{name} returned {type(outcome).__name__}, not True or False.")


def _holds(test: CallerTest, value: Any) -> bool:
    """Two-valued, and never True by chance between values of different types."""
    op, operand = test.op, test.operand
    if value is None:
        return op is Op.NE
    if isinstance(operand, Now):
        operand = moment_after(operand)
    if op is Op.IN:
        return bool(operand) and _is_among(_comparable(test, value, *operand), operand)
    if op is Op.CONTAINS and not isinstance(value, str):
        return _contains(test, value)
    return bool(_COMPARE[op](_comparable(test, value, operand), operand))


def _comparable(test: CallerTest, value: Any, *operands: Any) -> Any:
    """The caller's value, which must be of the type of one of the operands."""
    reason = misplaced(value) if isinstance(value, datetime) else None
    if isinstance(value, Decimal) and not value.is_finite():
        reason = "is not a finite number"
    if type(value) not in set(map(type, operands)):
        reason = f"is {type(value).__name__}, not {type(operands[0]).__name__}"
    if reason is not None:
        raise InvalidCaller(f"caller.{'.'.join(test.path)}, asked for in `{test}`, {reason}.")
    return in_utc(value)


def _is_among(value: Any, constants: Iterable[Any]) -> bool:
    """Whether it is one of them, of its own type: True is no 1."""
    return any(type(one) is type(value) and one == value for one in constants)


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
