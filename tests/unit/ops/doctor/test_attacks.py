"""The attacks on a verifier, tried on good ones and on bad ones."""

import itertools
import json
import time
from collections import Counter

import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, Keys, b64

from licet.authn import Identity, JWTVerifier
from licet.authn.tokens._jws import decode_compact
from licet.errors import AuthenticationUnavailable
from licet.ops.doctor.attacks import ATTACKS, attack, control
from licet.ops.doctor.forge import Forge

PRIVATE = {
    "ES256": ECKey.generate_key("P-256", {"kid": "the-key"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "the-key"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "the-key"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "the-key"}),
}


def good_token(algorithm, typ="at+jwt"):
    now = int(time.time())
    header = {"alg": algorithm, "kid": "the-key", "typ": typ}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "iat": now, "exp": now + 300}
    return joserfc_jwt.encode(header, claims, PRIVATE[algorithm], algorithms=[algorithm])


def genuine(algorithm="ES256", typ="at+jwt"):
    return Forge.of_token(good_token(algorithm, typ), PRIVATE[algorithm])


def verifier(algorithm="ES256", **options):
    return JWTVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms={algorithm},
        keys=Keys(PRIVATE[algorithm]),
        **options,
    )


def verdicts(tried, forge):
    return Counter(outcome.verdict for outcome in attack(tried, forge))


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_every_attack_is_refused(algorithm):
    """Our verifier refuses them all, though all are signed with its issuer's own key."""
    forge = genuine(algorithm)
    assert control(verifier(algorithm), forge).verdict == "accepted"
    assert verdicts(verifier(algorithm), forge) == {"refused": len(ATTACKS)}


def test_every_attack_on_id_tokens_is_refused():
    """So does one that takes ID tokens."""
    tried = verifier(token_use="id")
    assert control(tried, genuine(typ="JWT")).verdict == "accepted"
    assert verdicts(tried, genuine(typ="JWT")) == {"refused": len(ATTACKS)}


def test_where_types_do_not_matter_they_are_not_attacked():
    """A verifier that need not see a type is not blamed for not seeing it."""
    tried = verifier(takes_plain_type=True)
    own = Forge.with_own_key(issuer=ISSUER, audience=AUDIENCE, has_strict_type=False)
    assert verdicts(tried, own) == {"refused": len(ATTACKS) - 1}


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_forger_without_the_key_is_refused(algorithm):
    """With a key of the forger's own nothing is accepted, not even the token that looks good."""
    published = PRIVATE[algorithm]
    forge = Forge.with_own_key(
        issuer=ISSUER, audience=AUDIENCE, algorithm=algorithm, published=published
    )
    assert forge.header["kid"] == "the-key"
    assert control(verifier(algorithm), forge).verdict == "refused"
    assert verdicts(verifier(algorithm), forge) == {"refused": len(ATTACKS)}


def test_a_forger_who_knows_no_key_makes_one_up():
    """The made-up key has an id of its own."""
    forge = Forge.with_own_key(issuer=ISSUER, audience=AUDIENCE)
    assert forge.header["kid"]
    assert forge.published is forge.key


def test_every_attack_is_another_token():
    """No attack is the good token, and none stands twice."""
    forge = genuine()
    texts = [each.make(forge) for each in ATTACKS]
    assert len({each.name for each in ATTACKS}) == len(ATTACKS)
    assert all(one != other for one, other in itertools.pairwise(sorted(texts)))


class Signature:
    """A verifier that looks at nothing but the signature, as a library alone does."""

    def verify(self, token):
        from joserfc.jws import JWSRegistry, deserialize_compact

        registry = JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        found = deserialize_compact(token, KeySet([PRIVATE["ES256"]]), registry=registry)
        return Identity(issuer="x", subject=str(found), principal="urn:x")


def test_a_verifier_that_checks_only_signatures_is_found_out():
    """Expired tokens, foreign audiences and the like get through, and are told by name."""
    accepted = {o.name for o in attack(Signature(), genuine()) if o.verdict == "accepted"}
    assert {"expired", "no exp", "another aud", "another iss", "sub twice"} <= accepted
    assert "alg 'none'" not in accepted


class Fails:
    def __init__(self, error):
        self.error = error

    def verify(self, token):
        raise self.error


def test_a_verifier_that_crashes_has_failed():
    """An error that is no refusal would be a 500 in the app."""
    assert verdicts(Fails(KeyError("kid")), genuine()) == {"failed": len(ATTACKS)}
    [first, *_] = attack(Fails(KeyError("secret")), genuine())
    assert first.reason == "KeyError"


def test_an_issuer_that_is_away_proves_nothing():
    """Neither refused nor accepted is a verdict of its own."""
    found = verdicts(Fails(AuthenticationUnavailable()), genuine())
    assert found == {"unavailable": len(ATTACKS)}


def test_unused_bits_of_a_signature_that_has_none():
    """A signature whose length leaves no bits unused is padded instead."""
    [change] = [each for each in ATTACKS if each.name == "signature with unused bits set"]
    forge = genuine("ES384")
    assert len(decode_compact(forge.token()).signature) % 3 == 0
    assert change.make(forge).endswith("====")


def test_a_forge_starts_from_the_token():
    """What is not changed is as in the good token."""
    forge = genuine()
    compact = decode_compact(forge.token(claims={"sub": "x"}, header={"kid": ...}))
    assert json.loads(compact.payload) == {**forge.claims, "sub": "x"}
    assert compact.header == {"alg": "ES256", "typ": "at+jwt"}
    assert b64(compact.signature)
