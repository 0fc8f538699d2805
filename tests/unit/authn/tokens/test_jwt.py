"""The verifier of signed access tokens, and the attacks on it."""

import base64
import hashlib
import hmac
import json
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey
from tests.unit.authn.made_tokens import (
    AUDIENCE,
    CLAIMS,
    HEADER,
    ISSUER,
    KEY,
    KID,
    NOW,
    OTHER_KEY,
    RSA_KEY,
    Clock,
    Keys,
    b64,
    signed,
    token,
)

from licet.authn import JWTVerifier, verified_email
from licet.authn.identity import group_principal, is_principal
from licet.authn.tokens._jws import ASYMMETRIC_ALGORITHMS
from licet.errors import ConfigurationError, InvalidToken

KEY_OF = {
    "ES256": KEY,
    "ES384": ECKey.generate_key("P-384"),
    "ES512": ECKey.generate_key("P-521"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}
PUBLIC_PEM = KEY.as_pem(private=False)
PUBLIC_JWK = OTHER_KEY.as_dict(private=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


def verifier(keys=None, clock=None, **options):
    """A verifier that takes the tests' good token."""
    settings = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": frozenset({"ES256"})}
    return JWTVerifier(**{**settings, **options}, keys=keys or Keys(), clock=clock or Clock())


def refuses(attack, **options):
    """Whether a verifier refuses the token in the one way that it may."""
    with pytest.raises(InvalidToken):
        verifier(**options).verify(attack)
    return True


def hs256(key: bytes, header=None):
    """A token whose HMAC is made with this key."""
    signing_input = (
        f"{b64(json.dumps(header or {**HEADER, 'alg': 'HS256'}))}.{b64(json.dumps(CLAIMS))}"
    )
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), 'sha256'))}"


def test_a_good_token_gives_its_identity():
    """Issuer, subject, scopes and claims come from the token."""
    identity = verifier().verify(token())
    assert (identity.issuer, identity.subject) == (ISSUER, "someone")
    assert identity.scopes == {"read", "write"}
    assert identity.claims == CLAIMS
    assert is_principal(identity.principal)
    assert identity.principals == {identity.principal}


def test_a_local_subject_is_its_own_principal():
    """Only the local issuer's subjects stand in URNs as they are."""
    subject = "0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
    ours = verifier(local_issuer=ISSUER).verify(token(sub=subject))
    theirs = verifier(local_issuer="https://us.example").verify(token(sub=subject))
    assert ours.principal == f"urn:licet:identity:{subject}"
    assert theirs.principal != ours.principal


NAMES = ["staff", "no group", 5, None, ["x"], "", "x" * 256, "a\nb", "\ud800"]


@pytest.mark.parametrize("trust", [{"local_issuer": ISSUER}, {"groups_are_local": True}])
def test_our_own_groups_have_their_names(trust):
    """The local issuer's groups, or those of one that the app vouches for, are ours."""
    identity = verifier(**trust).verify(token(groups=NAMES))
    assert identity.groups == {"urn:licet:group:staff"}


def test_a_foreign_group_is_never_one_of_ours():
    """Whatever a foreign issuer calls its groups, they are its own."""
    identity = verifier(local_issuer="https://us.example").verify(token(groups=NAMES))
    assert identity.groups == {
        group_principal("staff", issuer=ISSUER),
        group_principal("no group", issuer=ISSUER),
    }
    assert group_principal("staff") not in identity.principals


def test_a_token_without_scope_has_none():
    """The scope is optional."""
    assert verifier().verify(token(scope=...)).scopes == frozenset()


@pytest.mark.parametrize("algorithm", sorted(ASYMMETRIC_ALGORITHMS))
def test_every_listed_algorithm_verifies(algorithm):
    """Whatever may be configured works with a key that fits."""
    key = KEY_OF.get(algorithm, RSA_KEY)
    checked = verifier(Keys(key), algorithms=frozenset({algorithm}))
    assert checked.verify(token({"alg": algorithm}, key, algorithm)).subject == "someone"


@pytest.mark.parametrize("name", ["issuer", "audience", "algorithms"])
def test_a_verifier_needs_all_three(name):
    """Without issuer, audience or algorithms no verifier can be made."""
    with pytest.raises(ConfigurationError, match=name):
        verifier(**{name: frozenset() if name == "algorithms" else ""})


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "none", "dir", "es256"])
def test_no_verifier_takes_symmetric_algorithms(algorithm):
    """Published keys never go with a symmetric algorithm, nor with none."""
    with pytest.raises(ConfigurationError, match=algorithm):
        verifier(algorithms=frozenset({"ES256", algorithm}))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "ES384", "RS256", "EdDSA"])
