"""The record of who calls."""

from dataclasses import FrozenInstanceError

import pytest

from licet.authn import ANONYMOUS, Identity

GROUP = "urn:licet:group:staff"
ME = "urn:licet:identity:me"


def identity(**fields):
    """An identity that differs from the usual one by these fields."""
    return Identity(**{"issuer": "i", "subject": "s", "principal": ME, **fields})


def test_nobody_is_anonymous():
    """`ANONYMOUS` is not authenticated and speaks for no principal."""
    assert not ANONYMOUS.is_authenticated
    assert ANONYMOUS.principals == frozenset()
    assert ANONYMOUS.groups == frozenset()


def test_a_caller_is_among_their_principals():
    """The own principal need not be listed to count."""
    assert identity(principals=frozenset({GROUP})).principals == {ME, GROUP}
    assert identity().is_authenticated


def test_groups_are_the_principals_that_are_groups():
    """Globus groups and our own are groups; identities are not."""
    other = "urn:globus:groups:id:g"
    assert identity(principals=frozenset({GROUP, other})).groups == {GROUP, other}


def test_an_identity_cannot_be_changed():
    """Fields and claims are read-only."""
    someone = identity(claims={"email": "a@example.org"})
    with pytest.raises(FrozenInstanceError):
        someone.subject = "other"
    with pytest.raises(TypeError):
        someone.claims["email"] = "b@example.org"


def test_claims_are_a_copy():
    """A change of the mapping that was given does not reach the identity."""
    given = {"email": "a"}
    someone = identity(claims=given)
    given["email"] = "b"
    assert someone.claims["email"] == "a"


def test_claims_are_not_shown():
    """The representation, which may reach a log, has no claims in it."""
    assert "secret" not in repr(identity(claims={"email": "secret"}))


def test_identities_are_hashable():
    """An identity can be a key, whatever its claims hold."""
    assert len({identity(claims={"list": []}), identity(claims={"list": []})}) == 1
