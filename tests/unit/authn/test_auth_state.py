"""Whether an access list admits a caller."""

import pytest

from licet.authn import ANONYMOUS, AuthState, Identity, StateBuilder
from licet.authn.auth_state import require_scope
from licet.errors import ConfigurationError, InsufficientScope

ME = "urn:licet:identity:0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
OTHER = "urn:licet:identity:1f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
STAFF = "urn:licet:group:staff"
SOMEONE = Identity(
    issuer="i", subject="s", principal=ME, principals=frozenset({STAFF}), scopes=frozenset({"a"})
)


class CountingState(AuthState):
    """Counts how often the groups are asked for."""

    asked = 0

    @property
    def groups(self):
        """The groups."""
        self.asked += 1
        return super().groups


def test_a_state_tells_who_calls():
    """Identities and groups are kept apart, and together are the principals."""
    state = AuthState(SOMEONE)
    assert state.effective_identity == ME
    assert state.identities == {ME}
    assert state.groups == {STAFF}
    assert state.principals == {ME, STAFF}
    assert state.errors == []


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ([], False),
        ([ME], True),
        ([OTHER], False),
        ([STAFF], True),
        ([OTHER, STAFF], True),
        (["urn:licet:group:other"], False),
        (["public"], False),
        (["all_authenticated_users"], False),
        ([ME.upper()], False),
        (["staff"], False),
    ],
)
@pytest.mark.parametrize("kind", [list, set, tuple, iter])
def test_lists_admit_those_they_name(allowed, expected, kind):
    """A list admits by identity or by group; the words for everybody need an argument."""
    assert AuthState(SOMEONE).check_authorization(kind(allowed)) is expected


@pytest.mark.parametrize("identity", [SOMEONE, ANONYMOUS])
@pytest.mark.parametrize("allow", [True, False])
def test_public_counts_only_where_it_may(identity, allow):
    """``public`` admits everybody, anonymous callers too, when the argument says so."""
    assert AuthState(identity).check_authorization(["public"], allow_public=allow) is allow


@pytest.mark.parametrize(
    ("identity", "allow", "expected"),
    [(SOMEONE, True, True), (SOMEONE, False, False), (ANONYMOUS, True, False)],
)
def test_everybody_known_does_not_include_the_anonymous(identity, allow, expected):
    """``all_authenticated_users`` admits whoever has an identity, when the argument says so."""
    state = AuthState(identity)
    listed = ["all_authenticated_users"]
    assert state.check_authorization(listed, allow_all_authenticated_users=allow) is expected


@pytest.mark.parametrize(
    ("allowed", "asked"), [([OTHER], 0), ([ME, STAFF], 0), (["public"], 0), ([OTHER, STAFF], 1)]
)
def test_groups_are_asked_for_only_when_they_decide(allowed, asked):
    """A list without a group, or one that names the caller, needs no groups."""
    state = CountingState(SOMEONE)
    state.check_authorization(allowed)
    assert state.asked == asked


def test_lists_that_need_groups_are_known():
    """Callers may ask beforehand whether groups will be needed."""
    assert AuthState.group_in_principal_list([OTHER, STAFF])
    assert not AuthState.group_in_principal_list([OTHER])


@pytest.mark.parametrize(
    "ask", [AuthState.get_dependent_tokens, lambda s: s.get_authorizer_for_scope("x")]
)
def test_other_issuers_tokens_have_no_dependent_tokens(ask):
    """Asking for one says why there is none and what to do."""
    with pytest.raises(ConfigurationError, match="CLIENT_ID and CLIENT_SECRET"):
        ask(AuthState(SOMEONE))


@pytest.mark.parametrize("accepted", [["a"], ["b", "a"], ("a", "c")])
def test_any_accepted_scope_will_do(accepted):
    """One scope of several is enough."""
    assert require_scope(SOMEONE, accepted) is None


@pytest.mark.parametrize("accepted", [["b"], ["b", "c"], ["A"], []])
def test_without_an_accepted_scope_the_first_is_named(accepted):
    """The refusal tells which scopes would do."""
    with pytest.raises(InsufficientScope) as caught:
        require_scope(SOMEONE, accepted)
    assert caught.value.accepted_scopes == tuple(accepted)


def test_state_builders_are_known_by_their_method():
    """Whatever builds a state from a request is a state builder."""

    class Builder:
        def build_from_request(self):
            return AuthState(SOMEONE)

    assert isinstance(Builder(), StateBuilder)
    assert not isinstance(object(), StateBuilder)
