"""Strict decoding of compact signatures, and what a key may have signed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey
from tests.unit.authn.made_tokens import KEY, RSA_KEY, b64, token

from licet.authn.tokens._jws import check_signature, decode_compact, json_object
from licet.errors import InvalidToken

NESTED = "[" * 100_000


def decoded(text):
    """Header and claims."""
    compact = decode_compact(text)
    return compact.header, json_object(compact.payload, "claims")


def test_header_and_claims_are_decoded():
    """A compact JWS gives its header, and the bytes of its other parts."""
    token = ".".join(map(b64, ('{"a": 1}', '{"b": 2}', "sig")))
    compact = decode_compact(token)
    assert (compact.header, compact.payload, compact.signature) == ({"a": 1}, b'{"b": 2}', b"sig")
    assert compact.signing_input.decode() == token.rpartition(".")[0]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "e30.e30",
        "e30.e30.e30.e30.e30",
        "..",
        "e30.e30.=",
        "e30.e30.a",
        "e30=.e30.YQ",
        "e30.e30.YR",
        "e31.e30.YQ",
        "e3 0.e30.YQ",
        "e30.e30.Y+Q",
        "e30.e30.YQ\n",
        "é.e30.YQ",
        "e30.e30.Y/8",
        "�.e30.YQ",
        b64(NESTED) + ".e30.YQ",
        b64(b"\xff") + ".e30.YQ",
    ],
    ids=lambda token: repr(token)[:20],
)
def test_what_is_not_three_canonical_parts_is_refused(token):
    """Parts must be base64url in its one canonical spelling, and hold UTF-8 JSON."""
    with pytest.raises(InvalidToken):
        decode_compact(token)


@pytest.mark.parametrize("text", ["", "[]", "1", "null", '"a"', "{", '{"a": 1, "a": 1}'])
@pytest.mark.parametrize("form", ["{}.e30.YQ", "e30.{}.YQ"])
def test_parts_that_are_not_plain_objects_are_refused(text, form):
    """Header and claims are objects, and no member stands twice."""
    with pytest.raises(InvalidToken):
        decoded(form.format(b64(text)))


def test_duplicates_are_found_at_any_depth():
    """A nested object may not repeat a member either."""
    claims = b64('{"a": [{"b": 1, "b": 2}]}')
    with pytest.raises(InvalidToken):
        decoded(f"e30.{claims}.YQ")


@given(st.text())
def test_any_text_is_decoded_or_refused(token):
    """Decoding fails in one way only."""
    with pytest.raises(InvalidToken):
        decode_compact(token)


def test_the_right_key_holds():
    """A token verifies with the key that signed it."""
    assert check_signature(decode_compact(token()), KEY) is None


@pytest.mark.parametrize(
    "key",
    [
        ECKey.import_key({**KEY.as_dict(private=False), "use": "enc"}),
        ECKey.import_key({**KEY.as_dict(private=False), "key_ops": ["sign"]}),
        ECKey.import_key({**KEY.as_dict(private=False), "alg": "ES384"}),
        ECKey.generate_key("P-384"),
        RSA_KEY,
        OctKey.import_key("a" * 32),
    ],
    ids=["use", "key_ops", "alg", "curve", "RSA", "oct"],
)
def test_a_key_for_something_else_is_refused(key):
    """Type, curve, use, operations and algorithm of the key must all fit."""
    with pytest.raises(InvalidToken, match="cannot have made"):
        check_signature(decode_compact(token()), key)


@pytest.mark.parametrize("alg", [..., None, 5, [], {}, "none", "HS256", "ES256K"])
def test_an_algorithm_that_nobody_accepts_is_refused(alg):
    """Whatever the header calls its algorithm, only the accepted ones are tried."""
    with pytest.raises(InvalidToken):
        check_signature(decode_compact(token({"alg": alg})), KEY)


@pytest.mark.parametrize(("inner", "is_read"), [(31, True), (32, False), (2000, False)])
def test_how_deep_claims_may_be(inner, is_read):
    """On every version of Python the same, and not by how many objects there are."""
    raw = f'{{"a": {"[" * inner}{"]" * inner}, "b": [{", ".join(["{}"] * 99)}]}}'.encode()
    if is_read:
        assert len(json_object(raw, "claims")["b"]) == 99
    else:
        with pytest.raises(InvalidToken, match="cannot be read"):
            json_object(raw, "claims")
