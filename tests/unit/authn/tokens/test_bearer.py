"""Reading the Authorization header."""

import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from licet.authn import parse_bearer
from licet.authn.tokens.bearer import MAX_TOKEN_BYTES
from licet.errors import AuthenticationError, MissingToken, UnverifiedAuthenticationError

TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
TOKENS = st.from_regex(TOKEN68, fullmatch=True).filter(lambda t: len(t) <= MAX_TOKEN_BYTES)


@given(
    token=TOKENS,
    scheme=st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"]),
    gap=st.sampled_from([" ", "  "]),
)
def test_every_token68_is_taken(token, scheme, gap):
    """The scheme's case does not matter, and the token comes back as it was sent."""
    assert parse_bearer(f"{scheme}{gap}{token}") == token


@given(st.text() | st.text().map("Bearer {}".format) | st.text().map("Bearer abc{}".format))
@example("Bearer a\n")
@example("Bearer \u0661")
def test_any_header_gives_a_token68_or_a_refusal(header):
    """Whatever is sent, either a token68 comes out or an AuthenticationError."""
    with suppress(AuthenticationError):
        assert TOKEN68.fullmatch(parse_bearer(header))


@pytest.mark.parametrize("header", [None, "", " ", "\t"])
def test_no_header_is_a_missing_token(header):
    """Without a header the challenge names no error."""
    with pytest.raises(MissingToken):
        parse_bearer(header)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "abc",
        "Basic dTpw",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a, Bearer b",
        "Bearer\tabc",
        "Bearerabc",
        'Bearer "abc"',
        "Bearer =",
        "Bearer a=b",
        "Bearer é",
        "Token a",
    ],
)
def test_malformed_headers_are_refused_unverified(header):
    """What is not exactly a scheme and a token is refused without asking anyone."""
    with pytest.raises(UnverifiedAuthenticationError) as caught:
        parse_bearer(header)
    assert not isinstance(caught.value, MissingToken)


@pytest.mark.parametrize(("length", "accepted"), [(MAX_TOKEN_BYTES, True), (8193, False)])
def test_tokens_are_at_most_8_kib(length, accepted):
    """A token of 8 KiB is read, a longer one is refused for its length."""
    header = f"Bearer {'a' * length}"
    if accepted:
        assert len(parse_bearer(header)) == length
    else:
        with pytest.raises(UnverifiedAuthenticationError, match="longer than 8192"):
            parse_bearer(header)


def test_a_refusal_does_not_repeat_the_token():
    """The text of the refusal, which is sent and logged, has nothing of the header in it."""
    with pytest.raises(UnverifiedAuthenticationError) as caught:
        parse_bearer("Bearer se cret")
    assert "cret" not in caught.value.description
