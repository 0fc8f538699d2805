"""Pages of lists: by number, and by a cursor that says after which row a page begins.

A page by number can lose or repeat rows while others insert; a page after a cursor cannot, because
the cursor has the values of the order's keys in the row that came last. A cursor has nothing that
the caller did not see, so it is not signed: who makes one up begins at another place of a list that
is filtered all the same.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from licet.errors import InvalidRequest, MalformedRequest
from licet.errors.base import HTTPError
from licet.errors.places import FieldError
from licet.wire.text import is_storable

__all__ = [
    "DEFAULT_SIZE",
    "MAX_SIZE",
    "Cursor",
    "last_page",
    "read_cursor",
    "read_value",
    "whole_number",
    "write_cursor",
    "write_value",
    "wrong_parameter",
]

DEFAULT_SIZE: Final = 25
MAX_SIZE: Final = 200
_MOST_PAGES: Final = 10**9
_LONGEST_CURSOR: Final = 4096
_MOST_PLACES: Final = 1000  # before or after the point of a Decimal
_DIGITS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)


def wrong_parameter(name: str, told: str, *, status: int = 400) -> HTTPError:
    """The error about a query parameter: 400, or 422 in the endpoints of seed document 004."""
    kind = InvalidRequest if status == 422 else MalformedRequest
    return kind(f"{name}: {told}", errors=[FieldError(detail=told, parameter=name)])


def whole_number(
    name: str, text: str, *, least: int = 0, most: int = _MOST_PAGES, status: int = 400
) -> int:
    """The number that a query parameter has.

    Raises:
        MalformedRequest, InvalidRequest: it is no whole number from `least` to `most`, in the
            digits 0 to 9 alone.
    """
    number = int(text) if _DIGITS.fullmatch(text) else -1
    if not least <= number <= most:
        told = f"write a whole number from {least} to {most}."
        raise wrong_parameter(name, told, status=status)
    return number


def last_page(total: int, size: int, *, first: int = 0) -> int:
    """The number of the last page of a list, which has one page when it is empty."""
    return first + max(0, total - 1) // size


# --- cursors -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """After, or before, which row a page begins: its values under the keys of the order."""

    order: tuple[str, ...]
    values: tuple[Any, ...]
    is_before: bool = False


def write_cursor(cursor: Cursor) -> str:
    """The cursor as a word for URLs.

    `order` are the names of the keys with ``-`` before those that descend; values are None, bool,
    int, float, str, date, datetime, time, timedelta, Decimal, UUID, bytes, or a member of an Enum.

    Raises:
        TypeError: a value is of another type.
    """
    written = [[write_value(value) for value in cursor.values], *cursor.order]
    document = json.dumps([int(cursor.is_before), *written], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).rstrip(b"=").decode()


def read_cursor(
    text: str, order: Sequence[str], *, name: str = "cursor", status: int = 400
) -> Cursor:
    """The cursor of a URL, made for this very order.

    Members of an Enum come as their names.

    Raises:
        MalformedRequest, InvalidRequest: it is no cursor, or one of another order.
    """
    wrong = wrong_parameter(
        name,
        "it is no cursor of this list in this order: begin with the first page.",
        status=status,
    )
    try:
        is_before, values, *found = json.loads(_decoded(text))
        if found != list(order) or len(values) != len(order) or is_before not in (0, 1):
            raise wrong
        read = tuple(read_value(value) for value in values)
    except (ValueError, TypeError, KeyError, RecursionError, ArithmeticError) as error:
        raise wrong from error
    return Cursor(order=tuple(order), values=read, is_before=bool(is_before))


def _decoded(text: str) -> bytes:
    if len(text) > _LONGEST_CURSOR or not text.isascii():
        raise ValueError("too long")
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def write_value(value: Any) -> Any:
    """A value of a column as JSON, whose type can be told.

    Raises:
        TypeError: it is of a type that `write_cursor` does not name.
    """
    if isinstance(value, Enum):
        return {"e": value.name}
    if isinstance(value, float) and not math.isfinite(value):
        return {"f": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kind, letter, text_of in _WRITTEN:
        if isinstance(value, kind):
            return {letter: text_of(value)}
    raise TypeError(f"A cursor cannot hold {value!r}.")


_WRITTEN: Final[tuple[tuple[type, str, Callable[[Any], str]], ...]] = (
    (datetime, "t", datetime.isoformat),  # before date, which it is as well
    (date, "d", date.isoformat),
    (time, "h", time.isoformat),
    (timedelta, "i", lambda value: str(value // timedelta(microseconds=1))),
    (Decimal, "n", str),
    (uuid.UUID, "u", lambda value: value.hex),
    (bytes, "b", lambda value: value.hex()),
)
# what a column can hold and no body may; a list goes on after it all the same
_ENDLESS: Final = {str(value): value for value in (math.inf, -math.inf, math.nan)}
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "e": str,
    "f": _ENDLESS.__getitem__,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "h": time.fromisoformat,
    "i": lambda text: timedelta(microseconds=int(text)),
    "n": Decimal,
    "u": uuid.UUID,
    "b": bytes.fromhex,
}


def read_value(value: Any) -> Any:
    """The value that `write_value` wrote; of a member of an Enum its name.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: it wrote no such thing.
    """
    if isinstance(value, dict):
        ((letter, text),) = value.items()
        value = _READ[letter](text) if isinstance(text, str) else None
        if value is None or (isinstance(value, Decimal) and not _is_short(value)):
            raise ValueError("no value")
        if letter == "f":
            return value
    if isinstance(value, list) or (isinstance(value, str) and not is_storable(value)):
        raise ValueError("no value")
    if isinstance(value, int | float) and not math.isfinite(value):  # or too large an integer
        raise ValueError("no value")
    return value


def _is_short(value: Decimal) -> bool:
    """Whether the number can be written out without filling the memory."""
    return value.is_finite() and abs(value.adjusted()) <= _MOST_PLACES
