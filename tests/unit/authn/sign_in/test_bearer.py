"""The tokens of providers that an app knows by its settings."""

import time

import pytest
from flask import Flask
from tests.unit.authn.sign_in.foreign import config_of, signing_in

from licet import Licet
from licet.authn import current_identity, embedded_issuer, use_verifier
from licet.authn.identity import group_principal
from licet.authn.verifiers import has_authentication, issuers_of
from licet.authz import public
from licet.errors import ConfigurationError

AUDIENCE = "https://api.example"


def status(app, token):
    """How a request with this token is answered."""
    headers = {"Authorization": f"Bearer {token}"}
    return app.test_client().get("/me", headers=headers).status_code


def token_of(provider, header=None, **claims):
    """An access token for us."""
    return provider.token(
        {"typ": "at+jwt", **(header or {})}, aud=AUDIENCE, now=int(time.time()), **claims
    )


def test_each_issuers_tokens_are_taken(make_app, provider):
    """Those of the providers with an audience, and the app's own."""
    with signing_in() as other:
        app = make_app(
            LICET_OIDC_PROVIDERS="one two",
            **config_of(provider, "LICET_OIDC_ONE_", CLIENT_ID=None, AUDIENCE=AUDIENCE),
            **config_of(other, "LICET_OIDC_TWO_"),
        )
        assert issuers_of(app) == ["http://localhost:8000", provider.issuer]
        assert status(app, embedded_issuer(app).mint("ann", [])) == 200
        assert status(app, token_of(provider)) == 200
        assert status(app, token_of(other)) == 401  # people sign in there, no more
        assert status(app, provider.token({"typ": "at+jwt"}, aud="x", now=int(time.time()))) == 401
        assert issuers_of(app) == ["http://localhost:8000", provider.issuer]


def test_an_app_without_its_own_issuer_takes_the_providers(make_app, provider):
    """Then local tokens are none."""
    app = make_app(LICET_EMBEDDED_ISSUER=False, **config_of(provider, AUDIENCE=AUDIENCE))
    assert has_authentication(app)
    assert issuers_of(app) == [provider.issuer]
    assert status(app, token_of(provider)) == 200


@pytest.mark.parametrize(("allowed", "expected"), [("no", 401), ("yes", 200)])
def test_a_plain_type_is_taken_where_the_operator_says_so(make_app, provider, allowed, expected):
    """For providers that cannot do RFC 9068."""
    app = make_app(**config_of(provider, AUDIENCE=AUDIENCE, TAKES_PLAIN_TYPE=allowed))
    assert status(app, token_of(provider, {"typ": "JWT"})) == expected


@pytest.mark.parametrize("are_local", [False, True])
def test_a_providers_groups_are_as_the_operator_says(make_app, provider, are_local):
    """Its own, or the app's."""
    app = make_app(**config_of(provider, AUDIENCE=AUDIENCE, GROUPS_ARE_LOCAL=are_local))
    app.get("/groups")(public(lambda: sorted(current_identity.groups)))
    headers = {"Authorization": f"Bearer {token_of(provider, groups=['staff'])}"}
    found = app.test_client().get("/groups", headers=headers).json
    assert found == [group_principal("staff", issuer=None if are_local else provider.issuer)]


def test_the_programs_own_verifier_goes_before(make_app, provider):
    """Settings are what counts when nobody says otherwise."""
    app = make_app(**config_of(provider, AUDIENCE=AUDIENCE))
    use_verifier(app, None)
    assert issuers_of(app) == []


@pytest.mark.parametrize("use", [{}, {"CLIENT_ID": None, "AUDIENCE": AUDIENCE}])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ISSUER": "http://idp.example"}, "no https"),
        ({"ALGORITHMS": "HS256"}, "JWTVerifier cannot accept HS256"),
        ({"ISSUER": "https://idp.example/?a=1"}, "without query"),
    ],
)
def test_a_provider_that_cannot_be_trusted_stops_the_start(tmp_path, provider, changes, told, use):
    """Before the first request."""
    app = Flask("app", instance_path=str(tmp_path))
    app.config.update(config_of(provider, **changes, **use))
    with pytest.raises(ConfigurationError, match=told):
        Licet(app)
