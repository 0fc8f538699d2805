"""What counts as the same request."""

import pytest
from tests.unit.actions.making import BOB, TEAM, make_request

from licet.actions.digest import request_digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"monitor_by": [BOB, TEAM]}, {"monitor_by": [TEAM, BOB, TEAM]}),
        ({"manage_by": [BOB, TEAM]}, {"manage_by": [TEAM, BOB]}),
        ({"allowed_clients": ["a", "b"]}, {"allowed_clients": ["b", "a", "a"]}),
        ({"body": {"a": 1, "b": [2]}}, {"body": {"b": [2], "a": 1}}),
        ({"release_after": "P1D"}, {"release_after": "PT24H"}),
        ({"deadline": "2030-01-01T00:00:00Z"}, {"deadline": "2030-01-01T02:00:00+02:00"}),
        ({}, {"label": None, "deadline": None, "release_after": None, "monitor_by": []}),
        ({}, {"tags": ["ignored"]}),
        ({"request_id": 5}, {"request_id": "5"}),
    ],
)
def test_the_same(one: dict[str, object], other: dict[str, object]):
    """Order, spelling, defaults and unknown fields do not make a request another."""
    assert request_digest(make_request(**one)) == request_digest(make_request(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"request_id": "r-2"}),
        ({"body": {"a": [1, 2]}}, {"body": {"a": [2, 1]}}),
        ({"body": {"a": 1}}, {"body": {"a": "1"}}),
        ({"body": {"a": None}}, {"body": {}}),
        ({"monitor_by": [BOB]}, {"manage_by": [BOB]}),
        ({"release_after": "P1D"}, {"release_after": "PT24H1S"}),
        ({"deadline": "2030-01-01T00:00:00Z"}, {}),
        ({"label": "a"}, {"label": "A"}),
    ],
)
def test_not_the_same(one: dict[str, object], other: dict[str, object]):
    """Whatever changes what is asked makes another request."""
    assert request_digest(make_request(**one)) != request_digest(make_request(**other))


def test_text_that_only_pythons_reader_lets_in():
    """A lone surrogate has no bytes, and is told apart all the same."""
    one, same, other = (make_request(body={"a": text}) for text in ("\ud800", "\ud800", "\ud801"))
    assert request_digest(one) == request_digest(same) != request_digest(other)


def test_objects_within_objects():
    """Their members have no order either."""
    one = make_request(body={"a": [{"b": 1, "c": {"d": 2, "e": 3}}]})
    other = make_request(body={"a": [{"c": {"e": 3, "d": 2}, "b": 1}]})
    assert request_digest(one) == request_digest(other)


def test_it_is_a_sha256():
    """A digest is 64 hexadecimal digits and does not change between versions."""
    assert request_digest(make_request()) == EXPECTED
    assert request_digest(make_request(body=ODD, label="Größe")) == EXPECTED_OF_ODD


ODD = {"Müller": "\x7f", "n": [1e-5, 1e16, 1.5e300, -0.0, 10**30], "b": {"d": True, "c": None}}
EXPECTED = "d08141d7c5dda354083ee7ed9ce914e6569473ed89303c8d613cc64c85dbce33"
EXPECTED_OF_ODD = "cc1483bfe7b5eeaf392b8596593b3f666c54da57b7c762fd93090ccf53c6c282"
