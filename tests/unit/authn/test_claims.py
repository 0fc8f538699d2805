"""The header and the claims that a token must have."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.authn.tokens import AUDIENCE, CLAIMS, ISSUER, NOW, changed

from licet.authn._claims import ClaimRules
from licet.errors import InvalidToken

RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_access_token_types_are_taken(typ):
    """The type's case and its long form do not matter."""
    RULES.check_header({"typ": typ})


@pytest.mark.parametrize("typ", [..., None, "", "JWT", "jwt", "at+jwt ", 5, ["at+jwt"]])
def test_other_types_are_refused(typ):
    """An ID token, or a token that does not say what it is, is no access token."""
    with pytest.raises(InvalidToken, match="not an access token"):
        RULES.check_header(changed({"alg": "ES256"}, {"typ": typ}))


@pytest.mark.parametrize("member", ["crit", "b64"])
@pytest.mark.parametrize("value", [None, [], ["exp"], True, False])
def test_extensions_are_refused_in_any_form(member, value):
    """`crit` and `b64` are refused whatever they say."""
    with pytest.raises(InvalidToken, match="extensions"):
        RULES.check_header({"typ": "at+jwt", member: value})


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["x", AUDIENCE]},
        {"iat": ...},
        {"scope": ...},
        {"exp": NOW + 0.5},
        {"nbf": NOW},
        {"nbf": NOW + 60, "iat": NOW + 60},
        {"sub": "a" * 255},
        {"sub": "auth0|a é"},
        {"groups": []},
        {"groups": None},
        {"groups": ["a"]},
        {"iat": 0},
    ],
    ids=str,
)
def test_good_claims_are_taken(claims):
    """Claims that are in time and meant for us pass."""
    RULES.check_claims(changed(CLAIMS, claims), NOW)


NO_TIMES = ["1800000900", None, True, -1, 10**12, 10**400, float("nan"), float("inf"), [], 1e300]


@pytest.mark.parametrize(
    "claims",
    [{"iss": i} for i in (..., None, "", ISSUER + "/", ISSUER.upper(), [ISSUER], 5)]
    + [{"aud": a} for a in (..., None, "", AUDIENCE + "/", [], ["x"], [[AUDIENCE]], {AUDIENCE: 1})]
    + [{"sub": s} for s in (..., None, "", "a" * 256, 5, ["a"], "\ud800", "a\0", "a\nb")]
    + [{"exp": e} for e in (..., NOW, NOW - 1, 0, *NO_TIMES)]
    + [{"nbf": n} for n in (NOW + 61, *NO_TIMES)]
    + [{"iat": n} for n in (NOW + 61, *NO_TIMES)]
    + [{"scope": s} for s in (None, 5, ["read"])]
    + [{"groups": g} for g in (5, "admin", {"admin": 1}, True)],
    ids=lambda claims: str(claims)[:40],
)
def test_bad_claims_are_refused(claims):
    """What is missing, malformed, out of time or meant for others is refused."""
    with pytest.raises(InvalidToken):
        RULES.check_claims(changed(CLAIMS, claims), NOW)


@given(st.sampled_from([*CLAIMS, "nbf", "groups"]), JSON)
def test_any_claim_passes_or_is_refused(name, value):
    """Checking fails in one way only, whatever a claim holds."""
    with suppress(InvalidToken):
        assert RULES.check_claims({**CLAIMS, name: value}, NOW) is None
