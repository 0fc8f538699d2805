"""Documents of any content are written as JSON and read back the same."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.actions.making import ALICE, BOB, TEAM

from licet.actions._types import clipped, parse_duration
from licet.actions.documents import ActionStatus, ActionStatusValue, render
from licet.actions.enumeration import parse_enumeration, parse_log_query
from licet.actions.store._rows import duration_text
from licet.authn.identity import is_principal
from licet.errors import RequestValidationError
from licet.wire.text import is_storable, readable

_any_text = st.text(st.characters(exclude_categories=()))
_moments = st.datetimes(timezones=st.just(UTC))
_statuses = st.builds(
    ActionStatus,
    status=st.sampled_from(ActionStatusValue),
    creator_id=st.sampled_from([ALICE, BOB, TEAM]),
    details=st.text() | st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    start_time=st.datetimes(),
    completion_time=st.none() | _moments,
    label=st.none() | st.text("aé😀", min_size=1, max_size=64),
    display_status=st.none() | st.text(max_size=100),
    monitor_by=st.none() | st.sets(st.sampled_from([ALICE, BOB, TEAM])),
    release_after=st.none() | st.timedeltas(min_value=timedelta(0)),
)


@given(st.timedeltas())
def test_durations_are_read_as_they_were_written(duration: timedelta):
    """Every duration has an ISO 8601 text that stands for it exactly."""
    assert parse_duration(duration_text(duration)) == duration


@given(st.text("P0123456789YMWDTHS.,-+ ", max_size=12) | st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str):
    """Text that is no duration is refused as a value, never otherwise."""
    try:
        found: object = parse_duration(text)
    except ValueError as error:
        found = str(error)
    assert isinstance(found, timedelta) or found.startswith("must be an ISO 8601 duration")


@given(_statuses)
def test_a_status_always_has_its_eleven_members(status: ActionStatus):
    """A state is written with every member, and reading it gives the same state."""
    written = render(status)
    members = json.loads(written)
    assert list(members) == [
        "action_id",
        "status",
        "creator_id",
        "details",
        "start_time",
        "completion_time",
        "label",
        "display_status",
        "monitor_by",
        "manage_by",
        "release_after",
    ]
    assert render(ActionStatus.model_validate(members)) == written


@given(_any_text)
def test_display_statuses_are_short_and_readable(text: str):
    """Any text becomes a display status of at most 64 characters that can be stored."""
    shown = clipped(text)
    assert shown is None or (0 < len(shown) <= 64 and is_storable(shown))


@given(_any_text)
def test_readable_changes_nothing_that_is_readable(text: str):
    """Only what no database takes is replaced."""
    assert is_storable(readable(text))
    assert not is_storable(text) or readable(text) == text


@given(st.text(max_size=60) | st.builds("urn:globus:{}".format, st.text(max_size=60)))
def test_text_is_no_principal_by_chance(text: str):
    """Only whole URNs are principals."""
    assert not is_principal(text)
    for principal in (ALICE, TEAM):
        assert not is_principal(principal + "\n")
        assert not text or not is_principal(text + principal)


class Request:
    """The part of a request that the queries are read from."""

    def __init__(self, args: dict[str, str]) -> None:
        self.args = args


@pytest.mark.parametrize("parse", [parse_enumeration, parse_log_query])
@given(
    args=st.dictionaries(
        st.sampled_from(
            ["status", "roles", "limit", "marker", "since", "until", "code", "reverse_order"]
        ),
        st.text(max_size=12)
        | st.integers().map(str)
        | st.datetimes().map(datetime.isoformat)
        | st.sampled_from(["active,FAILED", "monitor_by", "0001-01-01T00:00:00+23:59"]),
    )
)
def test_any_query_is_read_or_refused(parse, args):
    """Whatever a query holds, it is read generously or refused with a 422."""
    try:
        query = parse(Request(args))
    except RequestValidationError:
        return
    assert 1 <= query.limit <= 1000
