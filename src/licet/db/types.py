"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["UTCDateTime", "moment_of"]

_TEXT_LENGTH: Final = 26


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: give an aware datetime.")
    return value.astimezone(UTC)


def _utc_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    utc = value if value.tzinfo is UTC else _utc(value)
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds")


def _utc_moment(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo is UTC else _utc(value)


def moment_of(value: Any) -> datetime | None:
    """The aware moment, in UTC, that a driver gave for a `UTCDateTime`."""
    if isinstance(value, str):
        return datetime.fromisoformat(f"{value}+00:00")  # a fifth of the time of `replace`
    return value if value is None else value.astimezone(UTC)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment: TIMESTAMP WITH TIME ZONE on PostgreSQL, UTC text on SQLite.

    The text is always of one length (``2030-01-31 12:00:00.000000``), so that it sorts like the
    moments it stands for. SQLAlchemy's own type for SQLite takes ten times as long to write it.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, which has no type for moments."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(_TEXT_LENGTH))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times; SQLite gets them in UTC without an offset."""
        return self.bind_processor(dialect)(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """The same as a function, without the two that SQLAlchemy would put around it."""
        return _utc_text if dialect.name == "sqlite" else _utc_moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        return moment_of(value)
