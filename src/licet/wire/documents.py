"""JSON from elsewhere, read in the one way that leaves no doubt about what it says.

Source: RFC 8259 sections 4 (names should be unique), 6 (no NaN) and 8.1 (UTF-8).
"""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["read_json"]


def read_json(raw: bytes) -> Any:
    """The JSON value that `raw` holds.

    Raises:
        ValueError: it is not UTF-8, not JSON, nested too deep, or an object has a member twice: of
            two readers one may take the first, the other the last.
    """
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constants(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
