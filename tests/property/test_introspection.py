"""Any answer of an introspection endpoint, any Authorization header: a verdict, never an accident.

With full counts 20,000 cases: 10,000 answers, most checked against an oracle that reads the
standard once more, and 10,000 headers.
"""

import contextlib
import json
import math
from unittest.mock import Mock

import globus_sdk
import httpx2
import pytest
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.counts import count

from licet import Licet, current_identity
from licet.authn import IntrospectionVerifier, embedded_issuer, use_verifier
from licet.authn.globus import AuthState, InactiveTokenError, InvalidTokenScopesError
from licet.authn.tokens.bearer import MAX_TOKEN_BYTES
from licet.authz import requires_auth
from licet.errors import AuthenticationUnavailable

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://issuer.example", "https://service.example"
MAX_TIME = 253_402_300_799
GOOD = {"active": True, "sub": "someone", "iss": ISSUER, "aud": AUDIENCE, "scope": "read write"}
GOOD |= {"exp": NOW + 900, "nbf": NOW, "iat": NOW, "client_id": "app", "groups": ["staff"]}
TIMES = [0, -1, NOW - 1, NOW, NOW + 1, NOW + 59, NOW + 60, NOW + 61, MAX_TIME, MAX_TIME + 1, 1e308]

scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "true", "\ud800", "a\nb", "x" * 256, 10**400, *TIMES, ISSUER, AUDIENCE]),
)
anything = st.one_of(
    scalar,
    scalar,
    st.lists(scalar, max_size=2),
    st.dictionaries(st.sampled_from(["a", "b", "active"]), scalar, max_size=2),
    st.sampled_from([[[]], [[[AUDIENCE]]], {"a": {"b": [1]}}, {"active": True}]),
)
members = st.one_of(
    st.tuples(st.sampled_from(sorted(GOOD)), anything),
    st.tuples(st.sampled_from(["exp", "nbf", "iat"]), st.sampled_from(TIMES)),
    st.tuples(st.just("aud"), st.lists(st.sampled_from([AUDIENCE, ISSUER, ""]), max_size=3)),
    st.tuples(st.text(max_size=6), anything),
)


@st.composite
def answers(draw):
    """Mostly a good answer with some members changed or left out; sometimes any JSON at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(anything)
    answer = GOOD | dict(draw(st.lists(members, max_size=3)))
    for name in draw(st.lists(st.sampled_from(sorted(GOOD)), max_size=2)):
        answer.pop(name, None)
    return answer


def is_time(value):
    """Whether JSON's value is a moment that a datetime can hold."""
    return type(value) in (int, float) and 0 <= value <= MAX_TIME


def is_good(answer):
    """The oracle: whether the answer accepts a token for us, read member by member."""
    if not isinstance(answer, dict) or answer.get("active") is not True:
        return False
    if not all(math.isfinite(number) for number in floats_in(answer)):
        return False  # NaN and Infinity are no JSON
    subject, audience = answer.get("sub"), answer.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    times = {name: answer[name] for name in ("exp", "nbf", "iat") if answer.get(name) is not None}
    groups = answer.get("groups")
    return (
        isinstance(subject, str)
        and 1 <= len(subject) <= 255
        and subject.isprintable()
        and answer.get("iss") in (None, ISSUER)
        and isinstance(listed, list)
        and all(isinstance(one, str) for one in listed)
        and AUDIENCE in listed
        and all(isinstance(answer.get(name), str | None) for name in ("scope", "client_id"))
        and all(map(is_time, times.values()))
        and times.get("exp", NOW + 1) > NOW
        and max(times.get("nbf", 0), times.get("iat", 0)) <= NOW + 60
        and (groups is None or is_list_of_text(groups))
        and "read" in (answer.get("scope") or "").split()
    )


