"""Opaque tokens, checked by asking their issuer."""

import base64
import gzip
import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote_plus

import httpx2
import pytest
from tests.unit.actions.serving import served
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, NOW, Clock
from werkzeug import Request, Response

from licet.authn import IntrospectionVerifier, authenticate, use_verifier
from licet.authn.identity import group_principal, identity_principal
from licet.authn.tokens import introspection as _rfc7662
from licet.errors import (
    AuthenticationUnavailable,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
)
from licet.testing import FakeIntrospection

ENDPOINT = "https://issuer.example/introspect"
SECRET = "the-client-secret"
GOOD = {"aud": AUDIENCE, "iss": ISSUER, "scope": "read write", "exp": NOW + 900}


@pytest.fixture
def issuer():
    """An endpoint that knows one good token, ``good``."""
    fake = FakeIntrospection()
    fake.vouch("good", **GOOD)
    return fake


def verifier(transport, **options):
    """A verifier that asks `transport`."""
    known = {"issuer": ISSUER, "audience": AUDIENCE, "clock": Clock(), **options}
    endpoint = known.pop("endpoint", ENDPOINT)
    return IntrospectionVerifier(
        endpoint,
        known.pop("client_id", "me"),
        known.pop("client_secret", SECRET),
        transport=transport,
        **known,
    )


def answering(body, status=200, **options):
    """A verifier whose endpoint gives this answer to every question."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return verifier(
        httpx2.MockTransport(lambda _: httpx2.Response(status, content=content)), **options
    )


def test_a_token_tells_who_calls(issuer):
    """The issuer's answer becomes an identity."""
    issuer.vouch("good", **GOOD, groups=["staff", "not a group"], username="ann")
    found = verifier(issuer).verify("good")
    assert (found.issuer, found.subject) == (ISSUER, "someone")
    assert found.principal == identity_principal(ISSUER, "someone")
    assert found.groups == {
        group_principal("staff", issuer=ISSUER),
        group_principal("not a group", issuer=ISSUER),
    }
    assert found.scopes == {"read", "write"}
    assert found.claims["username"] == "ann"


def test_an_issuer_may_name_our_groups(issuer):
    """When the app says so, its groups are ours."""
    issuer.vouch("good", **GOOD, groups=["staff", "not a group"])
    found = verifier(issuer, groups_are_local=True).verify("good")
    assert found.groups == {"urn:licet:group:staff"}


def test_the_question_is_that_of_the_standards():
    """A form with the token, from a client whose id and secret are form-encoded."""
    asked = []
    transport = httpx2.MockTransport(lambda r: asked.append(r) or httpx2.Response(500))
    client_id, secret = "a:b c", "ü%+/&="
    with pytest.raises(AuthenticationUnavailable):
        verifier(transport, client_id=client_id, client_secret=secret).verify("a+b/c==")
    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", ENDPOINT)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.content.decode())
    assert form == {"token": ["a+b/c=="], "token_type_hint": ["access_token"]}
    scheme, pair = request.headers["Authorization"].split(" ")
    halves = base64.b64decode(pair).decode("ascii").split(":")
    assert (scheme, [unquote_plus(half) for half in halves]) == ("Basic", [client_id, secret])


