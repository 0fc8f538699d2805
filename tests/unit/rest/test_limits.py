"""Rate limits, sizes of URLs and headers, and slashes."""

import pytest
from flask import Blueprint, g
from tests.unit.authn.callers import Names, by

from licet import Licet
from licet.authn import use_verifier
from licet.authz import register_policies
from licet.errors import ConfigurationError, RateLimited
from licet.rest import public, requires_auth, use_args
from licet.rest.limits import Rate, RateLimiter, counted_as, parse_rates


def served(app, **config):
    """The client of an app with these settings and two views."""
    app.config.update(LICET_EMBEDDED_ISSUER=False, **config)
    use_verifier(app, Names())
    app.add_url_rule("/", "home", public(lambda: "home"))
    app.add_url_rule(
        "/mine/", "mine", requires_auth("mine")(lambda: "mine"), methods=["GET", "POST"]
    )
    app.add_url_rule("/args", "args", public(use_args({"q": str})(lambda args: args)))
    Licet(app)
    return app.test_client()


def statuses(client, count, url="/", **options):
    return [client.get(url, **options).status_code for _ in range(count)]


def test_what_is_too_much_is_429(app):
    """With Retry-After and what is left, before the view and its guards are asked."""
    client = served(app, LICET_RATE_LIMIT="3/minute; 100/hour")
    assert statuses(client, 2, "/mine/") == [401, 401]
    answer = client.get("/")
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Policy"] == '"3-in-60s";q=3;w=60, "100-in-3600s";q=100;w=3600'
    answer = client.get("/")
    assert (answer.status_code, answer.json["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["RateLimit"].startswith('"3-in-60s";r=0;t=')
    assert answer.headers["RateLimit-Limit"] == "3"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
def test_a_spoofed_address_changes_nothing(app, name):
    """What a caller writes into a header is not their address."""
    client = served(app, LICET_RATE_LIMIT="3/minute")
    found = [
        client.get(
            "/", headers={name: f"for=203.0.113.{n}" if name == "Forwarded" else f"9.9.9.{n}"}
        )
        for n in range(5)
    ]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429, 429]


def test_behind_a_proxy_only_its_own_word_counts(app):
    """The last address is the proxy's; those before it are the caller's own words."""
    client = served(app, LICET_RATE_LIMIT="3/minute", LICET_PROXIES=1)

    def ask(forwarded):
        return client.get("/", headers={"X-Forwarded-For": forwarded}).status_code

    assert [ask(f"9.9.9.{n}, 198.51.100.7") for n in range(4)] == [200, 200, 200, 429]
    assert ask("198.51.100.7, 198.51.100.8") == 200


def test_one_network_of_ipv6_is_one_caller(app):
    """A /64 is what one line has, so its 2**64 addresses are counted together."""
    client = served(app, LICET_RATE_LIMIT="2/minute")
    asked = [
        client.get("/", environ_overrides={"REMOTE_ADDR": address}).status_code
        for address in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:9::3", "2001:db8:0:1::1")
    ]
    assert asked == [200, 200, 429, 200]


def test_who_is_signed_in_is_counted_wherever_they_are(app):
    """Neither another address nor a new bad token makes room; others have their own."""
    client = served(app, LICET_RATE_LIMIT="2/minute")
    for n, status in enumerate([200, 200, 429]):
        environ = {"REMOTE_ADDR": f"198.51.100.{n}"}
        answer = client.get("/mine/", headers=by("ann"), environ_overrides=environ)
        assert answer.status_code == status
    assert client.get("/mine/", headers=by("ben")).status_code == 200
    assert statuses(client, 4, "/mine/", headers=by("bad")) == [401, 401, 429, 429]


def test_an_app_without_the_setting_counts_nothing(app):
    """No header, no limit."""
    answer = served(app).get("/")
    assert not [name for name, _ in answer.headers if name.startswith("RateLimit")]


@pytest.mark.parametrize("text", ["many", "10", "0/minute", "10/fortnight", "-1/second"])
def test_a_rate_that_means_nothing_is_refused_at_the_start(app, text):
    """The setting and its value are told."""
    with pytest.raises(ConfigurationError, match="LICET_RATE_LIMIT"):
        served(app, LICET_RATE_LIMIT=text)


def test_windows_end():
    """The count begins again, and others' counts are not touched."""
    now = [0.0]
    limiter = RateLimiter([Rate(requests=1, seconds=10)], clock=lambda: now[0])
    limiter.count("a")
    with pytest.raises(RateLimited) as raised:
        limiter.count("a")
    assert raised.value.retry_after_seconds == 10
    limiter.count("b")
    now[0] = 10.0
    assert limiter.count("a")["RateLimit-Remaining"] == "0"
    assert parse_rates(" ") == ()
    assert counted_as("x", "1.2.3.4") != counted_as(None, "1.2.3.4")


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("/args?q=" + "a" * 9000, {}, 414),
        ("/args", {"X-Big": "a" * 40_000}, 431),
        ("/args", {f"X-{n}": "a" * 100 for n in range(500)}, 431),
        ("/args?q=a", {"X-Big": "a" * 3000}, 200),
    ],
)
def test_urls_and_headers_have_a_limit(app, url, headers, status):
    """Endpoints of the decorators refuse what is longer."""
    assert served(app).get(url, headers=headers).status_code == status


# --- slashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_a_url_and_the_same_with_a_slash_are_one(app, method):
    """No method is redirected, whichever of the two the rule is written with."""
    client = served(app, LICET_STRICT_SLASHES=False)
    blueprint = Blueprint("late", __name__, url_prefix="/late")
    for rule in ("/a", "/b/"):
        options = {"methods": [method.upper()]}
        blueprint.add_url_rule(rule, rule.strip("/"), public(lambda: "ok"), **options)
    app.register_blueprint(blueprint)
    for url in ("/late/a", "/late/a/", "/late/b", "/late/b/"):
        assert getattr(client, method)(url).status_code == 200


def test_slashes_count_unless_it_is_said(app):
    """The host's app is left as it is."""
    assert served(app).get("/mine").status_code == 308


def test_a_caller_who_is_found_out_later_is_counted_by_address(app):
    """As by the function before a request that sets ``g.user``; it comes after the count."""
    client = served(app, LICET_RATE_LIMIT="3/minute")
    register_policies(app, caller=lambda: g.user)

    @app.before_request
    def load_user():
        g.user = None

    assert statuses(client, 4) == [200, 200, 200, 429]
