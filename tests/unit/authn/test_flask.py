"""Authentication in a request."""

import pytest
from flask import jsonify, request
from tests.unit.authn.made_tokens import token

from licet.authn import authenticate, current_identity, embedded_issuer, use_verifier
from licet.authn.flask import IdentityStateBuilder, read_cookies_with
from licet.authn.tokens.issuer import KEY_FILE, subject_of
from licet.authn.verifiers import has_authentication
from licet.authn.web.well_known import add_well_known_routes
from licet.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    UnverifiedAuthenticationError,
)
from licet.rest import install_problem_handler


def bearer(text):
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {text}"}


def minted(app, user="ann", scopes=("run",), **options):
    """The header of a token of the app's own issuer."""
    return bearer(embedded_issuer(app).mint(user, scopes, **options))


class CountingVerifier:
    """Takes every token as the user of that name, and counts."""

    def __init__(self, identity):
        self.identity = identity
        self.seen = []

    def verify(self, text):
        """The one identity."""
        self.seen.append(text)
        return self.identity


@pytest.fixture
def someone(app):
    """An identity that the app's issuer vouches for."""
    with app.test_request_context(headers=minted(app, "someone")):
        return authenticate()


def test_an_app_takes_its_own_tokens(app):
    """The embedded issuer's tokens are accepted without any setting."""
    with app.test_request_context(headers=minted(app, groups=["staff"])):
        identity = authenticate()
    assert identity.principal == f"urn:licet:identity:{subject_of('ann')}"
    assert identity.groups == {"urn:licet:group:staff"}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, MissingToken),
        ({"Authorization": ""}, MissingToken),
        ({"Authorization": "Basic dTpw"}, UnverifiedAuthenticationError),
        (bearer("abc"), InvalidToken),
        (bearer(token()), InvalidToken),
    ],
)
def test_other_callers_are_refused(app, headers, error):
    """No, malformed and foreign tokens are three errors, all of them 401."""
    with app.test_request_context(headers=headers), pytest.raises(error) as caught:
        authenticate()
    assert caught.value.code == 401


@pytest.mark.parametrize("place", [{"query_string": "access_token={}"}, {"data": "{}"}])
def test_tokens_elsewhere_are_not_read(app, place):
    """A token in the query or the body is no token."""
    text = minted(app)["Authorization"].removeprefix("Bearer ")
    ((name, form),) = place.items()
    value = {"access_token": text} if name == "data" else form.format(text)
    with app.test_request_context("/", method="POST", **{name: value}):
        with pytest.raises(MissingToken):
            authenticate()
        assert not current_identity.is_authenticated


def test_a_request_is_verified_once(app, someone):
    """However often the identity is asked for, the token is verified once in a request."""
    verifier = CountingVerifier(someone)
    use_verifier(app, verifier)
    with app.test_request_context(headers=bearer("abc")):
        assert authenticate() is authenticate()
        assert current_identity.subject == someone.subject
    assert verifier.seen == ["abc"]


def test_without_a_token_the_caller_is_anonymous(app):
    """`current_identity` is ANONYMOUS in a request without a token."""
    with app.test_request_context():
        assert not current_identity.is_authenticated


def test_a_bad_token_is_not_anonymous(app):
    """Whoever sends a token that does not hold is refused, not taken for nobody."""
    with app.test_request_context(headers=bearer("abc")), pytest.raises(InvalidToken):
        _ = current_identity.subject


def test_requests_in_one_app_context_have_their_own_callers(app):
    """A request without a token is nobody's, whoever asked before in the same app context."""
    app.add_url_rule("/", view_func=lambda: jsonify(current_identity.is_authenticated))
    headers = minted(app)
    with app.app_context():
        assert app.test_client().get("/", headers=headers).json is True
        assert app.test_client().get("/").json is False


def test_a_put_verifier_replaces_the_issuers(app, someone):
    """With a verifier of one's own, the app's own tokens no longer count by themselves."""
    app.config["LICET_EMBEDDED_ISSUER"] = "false"
    use_verifier(app, CountingVerifier(someone))
    with app.test_request_context(headers=bearer("abc")):
        assert authenticate() is someone


@pytest.mark.parametrize(
    ("enabled", "put", "expected"),
    [(True, False, True), (False, False, False), (False, True, True), (True, True, True)],
)
def test_an_app_knows_whether_it_can_check_tokens(app, enabled, put, expected):
    """Either the embedded issuer or a verifier is needed."""
    app.config["LICET_EMBEDDED_ISSUER"] = enabled
    if put:
        use_verifier(app, CountingVerifier(None))
    assert has_authentication(app) is expected


