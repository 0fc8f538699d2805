"""Where a client that was answered 401 learns who gives tokens."""

import pytest
from flask import Flask, Response
from tests.unit.authn.callers import Names
from tests.unit.authn.made_tokens import Keys
from werkzeug.exceptions import Unauthorized

from licet import Licet
from licet.authn import (
    IntrospectionVerifier,
    JWTVerifier,
    VerifierChain,
    authenticate,
    embedded_issuer,
    use_verifier,
)
from licet.authn.web.well_known import WELL_KNOWN, add_protected_resource_metadata
from licet.authz import public
from licet.errors import ConfigurationError, InsufficientScope

URL = "https://api.example.org"
METADATA = f'resource_metadata="{URL}{WELL_KNOWN}"'


@pytest.fixture
def app(tmp_path):
    """An app that knows its public URL, and has no rule at all."""
    app = Flask("app", static_folder=None, instance_path=str(tmp_path / "instance"))
    app.config["LICET_PUBLIC_URL"] = f"{URL}/"
    return app


def metadata(app):
    """The published document."""
    response = app.test_client().get(WELL_KNOWN)
    assert response.headers["Cache-Control"] == "public, max-age=300"
    return response.json


def answer(app, view):
    """What an attached app answers where this view is."""
    Licet(app)
    app.add_url_rule("/", "view", public(view))
    return app.test_client().get("/")


def raising(error):
    """A view that raises."""

    def view():
        raise error

    return view


def test_an_app_says_who_gives_tokens(app):
    """Its own issuer, as long as it takes its tokens."""
    Licet(app)
    assert metadata(app) == {
        "resource": URL,
        "authorization_servers": ["http://localhost:8000"],
        "bearer_methods_supported": ["header"],
    }


def test_the_issuer_is_the_public_url_when_nothing_else_is_said(app):
    """A service that is its own issuer needs no second setting."""
    app.config.update(LICET_PUBLIC_URL=None, LICET_ISSUER="https://both.example")
    Licet(app)
    assert metadata(app)["resource"] == "https://both.example"
    assert metadata(app)["authorization_servers"] == ["https://both.example"]


A, B = "https://a.example", "https://b.example"


def foreign(issuer=A):
    """A verifier of one issuer's tokens."""
    algorithms = frozenset({"ES256"})
    return JWTVerifier(issuer=issuer, audience=URL, algorithms=algorithms, keys=Keys())


def opaque(issuer=B):
    """One that asks about opaque tokens."""
    return IntrospectionVerifier(
        f"{issuer}/introspect", "me", "secret", issuer=issuer, audience=URL
    )


@pytest.mark.parametrize(
    ("verifier", "issuers"),
    [
        (foreign(), [A]),
        (opaque(), [B]),
        (VerifierChain(foreign(), foreign(B)), [A, B]),
        (VerifierChain(foreign(), opaque=opaque()), [A, B]),
        (VerifierChain(foreign(), opaque=opaque(A)), [A]),
        (VerifierChain(foreign(), opaque=Names()), [A]),
    ],
)
def test_a_foreign_verifiers_issuers_are_named(app, verifier, issuers):
    """Where tokens come from elsewhere, that is where clients are sent."""
    use_verifier(app, verifier)
    Licet(app)
    assert metadata(app)["authorization_servers"] == issuers


@pytest.mark.parametrize("verifier", [None, Names()])
def test_unknown_issuers_are_not_named(app, verifier):
    """Without an issuer, or with one that has no name, the document names none."""
    app.config["LICET_EMBEDDED_ISSUER"] = False
    if verifier is not None:
        use_verifier(app, verifier)
    Licet(app)
    assert metadata(app) == {"resource": URL, "bearer_methods_supported": ["header"]}


