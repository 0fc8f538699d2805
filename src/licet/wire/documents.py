"""JSON from elsewhere, read in the one way that leaves no doubt about what it says.

Source: RFC 8259 sections 4 (names should be unique), 6 (no NaN) and 8.1 (UTF-8).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

__all__ = ["parse_json", "read_json"]


def read_json(raw: bytes) -> Any:
    """The JSON value that `raw` holds.

    Raises:
        ValueError: it is not UTF-8, not JSON, nested too deep, or an object has a member twice: of
            two readers one may take the first, the other the last.
    """
    return parse_json(raw.decode("utf-8"))


def parse_json(text: str) -> Any:
    """The JSON value of a text.

    Raises:
        ValueError: as `read_json`, with a text that begins with "it"; a ``JSONDecodeError``, which
            has the place, where it is not JSON at all.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # None
        raise ValueError(f"it has an object with two members {twice!r}")
    return found


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"it has {name}, which is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it has a number that is too large")
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constants, parse_float=_finite
)
