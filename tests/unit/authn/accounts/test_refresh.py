"""Refresh tokens that are sent again, and what is kept of used ones."""

import pytest
import sqlalchemy as sa
from tests.unit.authn.accounts.people import ann, grant, verifier

from licet.authn.accounts import sessions
from licet.authn.accounts.parts import Place
from licet.authn.accounts.tables import refresh_token
from licet.errors import InvalidToken

HOME, ELSEWHERE = Place("192.0.2.1"), Place("198.51.100.6")


@pytest.fixture
def found(parts_of_both):
    ann(parts_of_both)
    return grant(parts_of_both)


def is_good(parts, access_token):
    """Whether the access token is taken."""
    try:
        return bool(verifier(parts).verify(access_token))
    except InvalidToken:
        return False


def test_a_client_whose_answer_was_lost_is_answered(parts_of_both, found, clock):
    """Within ten seconds, from the same network, more than once; the last answer goes on."""
    parts = parts_of_both
    sessions.refresh(parts, found.refresh_token, HOME)
    clock.now += 10
    sessions.refresh(parts, found.refresh_token, HOME)
    last = sessions.refresh(parts, found.refresh_token, HOME)
    assert sessions.refresh(parts, last.refresh_token, HOME)
    assert is_good(parts, found.access_token)


@pytest.mark.parametrize(("seconds", "place"), [(11, HOME), (1, ELSEWHERE), (1, Place(None))])
def test_anybody_else_ends_the_session(parts_of_both, found, clock, seconds, place):
    """Later, or from elsewhere: then it was stolen; access tokens die at once in this process."""
    parts = parts_of_both
    second = sessions.refresh(parts, found.refresh_token, HOME)
    assert is_good(parts, second.access_token)
    clock.now += seconds
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, found.refresh_token, place)
    assert not is_good(parts, second.access_token)
    assert not is_good(parts, found.access_token)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, second.refresh_token, HOME)


def test_an_answer_that_was_not_lost_is_noticed(parts_of_both, found):
    """Of two who hold the answers to one token, whoever goes on with the first ends the session."""
    parts = parts_of_both
    first = sessions.refresh(parts, found.refresh_token, HOME)
    second = sessions.refresh(parts, found.refresh_token, HOME)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, first.refresh_token, HOME)
    assert not is_good(parts, second.access_token)


def test_a_token_whose_successor_was_used_is_not_sent_again(parts_of_both, found):
    """The answer was not lost, so that somebody else sends it: the session ends."""
    parts = parts_of_both
    second = sessions.refresh(parts, found.refresh_token, HOME)
    sessions.refresh(parts, second.refresh_token, HOME)
    with pytest.raises(InvalidToken):
        sessions.refresh(parts, found.refresh_token, HOME)
    assert not is_good(parts, second.access_token)


def test_refreshing_fills_no_table(parts, clock):
    """A hundred used tokens of a session are kept, to know when one is used again."""
    ann(parts)
    found = first = grant(parts)
    for _ in range(120):
        clock.now += 1
        found = sessions.refresh(parts, found.refresh_token)
    with parts.store._database().read() as connection:
        rows = connection.scalar(sa.select(sa.func.count()).select_from(refresh_token))
    assert rows <= 102
    with pytest.raises(InvalidToken):  # too old to be known
        sessions.refresh(parts, first.refresh_token)
    assert sessions.refresh(parts, found.refresh_token)
