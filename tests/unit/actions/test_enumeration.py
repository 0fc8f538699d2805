"""The queries of enumerate and log: what they say, generously read."""

from datetime import UTC, datetime
from enum import Enum

import pytest

from licet.actions.documents import ActionStatusValue
from licet.actions.enumeration import (
    EnumerationQuery,
    LogQuery,
    parse_enumeration,
    parse_log_query,
    parse_query_args,
    query_args_to_enum,
)
from licet.errors import RequestValidationError

ACTIVE = frozenset({ActionStatusValue.ACTIVE})


class Asked:
    def __init__(self, **args: str) -> None:
        self.args = args


class TestEnumeration:
    def test_nothing_said(self):
        """Who asks for nothing in particular gets their own active actions."""
        expected = EnumerationQuery(statuses=ACTIVE, roles=frozenset({"creator_id"}))
        assert parse_enumeration(Asked()) == expected
        assert (expected.limit, expected.marker) == (100, None)

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("active", "ACTIVE"),
            ("FAILED,Succeeded", "FAILED SUCCEEDED"),
            (" inactive , active ", "ACTIVE INACTIVE"),
            ("failed,nonsense", "FAILED"),
            ("nonsense", "ACTIVE"),
            ("", "ACTIVE"),
            (",", "ACTIVE"),
        ],
    )
    def test_statuses(self, text: str, names: str):
        """Statuses are comma-separated in either case; unknown ones are dropped."""
        found = parse_enumeration(Asked(status=text)).statuses
        assert sorted(found) == names.split()

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("monitor_by,MANAGE_BY", "manage_by monitor_by"),
            ("creator_id,x", "creator_id"),
            ("x", "creator_id"),
            ("", "creator_id"),
        ],
    )
    def test_roles(self, text: str, names: str):
        """Roles are read like statuses."""
        assert sorted(parse_enumeration(Asked(roles=text)).roles) == names.split()

    def test_what_a_callback_gets(self):
        """A callback gets sets of statuses and roles that are its own."""
        query = parse_enumeration(Asked(status="failed", roles="manage_by"))
        assert query.as_params() == {
            "statuses": {ActionStatusValue.FAILED},
            "roles": {"manage_by"},
        }


@pytest.mark.parametrize("parse", [parse_enumeration, parse_log_query])
class TestPaging:
    @pytest.mark.parametrize(
        ("text", "limit"),
        [("1", 1), ("1000", 1000), ("1001", 1000), ("999999999", 1000), ("007", 7)],
    )
    def test_a_limit_has_a_limit(self, parse, text: str, limit: int):
        """At most a thousand are given at once."""
        assert parse(Asked(limit=text)).limit == limit

    @pytest.mark.parametrize("text", ["0", "000", "-1", "+1", "1.5", "x", " 1", "\uff11", "9" * 10])
    def test_what_is_no_limit_is_refused(self, parse, text: str):
        """A limit that is no whole number above 0 is a mistake of the caller."""
        with pytest.raises(RequestValidationError, match="'limit': must be a whole number above 0"):
            parse(Asked(limit=text))

    def test_markers(self, parse):
        """A marker is handed on as it is; an empty one is none."""
        assert parse(Asked(marker="7")).marker == "7"
        assert parse(Asked(marker="")).marker is None


class TestLog:
    def test_nothing_said(self):
        """The first ten entries, oldest first."""
        expected = LogQuery(limit=10)
        assert parse_log_query(Asked()) == expected
        assert expected.reverse_order is False

    def test_the_seeds_name_for_a_marker(self):
        """`pagination_token` is the marker, and comes first."""
        assert parse_log_query(Asked(pagination_token="5", marker="6")).marker == "5"

    @pytest.mark.parametrize("text", ["1", "true", "True", "YES"])
    def test_newest_first(self, text: str):
        """Several words mean that the order is reversed; all others do not."""
        assert parse_log_query(Asked(reverse_order=text)).reverse_order
        assert not parse_log_query(Asked(reverse_order=f"not {text}")).reverse_order

    @pytest.mark.parametrize(
        "text",
        [
            "2030-01-01T10:00:00Z",
            "2030-01-01T10:00:00",
            "2030-01-01 10:00:00",
            "2030-01-01T12:00:00+02:00",
            "2030-01-01T12:00:00 02:00",
        ],
    )
    @pytest.mark.parametrize("name", ["since", "until"])
    def test_times(self, name: str, text: str):
        """Times are ISO 8601, in UTC when they name no zone, a + that became a space included."""
        query = parse_log_query(Asked(**{name: text}))
        assert getattr(query, name) == datetime(2030, 1, 1, 10, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["yesterday", "5", "2030-13-01", "0001-01-01T00:00:00+14:00"])
    def test_what_is_no_time_is_refused(self, text: str):
        """A time that is none is a mistake of the caller."""
        with pytest.raises(RequestValidationError, match="'since': must be an ISO 8601 time"):
            parse_log_query(Asked(since=text))

    @pytest.mark.parametrize(
        ("text", "code"), [("A", "A"), ("", None), ("\x00", "\ufffd"), ("A\x00", "A\ufffd")]
    )
    def test_codes(self, text: str, code: str | None):
        """A code is taken as it is, with another character for what no database takes."""
        assert parse_log_query(Asked(code=text)).code == code


class Colour(Enum):
    RED = 1
    blue = 2


def test_arguments_without_known_values():
    """Where any value will do, they are taken as they are."""
    assert parse_query_args(Asked(x="A,b"), arg_name="x") == {"A", "b"}
    assert parse_query_args(Asked(), arg_name="x", default_value="d") == {"d"}


def test_names_of_members():
    """Members are found by their name in its own or in upper case; others are dropped."""
    assert query_args_to_enum(["red", "RED", "blue", "green"], Colour) == {Colour.RED, Colour.blue}
