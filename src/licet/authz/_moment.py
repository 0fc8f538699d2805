"""``now()``: the moment of a decision, as a value that conditions compare with.

A condition only says how far from the moment its value is. The moment itself is one for a whole
decision: it is set for as long as the decision takes, by whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from licet.authz._places import invalid

__all__ = ["Now", "declared_in_utc", "in_utc", "known_moment", "now", "using_moment"]

FARTHEST: Final = timedelta(days=1_000_000)
_moment: ContextVar[datetime | None] = ContextVar("licet_authz_moment", default=None)


@dataclass(frozen=True, eq=False)
class Now:
    """The moment of the decision, moved by `offset`; made by `now` and by adding to it."""

    offset: timedelta = timedelta()

    def __add__(self, other: object) -> Now:
        if not isinstance(other, timedelta):
            raise invalid(
                f"now() takes a timedelta, as in now() + timedelta(days=1), not {other!r}."
            )
        if not -FARTHEST <= other <= FARTHEST or not -FARTHEST <= self.offset + other <= FARTHEST:
            raise invalid(f"{self} + {other} is more than {FARTHEST.days:,} days away from now.")
        return Now(self.offset + other)

    def __sub__(self, other: object) -> Now:
        is_moved = isinstance(other, timedelta) and other >= -FARTHEST  # else it has no negative
        return self + (-other if is_moved else other)  # type: ignore[operator]  # a timedelta

    __radd__ = __add__

    def after(self, moment: datetime) -> datetime:
        """The value beside which a decision of that moment compares.

        Raises:
            OverflowError: it is not within the years 1 to 9999.
        """
        return moment + self.offset

    def __str__(self) -> str:
        if not self.offset:
            return "now()"
        sign = "-" if self.offset < timedelta() else "+"
        return f"now() {sign} {abs(self.offset)}"

    __repr__ = __str__


def now() -> Now:
    """The moment of the decision in UTC, to be compared with attributes and the caller's.

        attr("ends_at") > now() + timedelta(days=1)

    It is one for each request, or what a check was given as ``now=…``. Beside a Date it is the
    date in UTC.
    """
    return Now()


def in_utc(value: Any) -> Any:
    """A moment in UTC, and anything else as it is.

    Python finds moments of two zones unequal in the hour that one of them has twice.

    Raises:
        OverflowError: in UTC it would be before the year 1 or after 9999.
    """
    if type(value) is datetime and value.tzinfo is not UTC and value.utcoffset() is not None:
        return value.astimezone(UTC)
    return value


def declared_in_utc(value: Any) -> Any:
    """A value that a condition is declared with, as `in_utc` has it.

    Raises:
        InvalidCondition: it is a moment outside of the years 1 to 9999.
    """
    try:
        return in_utc(value)
    except OverflowError:
        raise invalid(f"{value!r} is outside of the years 1 to 9999 in UTC.") from None


def known_moment() -> datetime | None:
    """The moment of the decision that is being made, or None."""
    return _moment.get()


def using_moment(moment: datetime) -> AbstractContextManager[None]:
    """A block in which `now()` is that moment, which is aware.

    Raises:
        InvalidCondition: it has no time zone, or no place within the years 1 to 9999 in UTC.
    """
    return _using(_checked(moment))


@contextmanager
def _using(moment: datetime) -> Iterator[None]:
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)


def _checked(moment: Any) -> datetime:
    if type(moment) is not datetime or moment.utcoffset() is None:
        raise invalid(f"now takes an aware datetime such as datetime.now(UTC), not {moment!r}.")
    try:
        return in_utc(moment)  # type: ignore[no-any-return]  # a datetime stays one
    except OverflowError:
        raise invalid(f"{moment!r} is outside of the years 1 to 9999 in UTC.") from None
