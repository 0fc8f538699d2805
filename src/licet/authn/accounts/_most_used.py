"""The passwords that everybody tries first: the 10,000 most used, as zxcvbn ships them."""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ["is_most_used"]

_COUNT: Final = 10_000


def is_most_used(password: str) -> bool:
    """Whether a password is among them, in whatever case."""
    return password.lower() in _most_used()


@cache
def _most_used() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - large, and seldom needed

    return frozenset(FREQUENCY_LISTS["passwords"][:_COUNT])
