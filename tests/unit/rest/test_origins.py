"""Pages of other origins, with Flask-CORS."""

import pytest
from tests.unit.rest.test_limits import served

from licet.errors import ConfigurationError

PORTAL = "https://portal.example.org"


def test_pages_of_named_origins_read_answers(app):
    """Errors and 429, too; with the headers that a client needs, and without cookies."""
    client = served(
        app, LICET_CORS_ORIGINS=f"{PORTAL}, http://localhost:3000", LICET_RATE_LIMIT="3/minute"
    )
    asked = [client.get(url, headers={"Origin": PORTAL}) for url in ("/", "/mine/", "/no", "/")]
    assert [answer.status_code for answer in asked] == [200, 401, 404, 429]
    for answer in asked:
        assert answer.headers["Access-Control-Allow-Origin"] == PORTAL
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in ",".join(answer.headers.getlist("Vary"))


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://portal.example.org.evil.example",
        "https://portalXexample.org",
        "http://portal.example.org",
        "https://portal.example.org:444",
        "null",
    ],
)
def test_pages_of_other_origins_do_not(app, origin):
    """An origin is compared whole: its dots are dots."""
    client = served(app, LICET_CORS_ORIGINS=[PORTAL])
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": origin}).headers


def test_a_preflight_is_answered_for_a_guarded_view(app):
    """The browser asks without a token whether it may send one."""
    client = served(app, LICET_CORS_ORIGINS=[PORTAL])
    headers = {
        "Origin": PORTAL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, if-match, idempotency-key",
    }
    answer = client.options("/mine/", headers=headers)
    assert answer.status_code == 200
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "if-match", "idempotency-key"} <= set(allowed)


@pytest.mark.parametrize(
    "origins", ["portal.example.org", "https://a.example/x", "https://*.example", "ftp://a", ".*"]
)
def test_an_origin_that_is_none_is_refused_at_the_start(app, origins):
    """No pattern is guessed from what was written."""
    with pytest.raises(ConfigurationError, match="LICET_CORS_ORIGINS"):
        served(app, LICET_CORS_ORIGINS=origins)
