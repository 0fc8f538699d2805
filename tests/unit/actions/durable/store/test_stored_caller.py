"""What a durable action remembers of who submitted it."""

import json

import pytest

from licet.actions.durable.store.stored_caller import caller_json, stored_caller
from licet.authn.auth_state import AuthState
from licet.authn.identity import Identity

ME = "urn:licet:identity:00000000-0000-4000-8000-00000000a11c"
LINKED = "urn:licet:identity:00000000-0000-4000-8000-000000000b0b"
TEAM = "urn:licet:group:team"
FAR = "urn:globus:groups:id:00000000-0000-4000-8000-0000000000aa"


class Remote(AuthState):
    """A caller whose groups another service must be asked for."""

    asked = 0

    @property
    def groups(self):
        self.asked += 1
        return frozenset({FAR})


def identity(**fields) -> Identity:
    known = {
        "issuer": "i",
        "subject": "s",
        "principal": ME,
        "principals": frozenset({LINKED, TEAM}),
    }
    return Identity(**known | fields)


def test_who_they_are_comes_back():
    """Identities, groups and roles."""
    kept = stored_caller(caller_json(AuthState(identity(roles=frozenset({"admin"}))), ["public"]))
    assert kept.effective_identity == ME
    assert (kept.identities, kept.groups) == ({ME, LINKED}, {TEAM})
    assert (kept.identity.issuer, kept.identity.subject) == ("i", "s")
    assert kept.identity.roles == {"admin"}
    assert not kept.had_session


def test_no_claims_and_no_token():
    """Nothing that a token said beside that is stored."""
    text = caller_json(AuthState(identity(claims={"sid": "secret", "email": "e"})), [])
    assert "secret" not in text
    assert "email" not in text
    assert stored_caller(text).had_session


def test_ordinary_sets():
    """An app's own caller may compute its identities and groups as it likes."""

    class Own(AuthState):
        identities = {ME}  # noqa: RUF012 - as somebody may write it
        groups = {TEAM}  # noqa: RUF012 - as above

    kept = stored_caller(caller_json(Own(identity()), [TEAM]))
    assert (kept.identities, kept.groups) == ({ME}, {TEAM})


@pytest.mark.parametrize(
    ("runnable_by", "asked", "groups"),
    [(["all_authenticated_users"], 0, {TEAM}), ([ME], 0, {TEAM}), ([FAR], 1, {FAR})],
)
def test_groups_are_asked_for_only_where_they_decide(runnable_by, asked, groups):
    """They were asked for already then, to let the caller in."""
    auth = Remote(identity())
    kept = stored_caller(caller_json(auth, runnable_by))
    assert (auth.asked, kept.groups) == (asked, groups)


def test_a_caller_made_by_a_program():
    """An AuthState without an identity of ours is kept by its names."""

    class Bare:
        effective_identity = ME
        identities = frozenset({ME})
        groups = frozenset({TEAM})

    kept = stored_caller(caller_json(Bare(), [TEAM]))
    assert (kept.identities, kept.groups) == ({ME}, {TEAM})
    assert json.loads(caller_json(Bare(), []))["issuer"] == ""