def test_an_app_takes_it_as_its_verifier(app, issuer):
    """It checks an app's bearer tokens as a JWTVerifier does."""
    use_verifier(app, verifier(issuer))
    with app.test_request_context(headers={"Authorization": "Bearer good"}):
        assert authenticate().subject == "someone"
    with (
        app.test_request_context(headers={"Authorization": "Bearer x"}),
        pytest.raises(InvalidToken),
    ):
        authenticate()


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"iss": "https://other.example"},
        {"iss": ""},
        {"aud": "https://other.example"},
        {"aud": []},
        {"aud": None},
        {"aud": ["https://other.example", AUDIENCE + "/"]},
        {"exp": NOW},
        {"exp": 0},
        {"nbf": NOW + 61},
        {"iat": NOW + 60.5},
        {"sub": None},
        {"sub": None, "client_id": "machine"},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "x" * 256},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_token_that_does_not_fit_is_refused(issuer, changes):
    """The refusal is 401, names no value of the answer, and is remembered."""
    issuer.vouch("good", **{**GOOD, "sub": "someone", **changes})
    checking = verifier(issuer)
    for _ in range(2):
        with pytest.raises(InvalidToken) as caught:
            checking.verify("good")
    assert caught.value.code == 401
    assert "example" not in caught.value.description.replace(ISSUER, "")
    assert issuer.asked == ["good"]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"aud": ["https://other.example", AUDIENCE]},
        {"exp": None},
        {"exp": NOW + 0.5},
        {"nbf": NOW + 60, "iat": NOW + 60},
        {"scope": None},
        {"sub": "x" * 255},
        {"anything": {"else": [1]}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_token_that_fits_is_taken(issuer, changes):
    """What the standard leaves optional may be missing."""
    issuer.vouch("good", **{**GOOD, "sub": "someone", **changes})
    assert verifier(issuer).verify("good").is_authenticated


def test_a_client_may_call_for_itself_where_that_is_meant(issuer):
    """A token of the client credentials grant names a client and no person."""
    issuer.vouch("machine", **GOOD | {"sub": None, "client_id": "robot"})
    assert verifier(issuer, accepts_clients=True).verify("machine").subject == "client:robot"


def test_a_client_is_never_taken_for_a_person(issuer):
    """Whoever registers a client chooses its id; a person's subject may be the same."""
    issuer.vouch("machine", **GOOD | {"sub": None, "client_id": "someone"})
    issuer.vouch("person", **GOOD)
    checking = verifier(issuer, accepts_clients=True)
    machine, person = checking.verify("machine"), checking.verify("person")
    assert (machine.subject == person.subject, machine.principal == person.principal) == (
        False,
    ) * 2


def test_a_person_is_never_taken_for_a_client(issuer):
    """A subject that looks like a client's is refused where clients are taken, and only there."""
    issuer.vouch("person", **GOOD | {"sub": "client:robot"})
    assert verifier(issuer).verify("person").subject == "client:robot"
    with pytest.raises(InvalidToken, match="taken for a client"):
        verifier(issuer, accepts_clients=True).verify("person")


@pytest.mark.parametrize(
    "said",
    [{"token_use": "refresh_token"}, {"token_use": "id"}, {"typ": "Refresh"}, {"typ": "Offline"}],
    ids=str,
)
def test_only_access_tokens_are_taken(issuer, said):
    """Some endpoints vouch for refresh and ID tokens too, and say what they are."""
    issuer.vouch("other", **GOOD, **said)
    with pytest.raises(InvalidToken, match="not an access token"):
        verifier(issuer).verify("other")


def test_a_person_is_never_taken_for_the_client(issuer):
    """Where clients are taken, the subject of a token with one still counts."""
    issuer.vouch("good", **GOOD, client_id="robot")
    assert verifier(issuer, accepts_clients=True).verify("good").subject == "someone"


def test_a_token_of_nobody_at_all_is_refused(issuer):
    """Where clients are taken, one must be named."""
    issuer.vouch("nobody", **GOOD | {"sub": None})
    with pytest.raises(InvalidToken):
        verifier(issuer, accepts_clients=True).verify("nobody")


def test_a_token_needs_an_accepted_scope(issuer):
    """One of the accepted scopes will do; with none of them it is 403, asked about once."""
    assert verifier(issuer, accepted_scopes=["x", "read"], audience=None).verify("good")
    checking = verifier(issuer, accepted_scopes=["x", "y"])
    for _ in range(2):
        with pytest.raises(InsufficientScope) as caught:
            checking.verify("good")
    assert caught.value.accepted_scopes == ("x", "y")
    assert issuer.asked == ["good"] * 2


@pytest.mark.parametrize("token", ["", "é", "\ud800", "x" * 8193])
def test_what_no_issuer_makes_is_not_asked_about(issuer, token):
    """Empty, long and foreign text is refused as it stands."""
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(token)
    assert issuer.asked == []


UNREADABLE = [
    b"",
    b"<html>",
    b"\xff",
    b"null",
    b"[]",
    b"true",
    b'"active"',
    b"[" * 100_000,
    b'{"active": true, "active": true, "sub": "x"}',
    b'{"active": false, "active": true, "sub": "x"}',
    b'{"active": true, "sub": "x", "x": {"a": 1, "a": 1}}',
    b'{"active": true, "sub": "x", "exp": NaN}',
    b'{"active": true, "sub": "x", "exp": 1e999}',
    b'{"active": false, "x": ' + b"9" * 5000 + b"}",
    b" " * (64 * 1024 + 1) + b'{"active": false}',
]


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:40]))
def test_an_answer_that_cannot_be_read_is_none(body):
    """Neither accepted nor refused: 503, with a time to come back."""
    with pytest.raises(AuthenticationUnavailable) as caught:
        answering(body).verify("good")
    assert caught.value.get_response({}).headers["Retry-After"] == "5"


