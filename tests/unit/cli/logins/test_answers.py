"""What the other side says, checked before it is believed: grants, errors, services."""

from itertools import chain, repeat

import pytest
from tests.unit.actions.serving import answer, answering, served
from werkzeug import Response

from licet.cli.logins.asking import Answer, post
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.cli.logins.grant import grant_of
from licet.cli.logins.services import is_within
from licet.wire.client import MAX_BYTES

GOOD = {"access_token": "a.b", "token_type": "bearer"}


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(60, 60), (None, 300), ("60", 300), (True, 300), (-1, 0), (10**12, 30 * 86400), (1e9, 300)],
)
def test_how_long_a_token_is_good(given, seconds):
    """A life that is not told, or cannot be, is taken to be short."""
    assert grant_of(GOOD | {"expires_in": given}).expires_in == seconds


@pytest.mark.parametrize(
    "document",
    [
        {},
        GOOD | {"token_type": "DPoP"},
        GOOD | {"token_type": None},
        GOOD | {"access_token": ""},
        GOOD | {"access_token": "a b"},
        GOOD | {"access_token": "a\r\nX: y"},
        GOOD | {"access_token": 5},
        GOOD | {"access_token": "a" * 8193},
    ],
)
def test_what_is_no_grant(document):
    """No bearer token, no sign-in."""
    with pytest.raises(LoginRefused, match="no bearer token"):
        grant_of(document)


def test_a_grant_shows_no_token():
    """Whatever prints it prints no secret."""
    found = grant_of(GOOD | {"refresh_token": "r-secret", "id_token": "i-secret", "scope": 5})
    assert "secret" not in repr(found)
    assert "a.b" not in repr(found)
    assert found.scope is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "status 400"),
        ({"error": "invalid_grant"}, "invalid_grant"),
        ({"error": "e", "error_description": "why\n\x1b"}, "why\ufffd\ufffd"),
        ({"error": 5, "detail": "d" * 300}, "d" * 200),
    ],
)
def test_the_reason_of_a_refusal(document, told):
    """In the other side's words, cut, and without what a terminal would obey."""
    assert Answer(400, document).reason() == told


@pytest.mark.parametrize("body", [b"x", b"[1]", b"[" * 100_000])
def test_a_body_that_is_no_object(body):
    """Counts as an empty one."""
    with served(answering(Response(body, 400))) as url:
        assert post(url, form={"a": "b"}) == Answer(400, {})


TOO_SLOW = "takes longer than|does not answer: ReadTimeout"  # by how soon the first byte comes


def test_an_answer_without_end():
    """Too much, or too slow, is no answer."""
    moments = chain([0.0], repeat(11.0))
    long, slow = Response(b"x" * (MAX_BYTES + 1)), answer({})
    with served(answering(long)) as url, pytest.raises(LoginUnreachable, match="is longer than"):
        post(url)
    with served(answering(slow)) as url, pytest.raises(LoginUnreachable, match=TOO_SLOW):
        post(url, monotonic=lambda: next(moments))


def test_a_redirect_is_not_followed():
    """Whatever is posted goes to one address."""
    elsewhere = answering(answer({}))
    with served(elsewhere) as other, served(answering(answer({}, 307, Location=other))) as url:
        assert post(url, form={"password": "x"}).status == 307
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example", "https://A.example:443/x/../y"),
        ("https://a.example/", "https://a.example/x?y"),
        ("https://a.example/p", "https://a.example/p"),
        ("https://a.example/p/", "https://a.example/p/q"),
        ("https://a.example", "https://user@a.example/"),
    ],
)
def test_addresses_of_a_service(resource, url):
    """The same origin, at or below its path."""
    assert is_within(resource, url)


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://a.example", "http://a.example"),
        ("https://a.example", "https://a.example:8443"),
        ("https://a.example", "https://a.example.evil"),
        ("https://a.example", "https://a.example@evil"),
        ("https://a.example", "https://a.example:443@evil/"),
        ("https://a.example", "https://evil\\@a.example.evil"),
        ("https://a.example", "//a.example"),
        ("https://a.example", "nonsense"),
        ("https://a.example", "https://x:port"),
        ("https://a.example/p", "https://a.example"),
        ("https://a.example/p", "https://a.example/pq"),
        ("https://a.example/p", "https://a.example/p/../q"),
        ("https://a.example/p", "https://a.example/p/%2e%2e/q"),
    ],
)
def test_addresses_of_others(resource, url):
    """Whatever looks like the service but is not is sent nothing."""
    assert not is_within(resource, url)
