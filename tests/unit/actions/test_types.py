"""The field types that documents share."""

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

import pytest
from pydantic import TypeAdapter, ValidationError

from licet.actions._types import (
    MAX_PRINCIPALS,
    LenientTime,
    PrincipalSet,
    RequestId,
    StrictDuration,
    StrictTime,
    clipped,
    parse_duration,
    utc_isoformat,
)
from licet.wire.text import is_storable, readable


class Colour(Enum):
    RED = "red"
    NONE = ""


def read(kind: object, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P1Y", timedelta(days=365)),
        ("P1M", timedelta(days=30)),
        ("P1W", timedelta(weeks=1)),
        ("P30D", timedelta(days=30)),
        ("PT12H", timedelta(hours=12)),
        ("PT1M", timedelta(minutes=1)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("P1Y2M3DT4H5M6S", timedelta(days=428, hours=4, minutes=5, seconds=6)),
        ("-P1D", timedelta(days=-1)),
        ("P0D", timedelta(0)),
        (timedelta(hours=1), timedelta(hours=1)),
    ],
)
def test_durations_are_iso_8601(text: object, duration: timedelta):
    """Years are 365 days, months 30, and a timedelta stands for itself."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "value",
    [
        "",
        "P",
        "PT",
        "P1",
        "1",
        "1 day",
        "P1H",
        "p1d",
        "P1D ",
        "P٣D",
        "P9999999999Y",
        30,
        1.5,
        None,
        True,
    ],
)
def test_anything_else_is_no_duration(value: object):
    """Numbers, other spellings and absurd lengths are refused with an example."""
    with pytest.raises(ValueError, match="must be an ISO 8601 duration such as 'P30D'"):
        parse_duration(value)


def test_a_strict_duration_is_not_negative():
    """A client cannot ask for less than nothing."""
    assert read(StrictDuration, "P0D") == timedelta(0)
    with pytest.raises(ValidationError, match="must not be negative"):
        read(StrictDuration, "-PT1S")


@pytest.mark.parametrize("text", ["2030-01-31T12:00:00Z", "2030-01-31 12:00:00+00:00"])
def test_a_strict_time_is_aware(text: str):
    """A client's time is ISO 8601 with an offset."""
    assert read(StrictTime, text) == datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["2030-01-31T12:00:00", "2030-01-31", "1893456000", 1893456000, "now", None]
)
def test_other_times_are_refused(value: object):
    """Naive times, dates alone and numbers are no moments."""
    with pytest.raises(ValidationError):
        read(StrictTime, value)


@pytest.mark.parametrize(
    "value",
    ["2030-01-31T12:00:00", datetime(2030, 1, 31, 12), datetime(2030, 1, 31, 12, tzinfo=UTC)],  # noqa: DTZ001 - naive on purpose
)
def test_a_lenient_time_is_utc_when_naive(value: object):
    """What a provider's code leaves without an offset is taken as UTC."""
    assert read(LenientTime, value) == datetime(2030, 1, 31, 12, tzinfo=UTC)
    assert utc_isoformat(value) == "2030-01-31T12:00:00+00:00"


def test_an_offset_is_kept():
    """A time in another zone stays in it."""
    moment = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert utc_isoformat(moment) == "2030-01-01T00:00:00+02:00"


@pytest.mark.parametrize("value", [5, None, "yesterday"])
def test_what_is_no_time_is_refused(value: object):
    """A value that is no moment is a ValueError."""
    with pytest.raises(ValueError):
        utc_isoformat(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", "x"),
        ("", None),
        (None, None),
        (Colour.RED, "red"),
        (Colour.NONE, None),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 63 + "…"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        (5, 5),
        (0, 0),
    ],
)
def test_display_statuses_are_cut(value: object, shown: object):
    """At most 64 characters, an enum by its value, nothing for nothing."""
    assert clipped(value) == shown


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a\udc00"])
def test_unreadable_text_is_known_and_replaced(text: str):
    """NUL and lone surrogates are the two things that no database takes."""
    assert not is_storable(text)
    assert is_storable(readable(text))
    assert readable("aé😀\n") == "aé😀\n"


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (-1, "-1"), ("5", "5"), ("", "")])
def test_request_ids_may_be_whole_numbers(value: object, text: str):
    """A number is taken as the text of it."""
    assert read(RequestId, value) == text


@pytest.mark.parametrize("value", [True, 1.5, None, [], "a\x00", "\ud800"])
def test_other_request_ids_are_refused(value: object):
    """Neither booleans nor fractions nor unstorable text are ids."""
    with pytest.raises(ValidationError):
        read(RequestId, value)


def test_principals_are_few_and_sorted():
    """A list of principals has a limit, and is written in order."""
    many = [f"urn:licet:group:{n}" for n in range(MAX_PRINCIPALS + 1)]
    adapter = TypeAdapter(PrincipalSet)
    assert adapter.dump_python(adapter.validate_python(many[:2][::-1])) == many[:2]
    with pytest.raises(ValidationError, match="at most 1000 principals"):
        adapter.validate_python(many)
