"""The header and the claims that a token must have."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.authn.made_tokens import AUDIENCE, CLAIMS, ISSUER, NOW, changed

from licet.authn.tokens._claims import ClaimRules, verified_email
from licet.errors import ConfigurationError, InvalidToken

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


def rules(**options):
    return ClaimRules(issuer=ISSUER, audience=AUDIENCE, **options)


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "jwt"}, {"typ": "application/jwt"}])
@pytest.mark.parametrize("options", [{"token_use": "id"}, {"takes_plain_type": True}], ids=str)
def test_plain_types_are_taken_where_they_are_expected(header, options):
    """ID tokens, and access tokens of issuers that know no better, say JWT or nothing."""
    rules(**options).check_header(header)


@pytest.mark.parametrize("typ", ["at+jwt", None, "", "logout+jwt", 5])
def test_an_access_token_is_no_id_token(typ):
    """Where ID tokens are expected, a token that says it is something else is refused."""
    with pytest.raises(InvalidToken, match="not an ID token"):
        rules(token_use="id").check_header({"typ": typ})


def test_an_access_token_may_always_say_that_it_is_one():
    """Taking the plain type does not refuse the right one."""
    rules(takes_plain_type=True).check_header({"typ": "at+jwt"})


@pytest.mark.parametrize("name", ["nonce", "at_hash", "c_hash", "events"])
def test_what_shows_itself_as_another_token_is_no_access_token(name):
    """Claims of ID tokens and logout tokens betray them, whatever type they give themselves."""
    with pytest.raises(InvalidToken, match="not an access token"):
        rules(takes_plain_type=True).check_claims({**CLAIMS, name: "x"}, NOW)


@pytest.mark.parametrize(
    "claims",
    [{"token_use": v} for v in ("id", "ID", None, ["access"], "refresh")]
    + [{"typ": v} for v in ("ID", "id", "Refresh", "Offline", "Logout")]
    + [{"s_hash": "x"}],
    ids=str,
)
def test_no_token_that_tells_another_use_is_an_access_token(claims):
    """Keycloak and Amazon Cognito say so in a claim; the header of all of them is the same."""
    with pytest.raises(InvalidToken, match="not an access token"):
        rules(takes_plain_type=True).check_claims({**CLAIMS, **claims}, NOW)


@pytest.mark.parametrize(
    "claims", [{"token_use": "access"}, {"typ": "Bearer"}, {"typ": 5}], ids=str
)
def test_access_tokens_that_tell_their_use_are_taken(claims):
    """In either way."""
    rules(takes_plain_type=True).check_claims({**CLAIMS, **claims}, NOW)


@pytest.mark.parametrize(
    "claims", [{"token_use": "access"}, {"typ": "Bearer"}, {"typ": "Refresh"}], ids=str
)
def test_no_token_that_tells_another_use_is_an_id_token(claims):
    """An access token signs nobody in."""
    with pytest.raises(InvalidToken, match="not an ID token"):
        rules(token_use="id").check_claims({**CLAIMS, **claims}, NOW)


def test_id_tokens_that_tell_their_use_are_taken():
    """In either way."""
    rules(token_use="id").check_claims({**CLAIMS, "token_use": "id", "typ": "ID"}, NOW)


def test_a_logout_token_is_no_id_token():
    """Nor can the announcement of somebody's departure sign them in."""
    with pytest.raises(InvalidToken, match="not an ID token"):
        rules(token_use="id").check_claims({**CLAIMS, "events": {}}, NOW)


@pytest.mark.parametrize(
    "claims",
    [{}, {"azp": AUDIENCE}, {"aud": [AUDIENCE]}, {"aud": [AUDIENCE, "x"], "azp": AUDIENCE}],
    ids=str,
)
def test_id_tokens_for_us_are_taken(claims):
    """With several audiences, the authorized party must be us."""
    rules(token_use="id").check_claims({**CLAIMS, **claims, "nonce": "n"}, NOW)


@pytest.mark.parametrize(
    "claims",
    [{"azp": "x"}, {"azp": None}, {"aud": [AUDIENCE, "x"]}, {"aud": [AUDIENCE, "x"], "azp": "x"}],
    ids=str,
)
def test_id_tokens_for_another_client_are_refused(claims):
    """An ID token that another client was given is not for us, though we are in its audience."""
    with pytest.raises(InvalidToken, match="another client"):
        rules(token_use="id").check_claims({**CLAIMS, **claims}, NOW)


def test_the_authorized_party_of_an_access_token_is_any_client():
    """Access tokens are made for clients and meant for services."""
    rules().check_claims({**CLAIMS, "azp": "some-client"}, NOW)


def test_there_are_two_uses_of_tokens():
    """A misspelt use does not pass for one."""
    with pytest.raises(ConfigurationError, match="token_use"):
        rules(token_use="refresh")


EMAIL = {"email": "Ann@Example.ORG", "email_verified": True}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@gießen.de", "ann@giessen.de"),
        ("mi\u212ae@example.org", "mike@example.org"),
        ("mike@\u212aelvin.example", "mike@kelvin.example"),
        ("\ufb00@example.org", "ff@example.org"),
        ("ſam@example.org", "sam@example.org"),
        ("straße@example.org", "strasse@example.org"),
        ("ann@ex\u0430mple.org", "ann@example.org"),  # a Cyrillic letter
        ("ann@ex\uff41mple.org", "ann@example.org"),  # a full-width one
        ("ann@example\u3002org", "ann@example.org"),  # another full stop
        ("ann@\u1e9e.example", "ann@ss.example"),
    ],
)
def test_two_mailboxes_are_two_keys(one, other):
    """Whatever Unicode takes for the same letter: mail for them goes to two people."""
    claims = {"email_verified": True}
    assert verified_email({"email": other, **claims}) == other
    assert verified_email({"email": one, **claims}) != other


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Ann@GIEßEN.de", "ann@xn--gieen-nqa.de"),
        ("ann@XN--gieen-nqa.DE", "ann@xn--gieen-nqa.de"),
        ("Ünal@example.org", "Ünal@example.org"),
        ("ann@a\u200bb.org", None),
        ("ann@\u2603..org", None),
    ],
)
def test_a_domain_is_compared_as_the_name_system_has_it(email, key):
    """In letters or as Punycode; one that IDNA 2008 does not allow names nobody."""
    assert verified_email({"email": email, "email_verified": True}) == key


def test_a_verified_email_is_compared_without_case():
    """Two spellings of an address are one key."""
    assert verified_email(EMAIL) == "ann@example.org"
    rules(email_is_key=True).check_claims({**CLAIMS, **EMAIL}, NOW)


@pytest.mark.parametrize(
    "changes",
    [{"email_verified": v} for v in (..., None, False, "true", 1, [True])]
    + [
        {"email": e}
        for e in (..., None, "", 5, "a", "@x", "a@", "a b@x", "a\n@x", "a" * 251 + "@x.y")
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_email_that_nobody_verified_is_none(changes):
    """Only the issuer's own `true` makes an address a key; others are refused where it is one."""
    claims = changed(EMAIL, changes)
    assert verified_email(claims) is None
    with pytest.raises(InvalidToken, match="verified email"):
        rules(email_is_key=True).check_claims({**CLAIMS, **claims}, NOW)
