"""Forged tokens by the thousand, each sent to an app: every one is a 401 and none is accepted.

20,000 cases in all: a header, JOSE parts, claims and whole tokens that nobody should take.
"""

import functools
import string

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.counts import count
from tests.unit.authn.made_tokens import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    OTHER_KEY,
    Clock,
    Keys,
    b64,
    json,
    signed,
    token,
)

from licet import Licet
from licet.authn import JWTVerifier, VerifierChain, current_identity, use_verifier
from licet.authz import public
from licet.errors import AuthenticationError

many = settings(
    max_examples=count(quick=300, full=5_000),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
GOOD = token()
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, "none", "HS256", "ES256", ISSUER, AUDIENCE, "JWT", "at+jwt"])
)
VALUE = (
    SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(st.text(max_size=3), SCALAR, max_size=2)
)
HEADER_NAMES = st.sampled_from([*HEADER, "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"])
PART = (
    st.binary(max_size=40).map(b64)
    | st.text(string.ascii_letters + string.digits + "-_=+/", max_size=40)
    | st.sampled_from(GOOD.split("."))
    | st.dictionaries(HEADER_NAMES, SCALAR, max_size=3).map(lambda found: b64(json.dumps(found)))
)
NO_CLAIM = {
    "iss": VALUE.filter(lambda iss: iss != ISSUER),
    "aud": VALUE.filter(lambda aud: aud != AUDIENCE and AUDIENCE not in _listed(aud)),
    "sub": st.sampled_from(["", "\n", "a" * 256, "\ud800"]) | st.integers() | st.lists(SCALAR),
    "exp": VALUE.filter(lambda exp: isinstance(exp, str | bool | list | dict | None)),
    "nbf": VALUE.filter(lambda nbf: isinstance(nbf, str | bool | list | dict | None)),
    "iat": st.floats(max_value=-1e-9) | st.integers(max_value=-1) | st.integers(min_value=10**12),
    "scope": VALUE.filter(lambda scope: not isinstance(scope, str)),
    "events": VALUE,
    "nonce": VALUE,
}


def _listed(value):
    return value if isinstance(value, list) else []


def verifier():
    return JWTVerifier(
        issuer=ISSUER, audience=AUDIENCE, algorithms={"ES256"}, keys=Keys(), clock=Clock()
    )


@functools.cache
def client():
    app = Flask(__name__)
    Licet(app)
    use_verifier(app, VerifierChain(verifier()))
    app.get("/me")(public(lambda: current_identity.subject))
    return app.test_client()


@pytest.fixture(autouse=True, scope="module")
def _app(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LICET_INSTANCE_PATH", str(tmp_path_factory.mktemp("instance")))
        client()
        yield
    client.cache_clear()


def status(text):
    return client().get("/me", headers={"Authorization": f"Bearer {text}"}).status_code


def test_the_app_takes_good_tokens():
    """Else it would prove nothing that it refuses bad ones."""
    assert status(token()) == 200


@many
@given(st.dictionaries(HEADER_NAMES, VALUE, max_size=4))
def test_any_header_on_a_forgers_signature_is_refused(header):
    """Whatever a forger writes into the header, their key is not ours."""
    text = json.dumps({**HEADER, **header})
    assert status(signed(json.dumps(CLAIMS), text, OTHER_KEY)) == 401


@many
@given(st.lists(PART, min_size=1, max_size=5))
def test_any_parts_are_refused(parts):
    """Parts of good and bad tokens, put together in any number and order, are no token."""
    text = ".".join(parts)
    assert text == GOOD or status(text) == 401


@many
@given(
    st.sampled_from(sorted(NO_CLAIM)).flatmap(lambda name: NO_CLAIM[name].map(lambda v: (name, v)))
)
def test_any_claim_that_may_not_be_is_refused(claim):
    """However truly a token is signed, one claim that is wrong is enough."""
    name, value = claim
    assert status(signed(json.dumps({**CLAIMS, name: value}))) == 401


@many
@given(st.text(max_size=60) | PART.map(lambda part: f"{part}.{part}.{part}"))
def test_any_text_is_refused(text):
    """Text that never came through a header is refused in the same way, by whoever is asked."""
    for checked in (verifier(), VerifierChain(verifier())):
        with pytest.raises(AuthenticationError):
            checked.verify(text)
