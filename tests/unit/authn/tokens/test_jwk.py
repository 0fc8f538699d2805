"""Which published keys may verify signatures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.util import int_to_base64
from tests.ids import shown
from tests.unit.authn.made_tokens import KEY, KID, RSA_KEY, changed

from licet.authn.tokens._jwk import usable_key, usable_keys

EC = KEY.as_dict(private=False)
RSA = RSA_KEY.as_dict(private=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        RSA_KEY,
        ECKey.generate_key("P-384", {"kid": "a"}),
        ECKey.generate_key("P-521", {"kid": "a"}),
        OKPKey.generate_key("Ed25519", {"kid": "a"}),
    ],
    ids=["P-256", "RSA", "P-384", "P-521", "Ed25519"],
)
@pytest.mark.parametrize(
    "more", [{}, {"use": "sig"}, {"key_ops": ["verify"]}, {"x5c": ["x"], "vendor": 1}]
)
def test_keys_for_signatures_are_usable(key, more):
    """Every kind of key that an accepted algorithm uses; further members do not matter."""
    public = key.as_dict(private=False)
    found = usable_key({**more, **public})
    assert found.as_dict(private=False) == public


@pytest.mark.parametrize(
    "changes",
    [
        *({"kid": kid} for kid in (..., None, "", 5, "a" * 257, ["a"])),
        *({"kty": kty} for kty in (..., None, "", "oct", "ec", "RSA", "OKP", ["EC"])),
        *({"use": use} for use in (None, "", "enc", "SIG", ["sig"])),
        *({"key_ops": ops} for ops in (None, [], ["sign"], ["encrypt"], "verify", {"verify": 1})),
        *({"crv": crv} for crv in (..., None, "P-384", "secp256k1", "p-256", ["P-256"])),
        *({"x": x} for x in (..., None, "", "AA", EC["y"], 5, "é", ["x"])),
        {"alg": 5},
        {"d": KEY.as_dict(private=True)["d"]},
        {"d": None},
        {"k": "AAAA"},
    ],
    ids=shown,
)
def test_other_keys_are_not(changes):
    """Keys for something else, without an id, off their curve, or with their private half."""
    assert usable_key(changed(EC, changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        *({"e": int_to_base64(e)} for e in (1, 3, 65535, 65538)),
        *({"n": int_to_base64(n)} for n in (1, 2**2047 - 1, 2**8192 + 1)),
        {"e": ...},
        {"n": None},
        {"n": ""},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_weak_rsa_keys_are_not(changes):
    """An RSA key has 2,048 to 8,192 bits and an odd exponent from 65537 up."""
    assert usable_key(changed(RSA, changes)) is None


def test_rsa_keys_that_can_be_factored_are_not():
    """A modulus with the ROCA fingerprint, here a power of 65537, is refused."""
    assert usable_key({**RSA, "n": int_to_base64(65537**128)}) is None
    assert (65537**128).bit_length() >= 2048


def test_a_short_rsa_key_is_not():
    """Nor is one of 1,024 bits, and nobody is warned of it."""
    short = RSAKey.binding.generate_private_key(1024).public_key().public_numbers()
    assert usable_key({**RSA, "n": int_to_base64(short.n)}) is None


def test_symmetric_keys_are_not():
    """A key that everybody can read is no secret."""
    assert usable_key({**OctKey.import_key("a" * 32).as_dict(private=True), "kid": "a"}) is None


def test_a_set_keeps_what_is_usable():
    """One bad key does not spoil a set."""
    unusable = [{}, None, 5, {"kid": ["x"]}, {**RSA, "kid": "b", "use": "enc"}]
    published = [*unusable, {**EC, "kid": "a"}, EC]
    assert set(usable_keys({"keys": published})) == {"a", KID}


def test_two_keys_of_one_id_are_both_left_out():
    """An id that is given twice names no key, though only one of the two could be used."""
    assert usable_keys({"keys": [EC, {**RSA, "use": "enc"}]}) == {}


@pytest.mark.parametrize("document", [None, [], {}, {"keys": None}, {"keys": {}}, "keys", 5])
def test_what_is_no_set_is_an_error(document):
    """A document without a list of keys says nothing about keys."""
    with pytest.raises(ValueError, match="no list of keys"):
        usable_keys(document)


@given(st.dictionaries(st.sampled_from([*EC, *RSA, "use", "key_ops", "d"]), JSON))
def test_any_key_is_usable_or_not(jwk):
    """Whatever an issuer publishes, reading it does not fail."""
    for original in (EC, RSA, {}):
        usable_keys({"keys": [{**original, **jwk}]})