@pytest.mark.parametrize("signature", ["", b64(b"x" * 64)])
def test_algorithms_outside_the_list_are_refused(alg, signature):
    """Only a listed algorithm counts, whatever the signature."""
    attack = f"{b64(json.dumps({**HEADER, 'alg': alg}))}.{b64(json.dumps(CLAIMS))}.{signature}"
    assert refuses(attack)


@pytest.mark.parametrize(
    "secret",
    [PUBLIC_PEM, PUBLIC_PEM.strip(), json.dumps(KEY.as_dict(private=False)).encode(), b""],
    ids=["pem", "stripped", "jwk", "empty"],
)
@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_the_public_key_is_no_secret(secret, alg):
    """A token that is signed symmetrically with the public key is forged."""
    assert refuses(hs256(secret, {**HEADER, "alg": alg}))


@pytest.mark.parametrize("alg", sorted(ASYMMETRIC_ALGORITHMS))
@pytest.mark.parametrize("key", [KEY, RSA_KEY, *KEY_OF.values()])
@pytest.mark.parametrize("size", [0, 1, 64, 96, 132, 256])
def test_an_algorithm_must_fit_the_key(alg, key, size):
    """Neither a wrong kind of key nor a signature of any length gets further than a refusal."""
    attack = (
        f"{b64(json.dumps({**HEADER, 'alg': alg}))}.{b64(json.dumps(CLAIMS))}.{b64(bytes(size))}"
    )
    assert refuses(attack, keys=Keys(key), algorithms=ASYMMETRIC_ALGORITHMS)


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": PUBLIC_JWK},
        {"jku": "https://attacker.example/jwks.json"},
        {"x5u": "https://attacker.example/cert.pem"},
        {"x5c": [base64.b64encode(b"certificate").decode()]},
        {"jwk": PUBLIC_JWK, "kid": PUBLIC_JWK["kid"]},
    ],
    ids="+".join,
)
def test_keys_that_a_token_brings_are_ignored(member):
    """A token signed with a key of its own is refused, and with ours it is ours."""
    assert refuses(token(member, OTHER_KEY))
    assert verifier().verify(token(member)).subject == "someone"


def test_header_members_that_nobody_knows_are_ignored():
    """A token may carry more in its header (RFC 7515 section 4)."""
    assert verifier().verify(token({"vendor": {"a": 1}})).subject == "someone"


@pytest.mark.parametrize(
    "kid", [..., None, "", "other", 5, ["the-key"], {}, "../the-key", "\ud800"]
)
def test_unknown_keys_are_refused(kid):
    """A kid must be a string that the key source knows."""
    assert refuses(token({"kid": kid}))


def test_another_key_with_the_same_kid_is_refused():
    """The kid finds the key; the signature decides."""
    assert refuses(token(key=OTHER_KEY))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "jwt"},
        {"typ": ...},
        {"typ": "at"},
        {"typ": None},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": None},
        {"b64": False},
        {"b64": True},
        {"crit": ["b64"], "b64": False},
        {"alg": ...},
        {"alg": ["ES256"]},
        {"alg": None},
    ],
    ids=str,
)
def test_truly_signed_tokens_of_another_kind_are_refused(header):
    """ID tokens, tokens without type, extensions and odd algorithms are refused."""
    assert refuses(token(header))


@pytest.mark.parametrize(
    "claims",
    [{"exp": e} for e in (..., str(NOW + 900), True, -1, NOW, 10**15, 10**400, None, [NOW + 900])]
    + [{"exp": e} for e in (float("nan"), float("inf"), -float("inf"), 1e308)]
    + [{name: NOW + 61} for name in ("nbf", "iat")]
    + [{"iss": ...}, {"iss": "https://other.example"}, {"aud": ...}, {"aud": "other"}]
    + [{"aud": []}, {"sub": ...}, {"sub": ""}, {"sub": "\ud800"}, {"scope": ["read"]}],
    ids=str,
)
def test_truly_signed_tokens_with_bad_claims_are_refused(claims):
    """A good signature does not help bad claims."""
    assert refuses(token(**claims))


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_clocks_may_differ_by_a_minute(name):
    """A time up to 60 s ahead is the other clock's fault."""
    assert verifier().verify(token(**{name: NOW + 60})).subject == "someone"


@pytest.mark.parametrize("name", ["sub", "exp", "aud"])
def test_duplicate_claims_are_refused(name):
    """A claim that stands twice is refused even when both agree."""
    text = json.dumps(CLAIMS)
    assert refuses(signed(f'{text[:-1]}, "{name}": {json.dumps(CLAIMS[name])}}}'))


@pytest.mark.parametrize("name", sorted(HEADER))
def test_duplicate_header_members_are_refused(name):
    """So is a header member."""
    text = json.dumps(HEADER)
    header = f'{text[:-1]}, "{name}": {json.dumps(HEADER[name])}}}'
    assert refuses(signed(json.dumps(CLAIMS), header))


