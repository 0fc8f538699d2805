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


def test_an_origin_with_brackets_is_no_pattern(app):
    """An IPv6 address is compared like any other, and nothing before or after it."""
    client = served(app, LICET_CORS_ORIGINS="http://[::1]:3000")
    asked = [
        "http://[::1]:3000",
        "http://1:3000",
        "http://[::1]:3000.evil.example",
        "http://::3000",
    ]
    found = [client.get("/", headers={"Origin": one}).headers for one in asked]
    assert [one.get("Access-Control-Allow-Origin") for one in found] == [asked[0], None, None, None]
    assert all("Origin" in ",".join(one.getlist("Vary")) for one in found)


def test_an_answer_without_an_origin_varies_by_it(app):
    """A cache does not give it to a page of another origin, which lacked the header."""
    client = served(app, LICET_CORS_ORIGINS=[PORTAL])
    assert "Origin" in ",".join(client.get("/").headers.getlist("Vary"))


def test_preflights_are_not_counted(app):
    """A browser sends one before each request, and Flask answers it."""
    client = served(app, LICET_CORS_ORIGINS=[PORTAL], LICET_RATE_LIMIT="2/minute")
    asks = {"Origin": PORTAL, "Access-Control-Request-Method": "GET"}
    assert [client.options("/", headers=asks).status_code for _ in range(4)] == [200] * 4
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
