"""Attribute values: from JSON and from the text of URLs to Python, and back.

A value is of the column's very type, or refused; nothing is guessed. Booleans may be the texts
"true" and "false".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from licet.errors.names import with_article
from licet.wire.text import unstorable

__all__ = ["ValueType", "as_json", "as_text", "finite", "misfit", "read", "read_text"]

MOST_INTEGER: Final = 2**63 - 1
_TRUTHS: Final = {"true": True, "false": False}
_MOST_DEPTH: Final = 32


@dataclass(frozen=True)
class ValueType:
    """What values an attribute has.

    Args:
        python: str, int, bool, float, Decimal, date, datetime, UUID, or object for any JSON.
        is_nullable: None is one of them.
        max_length: of a text.
        choices: the values of an enum, by their text.
        bits: of an integer.
        is_aware: moments have a time zone; else they are kept in UTC without.
        digits: of a Decimal, in all and after the point.
    """

    python: type[Any]
    is_nullable: bool = True
    max_length: int | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    bits: int = 64
    is_aware: bool = True
    digits: tuple[int | None, int | None] = (None, None)

    @property
    def is_comparable(self) -> bool:
        """Whether values can be compared with each other."""
        return self.python is not object

    @property
    def is_text(self) -> bool:
        """Whether values are texts, which have patterns."""
        return self.python is str and not self.choices


def misfit(text: str) -> ValueError:
    """What does not fit, in words that complete "the value …"."""
    return ValueError(text)


def read(wanted: ValueType, value: Any) -> Any:
    """The Python value that JSON says.

    Raises:
        ValueError: it is of another type; the text completes "must be …".
    """
    if value is None:
        if not wanted.is_nullable:
            raise misfit("must not be null")
        return None
    if wanted.choices:
        if not isinstance(value, str) or value not in wanted.choices:
            raise misfit(f"must be one of {', '.join(wanted.choices)}")
        return wanted.choices[value]
    return _READERS[wanted.python](wanted, value)


def read_text(wanted: ValueType, text: str) -> Any:
    """The Python value that a text in a URL says.

    Raises:
        ValueError: as `read`.
    """
    if wanted.python in (int, float, Decimal) and not wanted.choices:
        try:
            return read(wanted, _number(text, wanted.python))
        except (ValueError, InvalidOperation) as error:
            told = str(error) if str(error).startswith("must") else "must be a number"
            raise misfit(told) from error
    return read(wanted, text)


def _number(text: str, python: type[Any]) -> Any:
    if not text.isascii() or len(text) > 40 or "_" in text or text != text.strip():
        raise misfit("must be a number")
    return int(text) if python is int else float(text) if python is float else Decimal(text)


def _text(wanted: ValueType, value: Any) -> str:
    if not isinstance(value, str):
        raise misfit("must be a string")
    if (what := unstorable(value)) is not None:
        raise misfit(f"must not contain {with_article(what)}")
    if wanted.max_length is not None and len(value) > wanted.max_length:
        raise misfit(f"must have at most {wanted.max_length} characters")
    return value


def _truth(_wanted: ValueType, value: Any) -> bool:
    found = _TRUTHS.get(value) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise misfit("must be true or false")
    return found


def _integer(wanted: ValueType, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise misfit("must be an integer")
    most = 2 ** (wanted.bits - 1)
    if not -most <= value < most:
        raise misfit(f"must be an integer of {wanted.bits} bits")
    return value


def _float(_wanted: ValueType, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise misfit("must be a number")
    try:
        found = float(value)
    except OverflowError as error:
        raise misfit("must be a number that a double holds") from error
    if not isfinite(found):
        raise misfit("must be a finite number")
    return found


def _decimal(wanted: ValueType, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise misfit("must be a number, or one as a string")
    try:
        found = Decimal(value if isinstance(value, int | str | Decimal) else repr(value))
    except InvalidOperation as error:
        raise misfit("must be a number, or one as a string") from error
    if not found.is_finite():
        raise misfit("must be a finite number")
    precision, scale = wanted.digits
    if found and abs(found.adjusted()) > 1000:
        raise misfit("must be a number of fewer digits")
    if precision is not None and scale is not None:
        exponent = found.normalize().as_tuple().exponent
        if found and (found.adjusted() + 1 > precision - scale or -int(exponent) > scale):
            raise misfit(f"must have at most {precision} digits, {scale} after the point")
    return found


def _date(_wanted: ValueType, value: Any) -> date:
    if isinstance(value, str) and len(value) == 10:
        try:
            found = date.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.isoformat() == value:  # no week, as in 2030-W05-4
            return found
    raise misfit("must be a date such as 2030-01-31")


def _moment(wanted: ValueType, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        is_whole = found is not None and found.utcoffset() is not None and len(value) > 10
        utc = found.astimezone(UTC) if found is not None and is_whole else None
    except (ValueError, OverflowError):
        utc = None
    if utc is None:
        raise misfit("must be a moment with its time zone, such as 2030-01-31T12:00:00Z")
    return utc if wanted.is_aware else utc.replace(tzinfo=None)


def _uuid(_wanted: ValueType, value: Any) -> UUID:
    try:
        if isinstance(value, str) and len(value) == 36:
            return UUID(value)
    except ValueError:
        pass
    raise misfit("must be a UUID")


def _any(_wanted: ValueType, value: Any) -> Any:
    _check_json(value, _MOST_DEPTH)
    return value


def _check_json(value: Any, depth: int) -> None:
    if not depth:
        raise misfit(f"must be nested at most {_MOST_DEPTH} deep")
    if isinstance(value, str) and (what := unstorable(value)) is not None:
        raise misfit(f"must not contain {with_article(what)}")
    if isinstance(value, float) and not isfinite(value):
        raise misfit("must hold finite numbers only")
    if isinstance(value, dict):
        for name, part in value.items():
            _check_json(name, depth)
            _check_json(part, depth - 1)
    elif isinstance(value, list):
        for part in value:
            _check_json(part, depth - 1)


_READERS: Final[Mapping[type[Any], Callable[[ValueType, Any], Any]]] = {
    str: _text,
    bool: _truth,
    int: _integer,
    float: _float,
    Decimal: _decimal,
    date: _date,
    datetime: _moment,
    UUID: _uuid,
    object: _any,
}


def as_json(value: Any) -> Any:
    """The JSON of a value: moments in UTC with ``Z``, decimals as strings, enums by their text."""
    if type(value) in (str, int, bool, type(None)):
        return value
    if isinstance(value, Enum):
        return as_text(value)
    if isinstance(value, datetime):
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):  # which JSON does not have beyond its numbers
        return value if isfinite(value) else None
    return str(value) if isinstance(value, UUID) else value


def finite(value: Any) -> Any:
    """The document with null for each number that JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def as_text(member: Enum) -> str:
    """The text of an enum's member: its value when that is text, else its name."""
    return member.value if isinstance(member.value, str) else member.name
