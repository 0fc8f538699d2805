"""Cursors: the place of a row in an order, as text that clients hand back unread.

A cursor holds nothing but the row's values of the sort keys, which its holder was allowed to sort
by. Changed by hand it asks what a filter could ask.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from licet.rest.jsonapi.errors import in_query
from licet.rest.jsonapi.resource import Attribute
from licet.rest.jsonapi.values import ValueType, as_json, read
from licet.wire.documents import read_json

__all__ = ["cursor_of", "read_cursor"]


def cursor_of(values: Sequence[Any]) -> str:
    """The cursor of a row with these values of the order's keys."""
    raw = json.dumps([as_json(value) for value in values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(text: str, parameter: str, attributes: Sequence[Attribute]) -> list[Any]:
    """The values that a cursor holds.

    Raises:
        Refused: 400; it is none, or is one of another order.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        pairs = zip(attributes, _listed(read_json(raw)), strict=True)
        return [_value(one, value) for one, value in pairs]
    except (ValueError, binascii.Error) as error:
        detail = f"{parameter} is no cursor of this order: take it from the links of a page."
        raise in_query(parameter, detail) from error


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []


def _value(attribute: Attribute, value: Any) -> Any:
    given = attribute.value_type
    if given.choices:  # by the text that the database orders it by
        return read(ValueType(str), value)
    return read(ValueType(given.python, is_aware=given.is_aware), value)
