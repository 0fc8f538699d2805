"""Several verifiers in one app."""

import pytest
from flask import Flask
from tests.unit.authn.made_tokens import CLAIMS, HEADER, ISSUER, b64, signed, token

from licet.authn import (
    Identity,
    VerifierChain,
    authenticate,
    embedded_issuer,
    embedded_verifier,
    use_verifier,
)
from licet.errors import ConfigurationError, InvalidToken

OTHER = "https://other.example"


class Verifier:
    """Notes what it is asked, and takes it."""

    def __init__(self, issuer=None):
        self.issuer = issuer
        self.asked = []
        self.forgotten = 0

    def verify(self, token):
        self.asked.append(token)
        return Identity(issuer=self.issuer or "", subject="someone", principal="urn:x")

    def forget(self):
        self.forgotten += 1


def test_a_jwt_goes_to_its_issuers_verifier():
    """The issuer that a JWT names chooses, and nobody else sees the token."""
    ours, theirs, opaque = Verifier(ISSUER), Verifier(OTHER), Verifier()
    chain = VerifierChain(ours, theirs, opaque=opaque)
    good = token()
    assert chain.verify(good).issuer == ISSUER
    assert chain.verify(token(iss=OTHER)).issuer == OTHER
    assert (ours.asked, len(theirs.asked), opaque.asked) == ([good], 1, [])


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c", "e30.e30.YQ", "v4.public.abc", "é.b.c"])
def test_what_is_no_jwt_is_opaque(text):
    """Dots alone make no JWT: its first part is a JOSE header."""
    opaque = Verifier()
    VerifierChain(Verifier(ISSUER), opaque=opaque).verify(text)
    assert opaque.asked == [text]


@pytest.mark.parametrize(
    "iss", [..., None, "", 5, [ISSUER], {ISSUER: 1}, ISSUER + "/", "https://x"]
)
def test_a_jwt_of_an_unknown_issuer_is_refused(iss):
    """Nobody is asked about a JWT whose issuer is not accepted."""
    ours, opaque = Verifier(ISSUER), Verifier()
    with pytest.raises(InvalidToken, match="issuer"):
        VerifierChain(ours, opaque=opaque).verify(token(iss=iss))
    assert not ours.asked
    assert not opaque.asked


@pytest.mark.parametrize(
    "text",
    [
        token() + ".x.y",
        token().rpartition(".")[0],
        token() + "=",
        signed("[]"),
        signed('{"iss": "a", "iss": "b"}'),
        f"{b64(str(HEADER).replace(chr(39), chr(34)))}.!.!",
    ],
)
def test_a_broken_jwt_is_not_opaque(text):
    """What starts as a JWT is refused as one, a JWE too."""
    opaque = Verifier()
    with pytest.raises(InvalidToken):
        VerifierChain(Verifier(ISSUER), opaque=opaque).verify(text)
    assert not opaque.asked


def test_without_a_verifier_for_them_opaque_tokens_are_refused():
    """An app that takes JWTs only refuses everything else."""
    with pytest.raises(InvalidToken):
        VerifierChain(Verifier(ISSUER)).verify("opaque")


def test_an_oversize_token_goes_nowhere():
    """Length is looked at before anything is decoded."""
    opaque = Verifier()
    with pytest.raises(InvalidToken, match="longer"):
        VerifierChain(opaque=opaque).verify("a" * 8193)
    assert not opaque.asked


def test_one_verifier_an_issuer():
    """Two for one issuer, or none at all, is a mistake in the program."""
    with pytest.raises(ConfigurationError, match="one verifier"):
        VerifierChain(Verifier(ISSUER), Verifier(ISSUER))
    with pytest.raises(ConfigurationError, match="everybody"):
        VerifierChain()


def test_all_that_remember_forget():
    """`forget` reaches every verifier that has a memory."""
    ours, opaque = Verifier(ISSUER), Verifier()
    VerifierChain(ours, opaque=opaque).forget()
    VerifierChain(ours).forget()
    VerifierChain(ours, opaque=object()).forget()
    assert (ours.forgotten, opaque.forgotten) == (3, 1)


def test_the_embedded_issuer_beside_a_foreign_one(app: Flask):
    """An app takes its own tokens and another issuer's, and no third party's."""
    theirs = Verifier(OTHER)
    use_verifier(app, VerifierChain(embedded_verifier(app), theirs))
    own = embedded_issuer(app).mint("alice", ["read"])
    seen = []
    for text in (own, token(iss=OTHER)):
        with app.test_request_context(headers={"Authorization": f"Bearer {text}"}):
            seen.append(authenticate().issuer)
    assert seen == [embedded_issuer(app).issuer, OTHER]
    forged = signed(str({**CLAIMS, "iss": "https://third.example"}).replace("'", '"'))
    with (
        app.test_request_context(headers={"Authorization": f"Bearer {forged}"}),
        pytest.raises(InvalidToken),
    ):
        authenticate()
