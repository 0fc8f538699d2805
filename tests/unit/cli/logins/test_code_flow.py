"""A sign-in whose provider errs: what it sends is refused, and nobody is signed in."""

import json
import time
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from tests.unit.authn.provider import provided
from werkzeug import Response

from licet.authn.tokens.provider_metadata import discover
from licet.cli.logins.code_flow import CodeFlow
from licet.cli.logins.errors import LoginRefused, LoginUnreachable

GRANT = {"access_token": "a", "token_type": "Bearer"}


@pytest.fixture
def provider():
    with provided() as found:
        found.metadata = {
            "authorization_endpoint": f"{found.issuer}/authorize",
            "token_endpoint": f"{found.issuer}/token",
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        yield found


def signed_in(provider, *, header=None, **claims):
    """Somebody signs in, and the provider gives an ID token with these claims."""

    def show(url):
        asked = dict(parse_qsl(urlsplit(url).query))
        told = {"nonce": asked["nonce"], "aud": asked["client_id"], "sub": "ann"} | claims
        id_token = provider.token(header or {"typ": "JWT"}, now=int(time.time()), **told)
        document = GRANT if header == {} else GRANT | {"id_token": id_token}
        provider.answers["/token"] = Response(json.dumps(document))
        answer = {"state": asked["state"], "code": "c"}
        assert httpx2.get(asked["redirect_uri"], params=answer).status_code == 200

    return CodeFlow(
        metadata=discover(provider.issuer),
        client_id="cli",
        scopes=["read"],
        resource="https://service.example",
        audience=None,
        show=show,
        wait_seconds=10,
    ).run()


def test_an_id_token_tells_who_it_is(provider):
    """One that holds is believed."""
    assert signed_in(provider).who == "ann"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"nonce": "other"}, "of another sign-in"),
        ({"nonce": None}, "of another sign-in"),
        ({"aud": "other"}, "does not hold"),
        ({"iss": "https://other.example"}, "does not hold"),
        ({"exp": 1}, "does not hold"),
        ({"header": {}}, "does not say who signed in"),
    ],
)
def test_an_id_token_that_is_not_believed(provider, claims, told):
    """Another's, an old one, or none: nobody is signed in."""
    with pytest.raises(LoginRefused, match=told):
        signed_in(provider, **claims)


def test_keys_that_cannot_be_had(provider):
    """Then nobody knows whether the ID token holds."""
    provider.answers["/keys"] = Response("", 500)
    with pytest.raises(LoginUnreachable, match="cannot be had"):
        signed_in(provider)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"authorization_endpoint": None}, "no page where people sign in"),
        ({"token_endpoint": None}, "no page where people sign in"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not do PKCE with S256"),
    ],
)
def test_what_a_provider_cannot_do(provider, changes, told):
    """It is told before a browser is opened."""
    provider.metadata |= changes
    with pytest.raises(LoginRefused, match=told):
        signed_in(provider)
