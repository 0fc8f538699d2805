"""Tokens that are refused because they were made elsewhere: who is told what."""

import logging
from pathlib import Path

import pytest
from flask import Flask
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, NOW, Clock, Keys, token
from tests.unit.authn.provider import provided

from licet import Licet, current_identity
from licet.authn import EmbeddedIssuer, JWTVerifier, VerifierChain, embedded_issuer
from licet.authz import public
from licet.errors import InvalidToken

LOGGER = "licet.authn.tokens"


def an_app(folder: Path, **config):
    """An app that tells who asks."""
    app = Flask("app", instance_path=str(folder))
    app.config.update(config)
    Licet(app)
    app.get("/me")(public(lambda: {"who": current_identity.subject}))
    return app


def answer_of(app, bearer):
    return app.test_client().get("/me", headers={"Authorization": f"Bearer {bearer}"})


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_token_from_another_folder(tmp_path, caplog):
    """Same issuer, other keys: the caller learns that, the log also where the keys lie."""
    there = an_app(tmp_path / "there")
    here = an_app(tmp_path / "here")
    answer = answer_of(here, embedded_issuer(there).mint("ann", ["read"]))
    assert answer.status_code == 401
    assert "signed with an unknown key: it was made elsewhere" in answer.json["detail"]
    assert str(tmp_path) not in answer.text + str(answer.headers)
    path = tmp_path / "here" / "licet-signing-keys.json"
    (line,) = warnings_of(caplog)
    assert f"not in {path} (in LICET_INSTANCE_PATH)" in line
    assert embedded_issuer(there).jwks()["keys"][0]["kid"] in line


def test_a_token_of_another_issuer(tmp_path, caplog):
    """The caller learns whose tokens are taken, as the well-known documents tell everybody."""
    there = an_app(tmp_path / "there", LICET_ISSUER="https://there.example")
    here = an_app(tmp_path / "here", LICET_ISSUER="https://here.example")
    answer = answer_of(here, embedded_issuer(there).mint("ann", ["read"]))
    assert answer.status_code == 401
    assert "only https://here.example is" in answer.json["detail"]
    assert "there.example" not in answer.text + str(answer.headers)
    assert warnings_of(caplog) == [
        "A token was refused: its issuer is 'https://there.example', and only "
        "https://here.example is accepted."
    ]


def refused(verifier, text):
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(text)
    return caught.value.description


def jwt_verifier(**options):
    known = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"], "clock": Clock()}
    return JWTVerifier(**{"keys": Keys(), **known, **options})


@pytest.mark.parametrize(
    ("iss", "told"),
    [
        (..., "none"),
        (None, "none"),
        (5, "an int"),
        ([ISSUER], "a list"),
        ("a\nb\x1b[31m", r"'a\nb\x1b[31m'"),
        ("é\u202e", r"'\xe9\u202e'"),
        ("x" * 5000, "'" + "x" * 119 + "…"),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("kind", ["one", "several"])
def test_what_came_instead_cannot_forge_the_log(iss, told, kind, caplog):
    """Whoever sends a token chooses its issuer: it is one short line of ASCII, in the log only."""
    verifier = jwt_verifier()
    if kind == "several":
        verifier = VerifierChain(verifier, jwt_verifier(issuer="https://second.example"))
    description = refused(verifier, token(iss=iss))
    (line,) = warnings_of(caplog)
    assert f"its issuer is {told}" in line
    assert line.isascii() or "…" in line
    assert line.isprintable()
    assert "xxx" not in description
    assert ISSUER in description


def test_several_issuers_are_told():
    """All whose tokens are taken; opaque tokens are another matter."""
    chain = VerifierChain(jwt_verifier(), jwt_verifier(issuer="https://second.example"))
    told = f"only {ISSUER} and https://second.example are"
    assert told in refused(chain, token(iss="https://x.example"))
    assert "is no JWT, and no other kind is accepted" in refused(chain, "opaque")


def test_a_flood_of_tokens_is_no_flood_of_warnings(caplog):
    """One warning of a kind a minute; the others are for who looks for them."""
    clock = Clock()
    verifier = jwt_verifier(clock=clock)
    with caplog.at_level(logging.DEBUG, LOGGER):
        for number in range(100):
            refused(verifier, token(iss=f"https://{number}.example"))
        clock.now += 60
        refused(verifier, token(iss="https://later.example"))
    assert len(warnings_of(caplog)) == 2
    assert len(caplog.records) == 101


def test_each_kind_of_trap_is_told(caplog):
    """Who has mended the first sees the second at once."""
    verifier = jwt_verifier()
    refused(verifier, token({"kid": "unknown"}))
    refused(verifier, token(iss="https://x.example"))
    assert len(warnings_of(caplog)) == 2


def test_a_clock_that_is_set_back_does_not_silence(caplog):
    """A warning comes at the latest a minute of either direction later."""
    clock = Clock()
    verifier = jwt_verifier(clock=clock)
    refused(verifier, token(iss="https://x.example"))
    clock.now = NOW - 3600
    refused(verifier, token(iss="https://x.example"))
    assert len(warnings_of(caplog)) == 2


def test_everyday_refusals_warn_nobody(caplog):
    """A token that has expired, or is for another service, is the caller's business."""
    verifier = jwt_verifier()
    refused(verifier, token(exp=NOW - 1))
    refused(verifier, token(aud="https://other.example"))
    assert warnings_of(caplog) == []


def test_unknown_keys_of_a_foreign_issuer(caplog):
    """The log says whose keys were looked at; a key source of one's own need not say where."""
    with provided() as provider:
        verifier = jwt_verifier(issuer=provider.issuer, keys=None)
        refused(verifier, provider.token({"kid": "x\ny"}))
        assert f"'x\\ny', which is not in what {provider.issuer} publishes" in caplog.text
    caplog.clear()
    refused(jwt_verifier(), token({"kid": "unknown"}))
    assert "'unknown', which is not in the keys of its issuer" in caplog.text


def test_the_token_itself_is_in_no_log(tmp_path, caplog):
    """Neither whole nor in part."""
    there = EmbeddedIssuer(issuer="https://x.example", audience="a", folder=tmp_path / "there")
    text = there.mint("ann", ["read"])
    with caplog.at_level(logging.DEBUG):
        assert answer_of(an_app(tmp_path / "here"), text).status_code == 401
    assert not any(part in caplog.text for part in text.split("."))


def test_a_relative_folder_is_one_folder(tmp_path, monkeypatch):
    """The working folder counts when the app is made, and not again when keys are rotated."""
    monkeypatch.chdir(tmp_path)
    issuer = embedded_issuer(an_app(tmp_path, LICET_INSTANCE_PATH="mine"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    issuer.rotate()
    assert issuer.key_path == tmp_path / "mine" / "licet-signing-keys.json"
    assert len(issuer.jwks()["keys"]) == 3
    assert not list((tmp_path / "elsewhere").iterdir())