def test_a_switched_off_issuer_is_told(app):
    """Without issuer or verifier, checking a token names the setting."""
    app.config["LICET_EMBEDDED_ISSUER"] = False
    request = app.test_request_context(headers=bearer("abc"))
    with request, pytest.raises(ConfigurationError, match="LICET_EMBEDDED_ISSUER"):
        authenticate()


def test_settings_reach_the_tokens(app):
    """Issuer, audience and lifetime are those of the settings."""
    app.config.update(LICET_ISSUER="https://i.example", LICET_AUDIENCE="https://a.example")
    app.config["LICET_ACCESS_TOKEN_SECONDS"] = "60"
    with app.test_request_context(headers=minted(app)):
        claims = authenticate().claims
    assert (claims["iss"], claims["aud"]) == ("https://i.example", "https://a.example")
    assert claims["exp"] - claims["iat"] == 60


def test_keys_are_made_when_first_needed(app, tmp_path):
    """An app that checks no token makes no key file."""
    has_authentication(app)
    assert not (tmp_path / "instance").exists()
    embedded_issuer(app)
    assert (tmp_path / "instance" / KEY_FILE).exists()


@pytest.mark.parametrize("scopes", [["run"], ["other", "all"]])
def test_a_state_needs_one_accepted_scope(app, scopes):
    """One of the accepted scopes makes a state."""
    builder = IdentityStateBuilder(app, ["run", "all"])
    with app.test_request_context(headers=minted(app, scopes=scopes)):
        assert builder.build_from_request().effective_identity.startswith("urn:licet:identity:")


def test_a_state_is_refused_without_the_scope(app):
    """A good token without a scope that is accepted is told which would do."""
    builder = IdentityStateBuilder(app, ["run", "all"])
    request = app.test_request_context(headers=minted(app, scopes=["other"]))
    with request, pytest.raises(InsufficientScope) as caught:
        builder.build_from_request()
    assert caught.value.accepted_scopes == ("run", "all")


def test_a_builder_uses_the_verifier_of_its_first_request(app, someone):
    """A verifier that is put after the builder was made still counts."""
    builder = IdentityStateBuilder(app, ["run"])
    use_verifier(app, CountingVerifier(someone))
    for _ in range(2):
        with app.test_request_context(headers=bearer("abc")):
            assert builder.build_from_request().identity is someone


def test_refusals_are_rendered_with_their_challenge(app):
    """Over HTTP, no token and a bad token differ in the challenge."""
    install_problem_handler(app)
    app.add_url_rule("/", view_func=lambda: authenticate().subject)
    client = app.test_client()
    none, bad = client.get("/"), client.get("/", headers=bearer("a.b.c"))
    assert none.headers["WWW-Authenticate"] == 'Bearer realm="licet"'
    assert bad.headers["WWW-Authenticate"] == 'Bearer realm="licet", error="invalid_token"'
    assert none.status_code == bad.status_code == 401


def test_published_keys_verify_the_tokens(app):
    """The key with the token's kid is among the published ones."""
    add_well_known_routes(app)
    published = app.test_client().get("/.well-known/jwks.json").json
    assert published == embedded_issuer(app).jwks()


@pytest.mark.parametrize("header", ["Basic dTpw", "basic dTpw", "Negotiate abc", "Digest a=b"])
def test_a_proxys_own_scheme_hides_no_cookie(app, someone, header):
    """Browsers send the password that a proxy in front of the app asked for with each request."""
    read_cookies_with(app, lambda: someone if "session" in request.cookies else None)
    headers = {"Authorization": header, "Cookie": "session=1"}
    with app.test_request_context(headers=headers):
        assert authenticate() == current_identity == someone
    del headers["Cookie"]
    with app.test_request_context(headers=headers), pytest.raises(UnverifiedAuthenticationError):
        authenticate()


@pytest.mark.parametrize("text", ["", "abc", "a b"])
def test_a_bad_token_is_told_beside_a_cookie(app, someone, text):
    """A program that sends a token wants to be known by it."""
    read_cookies_with(app, lambda: someone)
    headers = {"Authorization": f"Bearer {text}"}
    with app.test_request_context(headers=headers), pytest.raises(AuthenticationError):
        authenticate()
