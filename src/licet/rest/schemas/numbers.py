"""Numbers that JSON cannot write: NaN and the infinities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["NOT_FINITE", "finite", "is_finite"]

NOT_FINITE: Final = "The number is not finite."


def is_finite(value: Any) -> bool:
    """Whether all numbers in a value are finite, however deep in lists and dicts."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(is_finite, value.values()))
    return not isinstance(value, list | tuple | set) or all(map(is_finite, value))


def finite(value: Any) -> Any:
    """The value with null in the place of each number that is not finite."""
    if is_finite(value):
        return value
    if isinstance(value, Mapping):
        return {name: finite(one) for name, one in value.items()}
    return None if isinstance(value, float) else [finite(one) for one in value]