def test_a_subject_that_is_no_text_is_refused():
    """Half of a surrogate pair can be neither stored nor logged."""
    body = b'{"active": true, "sub": "\\ud800", "scope": "read"}'
    with pytest.raises(InvalidToken):
        answering(body, audience=None, accepted_scopes=["read"]).verify("good")


def test_a_packed_answer_is_none():
    """A few bytes may unpack to gigabytes, so none are unpacked."""
    packed = gzip.compress(b'{"active": false}')
    headers = {"Content-Encoding": "gzip"}
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, stream=httpx2.ByteStream(packed), headers=headers)
    )
    with pytest.raises(AuthenticationUnavailable):
        verifier(transport).verify("good")


@pytest.mark.parametrize(
    "changes",
    [
        {"active": ...},
        *({"active": value} for value in (None, 1, 0, "true", "false", [], {})),
        *({"sub": value} for value in (5, True, ["x"], {})),
        *({"iss": value} for value in (5, [ISSUER])),
        *({"aud": value} for value in (5, {}, [AUDIENCE, 5], [None])),
        *({"scope": value} for value in (["read"], 5, {})),
        *({"exp": value} for value in ("9999999999", True, [], -1, 10**400, 253_402_300_800)),
        *({"nbf": value} for value in ("0", False, -0.5)),
        {"iat": "0"},
        *({"groups": value} for value in ("staff", [5], {"staff": 1})),
        {"client_id": 5},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_an_answer_of_another_shape_is_none(changes):
    """A member that is relied on and has another type makes the answer unreadable."""
    answer = {**GOOD, "active": True, "sub": "someone", **changes}
    with pytest.raises(AuthenticationUnavailable):
        answering({k: v for k, v in answer.items() if v is not ...}).verify("good")


@pytest.mark.parametrize(
    "outage",
    [
        *(httpx2.ConnectError("down"), httpx2.ReadTimeout("slow"), httpx2.PoolTimeout("busy")),
        *(httpx2.RemoteProtocolError("odd"), 201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 503),
    ],
    ids=repr,
)
def test_an_outage_neither_accepts_nor_refuses(issuer, outage):
    """Whatever is no answer is 503, and is not remembered."""
    checking = verifier(issuer)
    issuer.outage = outage
    with pytest.raises(AuthenticationUnavailable) as caught:
        checking.verify("good")
    assert caught.value.code == 503
    issuer.outage = None
    assert checking.verify("good").subject == "someone"


def test_what_is_remembered_outlasts_an_outage(issuer):
    """An outage is not noticed before the answer's time is over."""
    clock = Clock()
    checking = verifier(issuer, clock=clock)
    checking.verify("good")
    issuer.outage = 500
    clock.now += 29.9
    assert checking.verify("good")
    clock.now += 0.1
    with pytest.raises(AuthenticationUnavailable):
        checking.verify("good")


@pytest.mark.parametrize(
    ("exp", "seconds", "asked"),
    [
        (NOW + 900, 29.9, 1),
        (NOW + 900, 30, 2),
        (NOW + 10, 9.9, 1),
        (None, 29.9, 1),
        (None, 30, 2),
    ],
)
def test_an_answer_counts_for_30_seconds(issuer, exp, seconds, asked):
    """And never past the token's own end."""
    clock = Clock()
    issuer.vouch("good", **GOOD | {"exp": exp})
    checking = verifier(issuer, clock=clock)
    checking.verify("good")
    clock.now += seconds
    checking.verify("good")
    assert len(issuer.asked) == asked


def test_a_token_expires_while_it_is_remembered(issuer):
    """The end of a token is not put off by the cache."""
    clock = Clock()
    issuer.vouch("good", **GOOD | {"exp": NOW + 10})
    checking = verifier(issuer, clock=clock)
    checking.verify("good")
    clock.now += 10
    with pytest.raises(InvalidToken):
        checking.verify("good")


def test_a_revoked_token_is_refused_within_30_seconds(issuer):
    """And one that is good later is then taken."""
    clock = Clock()
    checking = verifier(issuer, clock=clock)
    checking.verify("good")
    for vouched in (False, True):
        issuer.vouch("good", **GOOD) if vouched else issuer.revoke("good")
        clock.now += 30
        if vouched:
            assert checking.verify("good")
        else:
            with pytest.raises(InvalidToken):
                checking.verify("good")


def test_what_is_remembered_can_be_forgotten(issuer):
    """After something was revoked, every token is asked about anew."""
    checking = verifier(issuer)
    checking.verify("good")
    with pytest.raises(InvalidToken):
        checking.verify("bad")
    checking.forget()
    issuer.revoke("good")
    issuer.vouch("bad", **GOOD)
    with pytest.raises(InvalidToken):
        checking.verify("good")
    assert checking.verify("bad")


def test_bogus_tokens_displace_no_good_one(issuer):
    """What is remembered is bounded, for good and for refused tokens apart."""
    checking = verifier(issuer)
    checking.verify("good")
    for number in range(4100):
        with pytest.raises(InvalidToken):
            checking.verify(f"bogus{number}")
    assert (len(checking._good), len(checking._refused)) == (1, 4096)
    checking.verify("good")
    assert issuer.asked.count("good") == 1


def test_no_token_is_kept(issuer):
    """Keys are hashes, so that no token can be read from memory as one."""
    checking = verifier(issuer)
    issuer.vouch("secret-token", **GOOD)
    checking.verify("secret-token")
    assert "secret-token" not in repr([*checking._good.items(), vars(checking)])


def test_a_thousand_first_uses_at_once_are_one_question(issuer):
    """However many threads meet a token first, the issuer is asked once."""
    reached = threading.Barrier(1000)
    slow = threading.Event()

    def answer(request):
        slow.wait(0.2)
        return issuer.handle_request(request)

    checking = verifier(httpx2.MockTransport(answer))

    def use(_number):
        reached.wait(60)
        return checking.verify("good").subject

    with ThreadPoolExecutor(1000) as threads:
        assert set(threads.map(use, range(1000))) == {"someone"}
    assert issuer.asked == ["good"]


def test_no_secret_is_logged(caplog):
    """Neither the client's secret nor the token nor the answer is in any log, at any level."""

    @Request.application
    def endpoint(request):
        body = {
            "active": True,
            "sub": "the-subject",
            "aud": 5 if "bad" in request.form["token"] else AUDIENCE,
        }
        return Response(json.dumps(body), content_type="application/json")

    with caplog.at_level(logging.DEBUG), served(endpoint) as url:
        checking = verifier(None, endpoint=url)
        assert checking.verify("secret-good").subject == "the-subject"
        with pytest.raises(AuthenticationUnavailable) as caught:
            checking.verify("secret-bad")
        checking.close()
    told = caplog.text + str(caught.value) + str(caught.value.__cause__) + repr(checking)
    assert "cannot be read: ValidationError" in caplog.text
    basic = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert not [word for word in (SECRET, basic, "secret-", "the-subject") if word in told]


@contextmanager
def talking(*parts, pause=0.0):
    """A server that takes one connection, sends these parts with pauses, and then says no more."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                for part in parts:
                    if done.wait(pause):
                        break
                    connection.sendall(part)
                done.wait(10)

        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        done.set()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "pause"),
    [([], 0), ([HEAD], 0), ([HEAD, *[b" "] * 100], 0.1)],
    ids=["nothing", "half", "letters"],
)
def test_a_slow_endpoint_is_none(monkeypatch, caplog, parts, pause):
    """No answer, half an answer, and one that comes letter by letter end in 503 in time."""
    monkeypatch.setattr(_rfc7662, "TIMEOUT_SECONDS", 0.3)
    with talking(*parts, pause=pause) as url, pytest.raises(AuthenticationUnavailable):
        verifier(None, endpoint=url).verify("good")
    assert "ReadTimeout" in caplog.text or "longer than 0.3 s" in caplog.text


def test_the_time_limit_is_5_seconds(issuer):
    """For each step of the question, and for whoever waits for somebody else's."""
    checking = verifier(issuer)
    assert checking._http.timeout == httpx2.Timeout(5.0)
    assert checking._flights._wait_seconds == 5.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"issuer": ""}, "issuer"),
        ({"audience": None}, "audience or accepted_scopes"),
        ({"audience": ""}, "audience or accepted_scopes"),
        ({"accepted_scopes": "read"}, "list of scopes"),
        *(
            ({"endpoint": endpoint}, "https URL")
            for endpoint in (
                *("", "x", "https://", "http://issuer.example/x", "ftp://issuer.example/x"),
                *("https://u:p@issuer.example/x", "https://issuer.example/x#y", "http://[::1"),
            )
        ),
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_it_does_not_start_half_configured(issuer, changes, named):
    """A blank or malformed argument is told when the verifier is made."""
    with pytest.raises(ConfigurationError, match=named):
        verifier(issuer, **changes)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_plain_http_is_for_this_machine(issuer, host):
    """On the same machine no TLS is needed."""
    assert verifier(issuer, endpoint=f"http://{host}:9000/introspect").verify("good")