def respelt(part):
    """Other spellings of the same bytes in base64."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    sloppy = part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1]
    return [part + "=", part + "==", part + "\n", " " + part, part[:4] + "\n" + part[4:], sloppy]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_other_spellings_of_a_token_are_refused(which):
    """Only canonical base64url counts, or one token would have many hashes."""
    parts = token(sub="someone1").split(".")
    for spelling in respelt(parts[which]):
        assert refuses(".".join([*parts[:which], spelling, *parts[which + 1 :]]))


def test_the_last_bits_of_a_signature_cannot_be_played_with():
    """Sixty-four bytes leave four unused bits in base64: they must be zero."""
    head, _, signature = token().rpartition(".")
    assert refuses(f"{head}.{respelt(signature)[-1]}")


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_only_three_parts_make_a_token(count):
    """A JWE has five parts, and is refused like any other number but three."""
    assert refuses(".".join((token().split(".") * 2)[:count]))


def test_a_token_of_nearly_8_kib_is_verified():
    """Length alone is no reason to refuse what fits."""
    good = token(fill="a" * 5800)
    assert 8000 < len(good) <= 8192
    assert verifier().verify(good).subject == "someone"


@pytest.mark.parametrize("length", [8193, 100_000])
def test_an_oversize_token_costs_no_key_lookup(length):
    """What is too long is refused before its key is looked for."""
    keys = Keys()
    with pytest.raises(InvalidToken, match="longer than 8192"):
        verifier(keys).verify(token(fill="a" * length))
    assert keys.asked == 0


@given(st.text() | st.text(string.ascii_letters + string.digits + "-_.", max_size=200))
@example("\ud800")
@example("..")
def test_arbitrary_text_is_refused(text):
    """No text that nobody signed is accepted, and refusing never fails otherwise."""
    assert refuses(text)


@given(st.data())
def test_a_changed_token_is_refused(data):
    """A good token of which any one character is changed, removed or added is refused."""
    good = token()
    position = data.draw(st.integers(0, len(good) - 1))
    added = data.draw(st.sampled_from(["", *string.ascii_letters, *string.digits, *"-_.=+/ "]))
    kept = data.draw(st.booleans())
    attack = good[:position] + added + good[position + (not kept) :]
    assert attack == good or refuses(attack)


@given(st.binary(max_size=80))
def test_arbitrary_signatures_are_refused(signature):
    """Only the true signature fits."""
    assert refuses(f"{token().rpartition('.')[0]}.{b64(signature)}")


@given(st.dictionaries(st.sampled_from([*HEADER, "crit", "jwk", "x5c", "zip", "b64"]), JSON))
def test_any_header_on_another_signature_is_refused(header):
    """A forger who writes any header at all gets no further than a refusal."""
    text = json.dumps({**HEADER, **header})
    assert refuses(signed(json.dumps(CLAIMS), text, OTHER_KEY))


@given(st.dictionaries(st.sampled_from([*HEADER, "crit", "jwk", "x5c", "zip", "b64", "x"]), JSON))
def test_any_header_is_taken_or_refused(header):
    """Even with our own signature, an odd header fails in one way only."""
    try:
        verifier().verify(signed(json.dumps(CLAIMS), json.dumps({**HEADER, **header})))
    except InvalidToken:
        return
    assert {name: header.get(name, HEADER[name]) for name in ("alg", "kid")} == {
        "alg": "ES256",
        "kid": KID,
    }


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "groups", "jti", "x"]), JSON))
def test_any_claims_are_taken_or_refused(claims):
    """Even with our own signature, odd claims fail in one way only and change no issuer."""
    try:
        identity = verifier().verify(signed(json.dumps({**CLAIMS, **claims})))
    except InvalidToken:
        return
    assert (identity.issuer, identity.subject) == (ISSUER, claims.get("sub", "someone"))
    assert all(map(is_principal, identity.principals))


@given(JSON)
def test_any_payload_is_refused(payload):
    """A payload that is not an object of claims is refused, however well it is signed."""
    assert refuses(signed(json.dumps(payload)))


@pytest.mark.parametrize("payload", ["", "{", "[]", "[" * 3000, '{"exp": 1e999}', '{"exp": -0}'])
def test_unreadable_payloads_are_refused(payload):
    """Neither broken nor deeply nested JSON does more than be refused."""
    assert refuses(signed(payload))


@pytest.mark.parametrize("depth", [100, 200, 5000])
def test_deep_headers_are_refused(depth):
    """A header that nests deeply does not exhaust the stack."""
    header = json.dumps(HEADER)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    assert refuses(signed(json.dumps(CLAIMS), header, OTHER_KEY))


def test_a_verified_token_is_remembered():
    """The second verification of a token asks for no key."""
    keys = Keys()
    checked, good = verifier(keys), token()
    assert checked.verify(good) is checked.verify(good)
    assert keys.asked == 1


def test_another_token_is_not_the_remembered_one():
    """What was verified helps no other token."""
    checked = verifier()
    checked.verify(token())
    with pytest.raises(InvalidToken):
        checked.verify(token(key=OTHER_KEY))


def test_a_refused_token_is_not_remembered():
    """A token that was refused for its unknown key is verified anew when the key is there."""
    keys = Keys()
    keys.key_of = {}
    checked, good = verifier(keys), token()
    with pytest.raises(InvalidToken):
        checked.verify(good)
    keys.key_of = {KID: KEY}
    assert checked.verify(good).subject == "someone"


@pytest.mark.parametrize(("later", "asked"), [(0, 1), (29.9, 1), (30, 2), (31, 2), (899, 2)])
def test_a_token_is_remembered_for_30_seconds(later, asked):
    """From 30 s on, the token is verified again."""
    keys, clock = Keys(), Clock()
    checked, good = verifier(keys, clock), token()
    checked.verify(good)
    clock.now = NOW + later
    checked.verify(good)
    assert keys.asked == asked


@pytest.mark.parametrize("exp", [NOW + 1, NOW + 10, NOW + 29.5, NOW + 30, NOW + 31])
def test_a_remembered_token_expires_in_time(exp):
    """At its `exp` a token is refused, remembered or not."""
    clock = Clock()
    checked, good = verifier(clock=clock), token(exp=exp)
    checked.verify(good)
    clock.now = exp
    with pytest.raises(InvalidToken, match="expired"):
        checked.verify(good)


def test_a_withdrawn_key_counts_after_30_seconds_at_most():
    """A token whose key is gone is refused when its memory runs out."""
    keys, clock = Keys(), Clock()
    checked, good = verifier(keys, clock), token()
    checked.verify(good)
    keys.key_of = {}
    clock.now = NOW + 30
    with pytest.raises(InvalidToken, match="unknown key"):
        checked.verify(good)


def test_a_verifier_can_forget():
    """After `forget` every token is verified anew."""
    keys = Keys()
    checked, good = verifier(keys), token()
    checked.verify(good)
    checked.forget()
    checked.verify(good)
    assert keys.asked == 2


def test_the_memory_is_bounded(monkeypatch):
    """However many tokens are verified, a fixed number is remembered."""
    monkeypatch.setattr("licet.authn.tokens.jwt._CACHE_ENTRIES", 10)
    checked = verifier()
    for number in range(25):
        checked.verify(token(jti=str(number)))
    assert len(checked._seen) == 10


def test_the_memory_has_room_for_4096_tokens_and_no_token_in_it():
    """Tokens are remembered by their SHA-256."""
    checked, good = verifier(), token()
    checked.verify(good)
    assert checked._seen.maxsize == 4096
    assert list(checked._seen) == [hashlib.sha256(good.encode()).digest()]


def test_a_refusal_does_not_repeat_the_claims():
    """The text of a refusal, which is sent and logged, has no value of the token in it."""
    with pytest.raises(InvalidToken) as caught:
        verifier().verify(token(aud="secret-audience"))
    assert "secret" not in caught.value.description


def test_id_tokens_are_a_mode_of_their_own():
    """A verifier of ID tokens takes them and no access tokens; the other one is as strict."""
    id_token, access_token = token({"typ": "JWT"}, nonce="n"), token()
    ids = verifier(token_use="id")
    assert ids.verify(id_token).subject == "someone"
    with pytest.raises(InvalidToken, match="not an ID token"):
        ids.verify(access_token)
    assert refuses(id_token)
    assert refuses(id_token, takes_plain_type=True)


def test_plain_access_tokens_are_taken_on_demand():
    """An issuer that knows no better types can be accepted by name."""
    plain = token({"typ": "JWT"})
    assert refuses(plain)
    assert verifier(takes_plain_type=True).verify(plain).subject == "someone"


def test_where_the_email_is_the_key_it_must_be_verified():
    """A token whose email nobody verified is refused, however good it is."""
    known = token(email="Me@Example.org", email_verified=True)
    identity = verifier(email_is_key=True).verify(known)
    assert verified_email(identity.claims) == "me@example.org"
    assert refuses(token(email="me@example.org"), email_is_key=True)


@pytest.mark.parametrize("algorithms", ["ES256", ["ES256"], ("RS256", "ES256"), {"ES256"}])
def test_algorithms_are_given_in_any_collection(algorithms):
    """One name, or several in whatever holds them."""
    assert "ES256" in verifier(algorithms=algorithms).algorithms


@pytest.mark.parametrize("issuer", [None, 5, "", "  "])
def test_an_issuer_is_text(issuer):
    """A setting that was never made is not an issuer."""
    with pytest.raises(ConfigurationError, match="issuer"):
        verifier(issuer=issuer)
