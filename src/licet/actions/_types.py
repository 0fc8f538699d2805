"""The field types that the documents share: times, durations, principals, short texts.

Two strictnesses: what a client sends is refused when it is not exactly right; what a provider's own
code makes is read generously (naive times are UTC, long texts are cut).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from licet.authn.identity import is_principal, principal_urn_regex
from licet.wire.text import readable, unstorable

__all__ = [
    "MAX_PRINCIPALS",
    "Duration",
    "IsoTime",
    "Label",
    "LenientTime",
    "PlainText",
    "Principal",
    "PrincipalSet",
    "RequestId",
    "StrictDuration",
    "StrictTime",
    "clipped",
    "parse_duration",
    "plain_text",
    "utc_isoformat",
]

MAX_PRINCIPALS: Final = 1000
_DURATION = re.compile(r"-?P[0-9TYMWDHS.,]+", re.ASCII)
_NO_DURATION: Final = "must be an ISO 8601 duration such as 'P30D' or 'PT12H'"
_timedelta: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def plain_text(value: str) -> str:
    """Refuse text that no database or JSON reader can take: NUL and lone surrogates."""
    if (reason := unstorable(value)) is not None:
        raise ValueError(f"must not contain {reason}s")
    return value


def parse_duration(value: object) -> timedelta:
    """An ISO 8601 duration, or a timedelta as it is; a year is 365 days, a month 30.

    Raises:
        ValueError: anything else, numbers and durations out of range included.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(_NO_DURATION)  # noqa: TRY004 - a validation error
    return _parsed_duration(value)


@lru_cache(maxsize=256)
def _parsed_duration(value: str) -> timedelta:
    if not _DURATION.fullmatch(value):
        raise ValueError(_NO_DURATION)
    try:
        return _timedelta.validate_python(value)
    except ValidationError:
        raise ValueError(_NO_DURATION) from None


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("must not be negative")
    return value


def _iso_text_only(value: object) -> object:
    if not isinstance(value, str | datetime):
        raise ValueError("must be an ISO 8601 date and time")  # noqa: TRY004 - a validation error
    if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]", value):
        raise ValueError("must be an ISO 8601 date and time")
    return value


def _as_utc(value: object) -> object:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def utc_isoformat(value: object) -> str:
    """An ISO 8601 text with an offset; naive times are taken as UTC."""
    moment = _as_utc(value)
    if not isinstance(moment, datetime):
        raise ValueError("must be a date and time")  # noqa: TRY004 - a validation error
    text = moment.isoformat()
    return text if len(text) <= 32 else moment.astimezone(UTC).isoformat()  # odd offsets


def _principal(value: str) -> str:
    if not is_principal(value):
        raise ValueError(
            "must be a principal URN such as 'urn:globus:auth:identity:<uuid>' or "
            "'urn:licet:identity:<uuid>'"
        )
    return value


def _few(value: set[str]) -> set[str]:
    if len(value) > MAX_PRINCIPALS:
        raise ValueError(f"must name at most {MAX_PRINCIPALS} principals")
    return value


def clipped(value: object) -> object:
    """At most 64 characters, an ellipsis in place of the rest; enum members by their value."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        value = readable(value)
        return value[:63] + "…" if len(value) > 64 else value or None
    return value


def _int_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _sorted(value: Iterable[str] | None) -> list[str] | None:
    return None if value is None else sorted(value)


Principal = Annotated[
    str,
    AfterValidator(_principal),
    WithJsonSchema({"type": "string", "pattern": principal_urn_regex}),
]
PrincipalSet = Annotated[
    set[Principal], AfterValidator(_few), PlainSerializer(_sorted, return_type=list[str] | None)
]
PlainText = Annotated[str, AfterValidator(plain_text)]
Label = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(plain_text)]
RequestId = Annotated[str, BeforeValidator(_int_as_text), AfterValidator(plain_text)]
StrictTime = Annotated[AwareDatetime, BeforeValidator(_iso_text_only)]
LenientTime = Annotated[
    datetime, BeforeValidator(_as_utc), PlainSerializer(datetime.isoformat, return_type=str)
]
IsoTime = Annotated[str, BeforeValidator(utc_isoformat)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
StrictDuration = Annotated[
    timedelta, BeforeValidator(parse_duration), AfterValidator(_not_negative)
]
Json = dict[str, Any]