def test_the_embedded_issuer_is_named_after_its_first_token(app):
    """That a token was verified changes nothing."""
    Licet(app)
    before = metadata(app)
    token = embedded_issuer(app).mint("ann", ["run"])
    with app.test_request_context(headers={"Authorization": f"Bearer {token}"}):
        authenticate()
    assert metadata(app) == before


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        ('Bearer realm="licet"', f'Bearer realm="licet", {METADATA}'),
        ('Bearer realm="a", error="b"', f'Bearer realm="a", error="b", {METADATA}'),
        ("Bearer", f"Bearer {METADATA}"),
        *(
            (other, other)
            for other in (
                'Basic realm="x"',
                'Bearer realm="a", Basic realm="b"',
                "Bearer realm=a",
                'Bearer realm="a\\""',
                'Bearer resource_metadata="https://other.example"',
                "Bearers",
                "",
            )
        ),
    ],
)
def test_every_401_names_the_document(app, challenge, expected):
    """Each Bearer challenge does; what is not understood stays as it is."""
    response = answer(app, lambda: Response("", 401, {"WWW-Authenticate": challenge}))
    assert response.headers["WWW-Authenticate"] == expected


def test_several_challenges_stay_several(app):
    """Only the Bearer one names the document."""
    headers = [("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Bearer")]
    response = answer(app, lambda: Response("", 401, headers))
    assert response.headers.getlist("WWW-Authenticate") == ["Basic", f"Bearer {METADATA}"]


def test_a_401_without_a_challenge_is_given_one(app):
    """An aborted request is told the scheme, and where the document is, by an app of documents."""
    app.config["LICET_PROBLEM_ERRORS"] = True
    response = answer(app, raising(Unauthorized()))
    assert response.headers["WWW-Authenticate"] == f"Bearer {METADATA}"


@pytest.mark.parametrize("view", [authenticate, lambda: (authenticate(), "")])
def test_a_missing_token_is_told_where_to_get_one(app, view):
    """The challenge names no error, and the document."""
    response = answer(app, view)
    assert response.headers["WWW-Authenticate"] == f'Bearer realm="licet", {METADATA}'


def test_other_answers_name_nothing(app):
    """A 403 is no matter of where tokens come from."""
    response = answer(app, raising(InsufficientScope(accepted_scopes=("run",))))
    assert "resource_metadata" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "url",
    ['https://a.example/"x', "https://a.example?x", "https://a.example/#x", "https://日本.example"],
)
def test_a_url_that_no_challenge_can_name_stops_the_start(app, url):
    """Each 401 would break on it."""
    app.config["LICET_PUBLIC_URL"] = url
    with pytest.raises(ConfigurationError, match="LICET_PUBLIC_URL"):
        add_protected_resource_metadata(app)


@pytest.fixture
def nameless(app):
    """An app that was told no address of its own."""
    del app.config["LICET_PUBLIC_URL"]
    return app


@pytest.mark.parametrize(
    ("host", "prefix"),
    [("localhost:5000", ""), ("127.0.0.1:81", ""), ("[::1]:5000", ""), ("localhost", "/below")],
)
def test_without_a_setting_this_machines_address_is_named(nameless, host, prefix):
    """The one that the request used, as far as it is this machine, with the app's prefix."""
    answer(nameless, authenticate)
    at = {"base_url": f"http://{host}{prefix}"}
    root = f"http://{host}{prefix}"
    challenge = nameless.test_client().get("/", **at).headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="licet", resource_metadata="{root}{WELL_KNOWN}"'
    assert nameless.test_client().get(WELL_KNOWN, **at).json["resource"] == root


@pytest.mark.parametrize(
    "host",
    [
        "api.example.org",
        "evil.example:80",
        "localhost.evil.example",
        "10.0.0.7:5000",
        'localhost"x',
    ],
)
def test_without_a_setting_no_other_host_is_believed(nameless, host):
    """A Host header may be of somebody's making: such a challenge names no document."""
    answer(nameless, authenticate)
    response = nameless.test_client().get("/", headers={"Host": host})
    assert response.status_code in (400, 401)
    assert "resource_metadata" not in response.headers.get("WWW-Authenticate", "")
    document = nameless.test_client().get(WELL_KNOWN, headers={"Host": host})
    assert "evil" not in document.text


@pytest.mark.parametrize("name", ["LICET_PUBLIC_URL", "LICET_ISSUER"])
def test_a_set_address_is_named_whatever_the_request_says(nameless, name):
    """The operator's word goes before the request's, that of the default address included."""
    nameless.config[name] = "http://localhost:8000"
    answer(nameless, authenticate)
    for host in ("localhost:5000", "api.example.org"):
        response = nameless.test_client().get("/", headers={"Host": host})
        told = f'resource_metadata="http://localhost:8000{WELL_KNOWN}"'
        assert told in response.headers["WWW-Authenticate"]