def is_list_of_text(value):
    """Whether it is a list with nothing but text in it."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def floats_in(value):
    """Every float in a JSON value, however deep."""
    if isinstance(value, float):
        yield value
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from floats_in(inner)


class Endpoint:
    """An app whose tokens are checked by an endpoint that answers as it is told."""

    def __init__(self, folder):
        self.body = b""
        self.app = Flask("answers", static_folder=None, instance_path=str(folder))
        transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=self.body))
        self.verifier = IntrospectionVerifier(
            "https://issuer.example/introspect",
            "me",
            "secret",
            issuer=ISSUER,
            audience=AUDIENCE,
            accepted_scopes=["read"],
            transport=transport,
            clock=lambda: NOW,
        )
        use_verifier(self.app, self.verifier)
        Licet(self.app)
        self.app.add_url_rule("/", "view", requires_auth()(lambda: current_identity.subject))

    def answer_to(self, header, body=b""):
        """The response to a request with this header, when the endpoint answers so."""
        self.body = body
        self.verifier.forget()
        return self.app.test_client().get("/", environ_overrides={"HTTP_AUTHORIZATION": header})


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    return Endpoint(tmp_path_factory.mktemp("instance"))


@settings(max_examples=count(quick=300, full=6_000))
@given(answer=answers())
@example(GOOD)
@example({**GOOD, "active": 1})
@example({**GOOD, "active": "true"})
@example({**GOOD, "exp": True})
def test_no_answer_is_taken_for_a_yes_that_is_none(endpoint, answer):
    """A caller passes exactly when every check holds; else 401, 403 or 503, never another 5xx."""
    response = endpoint.answer_to("Bearer token", json.dumps(answer).encode())
    assert (response.status_code == 200) == is_good(answer), answer
    assert response.status_code in (200, 401, 403, 503)
    if response.status_code == 200:
        assert response.text == answer["sub"]


@settings(max_examples=count(quick=100, full=2_000))
@given(body=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(b'{"active": true, "active": true}')
@example(b'\xef\xbb\xbf{"active": false}')
@example(b"9" * 5000)
@example(b"[" * 50_000)
def test_bytes_are_no_answer(endpoint, body):
    """Whatever is not a documented answer is 503."""
    assert endpoint.answer_to("Bearer token", body).status_code == 503


@pytest.fixture(scope="module")
def states():
    """Makes the Globus state of a token that is answered so."""

    def make(answer):
        client = Mock(spec=globus_sdk.ConfidentialAppAuthClient, client_id="client")
        client.oauth2_token_introspect.return_value = answer
        AuthState.introspect_cache.clear()
        return AuthState(client, "token", ["read"])

    yield make
    AuthState.introspect_cache.clear()


UUID = "0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"


@settings(max_examples=count(quick=100, full=2_000))
@given(answer=answers(), has_subject=st.booleans())
@example(answer=GOOD, has_subject=True)
def test_globus_vouches_only_by_a_clear_yes(states, answer, has_subject):
    """A state is made of active tokens with the scope only; all else is 401, 403 or 503."""
    if has_subject and isinstance(answer, dict):
        answer = {**answer, "sub": UUID}
    made = None
    with contextlib.suppress(
        InactiveTokenError, InvalidTokenScopesError, AuthenticationUnavailable
    ):
        made = states(answer)
    if made is not None:
        assert answer["active"] is True
        assert "read" in answer["scope"].split()
        assert made.effective_identity == f"urn:globus:auth:identity:{answer['sub']}"


token68 = st.text("abcXYZ019-._~+/=", max_size=30)
headers = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    token68.map("Bearer {}".format),
    st.tuples(
        st.sampled_from(["Bearer", "bearer", "BEARER", "Basic", "Digest", "Bearer,", "", "\x00"]),
        st.sampled_from([" ", "  ", "\t", "", ", ", "\xa0", "\r\n"]),
        st.text(st.characters(max_codepoint=255), max_size=20) | token68,
        st.sampled_from(["", " ", "\n", "=", " x", ", Bearer x"]),
    ).map("".join),
    st.integers(MAX_TOKEN_BYTES - 2, MAX_TOKEN_BYTES + 10).map(lambda n: "Bearer " + "x" * n),
)


@settings(max_examples=count(quick=250, full=5_000))
@given(header=headers)
@example("Bearer \xe9")
@example("Basic Zm9vOmJhcg==")
@example("Basic \xff")
@example("Digest a=b")
def test_no_header_breaks_an_app_with_opaque_tokens(endpoint, header):
    """Whatever is sent, the answer is 401 with a challenge: nothing is vouched for here."""
    response = endpoint.answer_to(header, b'{"active": false}')
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="licet"')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An app with its own issuer, and a good token of its."""
    app = Flask("headers", static_folder=None, instance_path=str(tmp_path_factory.mktemp("own")))
    Licet(app)
    app.add_url_rule("/", "view", requires_auth()(lambda: current_identity.subject))
    return app, embedded_issuer(app).mint("ann", ["read"], ttl_seconds=3600)


@st.composite
def near_misses(draw):
    """Where to cut or change a good token, and what to put there."""
    return draw(st.floats(0, 1)), draw(st.integers(0, 3)), draw(st.text("aA0-_.=~ é", max_size=3))


@settings(max_examples=count(quick=250, full=5_000))
@given(header=st.one_of(headers, near_misses()))
def test_no_header_breaks_an_app_with_its_own_issuer(site, header):
    """Neither does any; and a good token that is changed anywhere is good no more."""
    app, token = site
    if isinstance(header, tuple):
        place, cut, put = header
        start = round(place * len(token))
        header = f"Bearer {token[:start]}{put}{token[start + cut :]}"
    response = app.test_client().get("/", environ_overrides={"HTTP_AUTHORIZATION": header})
    unchanged = header.strip(" ").split() == ["Bearer", token]
    assert response.status_code == (200 if unchanged else 401)
