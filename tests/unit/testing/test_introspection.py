"""The introspection endpoint that users' tests are given."""

import pytest

from licet.authn import IntrospectionVerifier
from licet.errors import AuthenticationUnavailable, InvalidToken


@pytest.fixture
def verifier(fake_introspection):
    return IntrospectionVerifier(
        "https://issuer.example/introspect",
        "me",
        "secret",
        issuer="https://issuer.example",
        accepted_scopes=["read"],
        transport=fake_introspection,
    )


def test_a_test_makes_up_its_tokens(verifier, fake_introspection):
    """What a test vouches for is good; anything else is not."""
    token = fake_introspection.vouch("t1", "ann", scope="read")
    assert verifier.verify(token).subject == "ann"
    with pytest.raises(InvalidToken):
        verifier.verify("t2")
    assert fake_introspection.asked == ["t1", "t2"]


def test_a_test_revokes_a_token(verifier, fake_introspection):
    """A token that was good stands for nobody."""
    fake_introspection.vouch("t1", scope="read")
    fake_introspection.revoke("t1")
    with pytest.raises(InvalidToken):
        verifier.verify("t1")


def test_a_test_makes_an_outage(verifier, fake_introspection):
    """A status or an exception instead of answers."""
    for outage in (503, OSError("down")):
        fake_introspection.outage = outage
        with pytest.raises((AuthenticationUnavailable, OSError)):
            verifier.verify("t1")
