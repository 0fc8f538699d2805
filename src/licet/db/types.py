"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["UTCDateTime", "moment_of"]


def moment_of(value: Any) -> datetime | None:
    """The aware moment, in UTC, that a driver gave for a `UTCDateTime`."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
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
            return dialect.type_descriptor(String(26))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times; SQLite gets them in UTC without an offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: give an aware datetime.")
        utc = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return utc.replace(tzinfo=None).isoformat(" ", "microseconds")
        return utc

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        return moment_of(value)
