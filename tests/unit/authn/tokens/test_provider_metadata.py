"""What a provider says of itself, checked; and PKCE."""

import base64

import httpx2
import pytest

from licet.authn.tokens._rfc7636 import new_code_secret
from licet.authn.tokens.provider_metadata import ProviderUnusable, discover
from licet.errors import ConfigurationError

ISSUER = "https://issuer.example/tenant"


def answering(document, asked=None):
    def answer(request):
        if asked is not None:
            asked.append(str(request.url))
        return httpx2.Response(200, json=document)

    return httpx2.MockTransport(answer)


def test_what_is_found():
    """Each part, and nothing where the provider says nothing."""
    asked = []
    document = {
        "issuer": f"{ISSUER}/",
        "authorization_endpoint": "https://issuer.example/authorize?a=b",
        "token_endpoint": "http://127.0.0.1:1/token",
        "scopes_supported": ["openid", 5],
        "code_challenge_methods_supported": "S256",
        "authorization_response_iss_parameter_supported": True,
    }
    found = discover(ISSUER, transport=answering(document, asked))
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"]
    assert found.issuer == f"{ISSUER}/"
    assert found.authorization_endpoint == "https://issuer.example/authorize?a=b"
    assert found.revocation_endpoint is None
    assert (found.scopes, found.challenge_methods) == ({"openid"}, frozenset())
    assert found.names_itself


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"token_endpoint": "http://issuer.example/token"},
        {"token_endpoint": 5},
        {"token_endpoint": "https://x:port"},
        {"token_endpoint": "/token"},
        {"token_endpoint": "https://a:b@issuer.example/"},
        {"token_endpoint": "https://issuer.example/#x"},
        {"token_endpoint": "https://\ud800/"},
    ],
)
def test_what_is_not_believed(changes):
    """Another's metadata, and addresses that nothing may be sent to."""
    with pytest.raises(ProviderUnusable):
        discover(ISSUER, transport=answering({"issuer": ISSUER} | changes))


def test_an_issuer_without_https():
    """Only where somebody vouches for the network."""
    plain = "http://issuer.example"
    with pytest.raises(ConfigurationError, match="no https"):
        discover(plain, transport=answering({"issuer": plain}))
    metadata = {"issuer": plain, "token_endpoint": f"{plain}/token"}
    found = discover(plain, transport=answering(metadata), allow_http=True)
    assert found.token_endpoint == f"{plain}/token"


def test_the_challenge_is_of_the_verifier():
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    octets = base64.urlsafe_b64decode(verifier + "=")
    found = new_code_secret(lambda count: octets[:count])
    assert found == (verifier, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    assert new_code_secret() != new_code_secret()
