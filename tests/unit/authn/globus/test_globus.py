"""Callers that Globus Auth vouches for, without a network."""

import json
import logging
import math
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import globus_sdk
import pytest
import responses
from cachetools import TTLCache
from flask import Flask
from tests.ids import shown

from licet.authn.globus import (
    GROUPS_SCOPE,
    AuthState,
    AuthStateBuilder,
    ClientFactory,
    FlaskAuthStateBuilder,
    InactiveTokenError,
    InvalidTokenScopesError,
    TokenChecker,
    TypedTTLCache,
    globus_group_principal,
    globus_identity_principal,
)
from licet.authn.identity import is_principal
from licet.errors import (
    AuthenticationError,
    AuthenticationUnavailable,
    ConfigurationError,
    MissingToken,
)

ME = "0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
LINKED = "1f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
GROUP = "2f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4"
SCOPE = "https://auth.globus.org/scopes/x/all"
ACTIVE = {"active": True, "sub": ME, "identity_set": [ME, LINKED], "scope": f"openid {SCOPE}"}
GROUP_URN = globus_group_principal(GROUP)
TOKEN = "https://auth.globus.org/v2/oauth2/token"
GROUPS = "https://groups.api.globus.org/v2/groups/my_groups"
INTROSPECT = "https://auth.globus.org/v2/oauth2/token/introspect"
UNREACHABLE = globus_sdk.NetworkError("no route", OSError("no route"))
CACHES = ("introspect_cache", "dependent_tokens_cache", "group_membership_cache")


@pytest.fixture(autouse=True)
def _empty_caches():
    for name in CACHES:
        getattr(AuthState, name).clear()


def granting(*scopes):
    """A dependent grant with a token for each of the scopes."""
    return SimpleNamespace(by_scopes={s: {"access_token": f"token of {s}"} for s in scopes})


def auth_client(answer=ACTIVE, client_id="client"):
    """An auth client that answers so and grants a token for the Groups API."""
    client = Mock(spec=globus_sdk.ConfidentialAppAuthClient, client_id=client_id)
    client.oauth2_token_introspect.return_value = answer
    client.oauth2_get_dependent_tokens.return_value = granting(GROUPS_SCOPE)
    return client


def state(client=None, token="token", scopes=(SCOPE,)):
    """The state of a token."""
    return AuthState(client or auth_client(), token, scopes)


@pytest.fixture
def my_groups(monkeypatch):
    """The Groups API's `get_my_groups`, which lists one group."""
    found = Mock(return_value=[{"id": GROUP}])
    monkeypatch.setattr(globus_sdk.GroupsClient, "get_my_groups", found)
    return found


def with_clock(monkeypatch, name, ttl):
    """Let a cache go by a clock that the test sets."""
    clock = SimpleNamespace(now=0.0)
    entries = TTLCache(maxsize=10, ttl=ttl, timer=lambda: clock.now)
    monkeypatch.setattr(getattr(AuthState, name), "_cache", entries)
    return clock


def test_a_token_tells_who_calls():
    """The effective identity is the token's subject; its linked identities count too."""
    found = state()
    assert found.effective_identity == globus_identity_principal(ME)
    assert found.identities == {globus_identity_principal(ME), globus_identity_principal(LINKED)}
    assert found.identity.scopes == {"openid", SCOPE}
    assert all(map(is_principal, [*found.identities, GROUP_URN]))


@pytest.mark.parametrize("identity_set", [None, [], [ME], ...])
def test_the_subject_is_always_among_the_identities(identity_set):
    """A missing or empty identity set leaves the subject itself."""
    answer = {**ACTIVE, "identity_set": identity_set}
    if identity_set is ...:
        del answer["identity_set"]
    assert state(auth_client(answer)).identities == {globus_identity_principal(ME)}


def test_a_token_is_introspected_once():
    """Many states of one token cost one introspection, with the identity set asked for."""
    client = auth_client()
    for _ in range(3):
        state(client).introspect_token()
    client.oauth2_token_introspect.assert_called_once_with("token", include="identity_set")


def test_an_introspection_counts_for_30_seconds(monkeypatch):
    """After 30 s the token is asked about again."""
    clock, client = with_clock(monkeypatch, "introspect_cache", 30), auth_client()
    for now in (0, 29.9, 30):
        clock.now = now
        state(client)
    assert client.oauth2_token_introspect.call_count == 2


def test_tokens_and_clients_share_no_answer():
    """Another token, or another client, is another question."""
    one, two = auth_client(), auth_client(client_id="other")
    state(one), state(one, token="other"), state(two)
    assert one.oauth2_token_introspect.call_count == 2
    assert two.oauth2_token_introspect.call_count == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"active": False, "identity_set": 5, "exp": "never"},
        *({"sub": sub} for sub in (None, 5, "", "somebody", f"{ME}\n", ME + ME)),
        *({"exp": exp} for exp in (1, 0.5, int(time.time()))),
        {"nbf": int(time.time()) + 10**6},
    ],
    ids=shown,
)
def test_a_token_that_is_not_active_is_refused(changes):
    """Inactive, expired and nobody's tokens are 401, and the refusal is remembered."""
    client = auth_client({**ACTIVE, **changes})
    for _ in range(2):
        with pytest.raises(InactiveTokenError) as caught:
            state(client)
    assert caught.value.code == 401
    assert isinstance(caught.value, ValueError)
    client.oauth2_token_introspect.assert_called_once()


def test_a_remembered_token_expires_in_time(monkeypatch):
    """A token whose `exp` passes while its introspection is remembered is refused."""
    client = auth_client({**ACTIVE, "exp": int(time.time()) + 1000})
    assert state(client).effective_identity
    monkeypatch.setattr("licet.authn.globus._answers.time.time", lambda: time.monotonic() + 1e12)
    with pytest.raises(InactiveTokenError):
        state(client)


@pytest.mark.parametrize("scope", ["", None, "openid", SCOPE + "x", SCOPE.upper()])
def test_a_token_without_the_scope_is_forbidden(scope):
    """None of the expected scopes is 403, and both sides are told."""
    with pytest.raises(InvalidTokenScopesError) as caught:
        state(auth_client({**ACTIVE, "scope": scope}))
    assert caught.value.code == 403
    assert caught.value.expected_scopes == {SCOPE}
    assert caught.value.actual_scopes == frozenset((scope or "").split())
    assert caught.value.accepted_scopes == (SCOPE,)


def test_any_expected_scope_will_do():
    """A token with one of several expected scopes is accepted."""
    assert state(scopes=["other", SCOPE]).effective_identity


def test_the_scope_is_checked_at_each_use():
    """A remembered introspection does not spare the check of the scope."""
    client = auth_client()
    state(client)
    with pytest.raises(InvalidTokenScopesError):
        state(client, scopes=["other"])


@pytest.mark.parametrize(
    "error",
    [UNREACHABLE, globus_sdk.GlobusConnectionError("refused", OSError()), globus_sdk.GlobusError()],
    ids=lambda error: type(error).__name__,
)
def test_an_outage_neither_accepts_nor_refuses(error):
    """When Globus Auth does not answer, the request ends in 503 and nothing is remembered."""
    client = auth_client()
    client.oauth2_token_introspect.side_effect = error
    with pytest.raises(AuthenticationUnavailable) as caught:
        state(client)
    assert not isinstance(caught.value, AuthenticationError)
    client.oauth2_token_introspect.side_effect = None
    assert state(client).effective_identity


@responses.activate
@pytest.mark.parametrize(
    "body",
    [
        *("<html>", "", "null", "[]", "5", '"active"', "{}", '{"active": 1}', '{"active": "true"}'),
        *(
            json.dumps({**ACTIVE, **changes})
            for changes in (
                *({"identity_set": value} for value in (5, ME, [5], {"a": 1})),
                *({"scope": value} for value in (5, [SCOPE], {SCOPE: 1})),
                *(
                    {"exp": value}
                    for value in ("9999999999", True, [], math.nan, math.inf, -1, 10**400)
                ),
                {"nbf": "0"},
            )
        ),
        "[" * 100_000,
    ],
    ids=lambda body: body[-40:],
)
def test_an_unreadable_introspection_neither_accepts_nor_refuses(body):
    """An answer that does not say whether the token is active is an outage, not a refusal."""
    responses.post(INTROSPECT, body=body, content_type="application/json")
    client = globus_sdk.ConfidentialAppAuthClient("id", "secret")
    with pytest.raises(AuthenticationUnavailable):
        state(client)
    assert AuthState.introspect_cache.get(("id", "token")) is None
    assert len(AuthState.introspect_cache._cache) == 0


@responses.activate
def test_a_refused_client_secret_is_no_refusal_of_the_caller():
    """When Globus Auth refuses the provider itself, callers get 503."""
    responses.post(INTROSPECT, status=401, json={"error": "invalid_client"})
    with pytest.raises(AuthenticationUnavailable):
        state(globus_sdk.ConfidentialAppAuthClient("id", "secret"))


@responses.activate
def test_the_real_client_is_understood():
    """The SDK's own response objects are read as well as dicts."""
    responses.post(INTROSPECT, json=ACTIVE)
    found = state(globus_sdk.ConfidentialAppAuthClient("id", "secret"))
    assert found.effective_identity == globus_identity_principal(ME)


def test_an_outage_is_logged_without_the_token(caplog):
    """The log says what failed, and has no token in it."""
    client = auth_client()
    client.oauth2_token_introspect.side_effect = UNREACHABLE
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthenticationUnavailable):
        state(client, token="secret-token")
    assert "NetworkError" in caplog.text
    assert "secret-token" not in caplog.text


def test_groups_come_from_the_groups_api(my_groups):
    """The caller's groups are URNs, had with one grant and one call however often they are read."""
    client = auth_client()
    for _ in range(3):
        assert state(client).groups == {GROUP_URN}
    my_groups.assert_called_once_with()
    client.oauth2_get_dependent_tokens.assert_called_once_with("token")


def test_groups_count_for_300_seconds(monkeypatch, my_groups):
    """After 300 s the groups are asked for again, with the same grant."""
    clock, client = with_clock(monkeypatch, "group_membership_cache", 300), auth_client()
    for now in (0, 299.9, 300):
        clock.now = now
        assert state(client).groups
    assert my_groups.call_count == 2
    client.oauth2_get_dependent_tokens.assert_called_once()


def test_principals_are_identities_and_groups(my_groups):
    """Together they are what lists are compared with."""
    found = state()
    assert found.principals == found.identities | {GROUP_URN}


@pytest.mark.parametrize(
    ("allowed", "expected", "calls"),
    [
        ([], False, 0),
        (["public", "all_authenticated_users"], False, 0),
        ([globus_identity_principal(LINKED)], True, 0),
        ([globus_identity_principal(ME), GROUP_URN], True, 0),
        ([globus_identity_principal(GROUP)], False, 0),
        ([GROUP_URN], True, 1),
        ([globus_group_principal(ME)], False, 1),
    ],
)
def test_groups_are_fetched_only_when_a_list_names_one(my_groups, allowed, expected, calls):
    """Groups cost calls, so they are fetched only when they decide."""
    assert state().check_authorization(allowed) is expected
    assert my_groups.call_count == calls


def test_a_caller_without_groups_is_remembered(my_groups):
    """That somebody has no groups is an answer too."""
    my_groups.return_value = []
    client = auth_client()
    assert not state(client).check_authorization([GROUP_URN])
    assert not state(client).check_authorization([GROUP_URN])
    my_groups.assert_called_once()


def unlisted(client, my_groups):
    """The Groups API is down."""
    my_groups.side_effect = UNREACHABLE


def ungranted(client, my_groups):
    """Globus Auth grants nothing."""
    client.oauth2_get_dependent_tokens.side_effect = UNREACHABLE


def unscoped(client, my_groups):
    """Globus Auth grants other scopes only."""
    client.oauth2_get_dependent_tokens.return_value = granting("other")


def without_ids(client, my_groups):
    """The Groups API lists something else."""
    my_groups.return_value = [{"name": "x"}]


def no_list(client, my_groups):
    """The Groups API answers with no list."""
    my_groups.return_value = globus_sdk.response.ArrayResponse(Mock(data={}), client=client)


def odd_ids(client, my_groups):
    """The Groups API lists something that is no id."""
    my_groups.return_value = [{"id": GROUP}, {"id": 5}]


def odd_groups(client, my_groups):
    """The Groups API lists something that is no group."""
    my_groups.return_value = [GROUP]


def odd_memberships(client, my_groups):
    """The Groups API tells no memberships."""
    my_groups.return_value = [{"id": GROUP, "my_memberships": "active"}]


def odd_grant(client, my_groups):
    """Globus Auth grants something that the SDK cannot read."""
    client.oauth2_get_dependent_tokens.side_effect = KeyError("resource_server")


OUTAGES = [unlisted, ungranted, unscoped, without_ids, no_list]
OUTAGES += [odd_ids, odd_groups, odd_memberships, odd_grant]


@pytest.mark.parametrize("outage", OUTAGES)
def test_groups_that_cannot_be_had_are_an_outage(my_groups, outage):
    """A list that names a group is neither passed nor failed when groups cannot be looked up."""
    client = auth_client()
    outage(client, my_groups)
    with pytest.raises(AuthenticationUnavailable) as caught:
        state(client).check_authorization([GROUP_URN])
    assert caught.value.code == 503
    assert len(AuthState.group_membership_cache._cache) == 0


@pytest.mark.parametrize("body", ["<html>", "null", "5", "[5]", '[{"scope": 5}]', "[[[["])
@responses.activate
def test_an_unreadable_grant_is_an_outage(body):
    """What the SDK fails to read is no grant."""
    responses.post(INTROSPECT, json=ACTIVE)
    responses.post(TOKEN, body=body, content_type="application/json")
    found = state(globus_sdk.ConfidentialAppAuthClient("id", "secret"))
    with pytest.raises(AuthenticationUnavailable):
        found.check_authorization([GROUP_URN])
    assert len(AuthState.dependent_tokens_cache._cache) == 0


@pytest.mark.parametrize(
    ("statuses", "is_member"),
    [
        ([], True),
        ([None], True),
        (["active"], True),
        (["invited", "active"], True),
        (["invited"], False),
        (["pending", "left"], False),
    ],
)
def test_an_invitation_makes_no_member(my_groups, statuses, is_member):
    """A group counts when one of the caller's memberships is active, as when none is told."""
    memberships = [{"status": status} if status else {"role": "member"} for status in statuses]
    my_groups.return_value = [{"id": GROUP, "my_memberships": memberships}]
    assert state().check_authorization([GROUP_URN]) is is_member


def test_a_list_that_names_the_caller_needs_no_groups_service(my_groups):
    """An outage of the Groups API does not keep out those whom a list names themselves."""
    my_groups.side_effect = UNREACHABLE
    assert state().check_authorization([GROUP_URN, globus_identity_principal(ME)])


def test_a_dependent_grant_is_asked_for_once():
    """Grants are remembered for the token, unless told otherwise."""
    client = auth_client()
    found = state(client)
    assert found.get_dependent_tokens() is found.get_dependent_tokens()
    client.oauth2_get_dependent_tokens.assert_called_once_with("token")
    found.get_dependent_tokens(bypass_cache_lookup=True)
    assert client.oauth2_get_dependent_tokens.call_count == 2


def test_a_grant_counts_for_47_hours(monkeypatch):
    """A grant is renewed before its tokens' 48 h are over."""
    clock, client = with_clock(monkeypatch, "dependent_tokens_cache", 47 * 3600), auth_client()
    for now in (0, 47 * 3600 - 1, 47 * 3600):
        clock.now = now
        state(client).get_dependent_tokens()
    assert client.oauth2_get_dependent_tokens.call_count == 2


def test_an_authorizer_carries_the_dependent_token():
    """The authorizer is for the scope that was asked for."""
    authorizer = state().get_authorizer_for_scope(GROUPS_SCOPE)
    assert authorizer.get_authorization_header() == f"Bearer token of {GROUPS_SCOPE}"


def test_a_remembered_grant_without_the_scope_is_asked_for_again():
    """A scope that was consented to meanwhile is found with one more grant."""
    client = auth_client()
    found = state(client)
    found.get_dependent_tokens()
    client.oauth2_get_dependent_tokens.return_value = granting("new")
    assert found.get_authorizer_for_scope("new").get_authorization_header().endswith("new")
    assert client.oauth2_get_dependent_tokens.call_count == 2


@pytest.mark.parametrize(("remembered", "calls"), [(False, 1), (True, 2)])
def test_a_scope_that_is_never_granted_is_asked_for_once_more_at_most(remembered, calls):
    """Without the scope there is an error, after one fresh grant."""
    client = auth_client()
    found = state(client)
    if remembered:
        found.get_dependent_tokens()
    with pytest.raises(ValueError, match="never"):
        found.get_authorizer_for_scope("never")
    assert client.oauth2_get_dependent_tokens.call_count == calls


@pytest.mark.parametrize(
    ("name", "entries", "seconds"),
    [
        ("introspect_cache", 4096, 30),
        ("dependent_tokens_cache", 1024, 47 * 3600),
        ("group_membership_cache", 4096, 300),
    ],
)
def test_caches_are_bounded_and_shared(name, entries, seconds):
    """Each cache belongs to the class, has an upper bound and a lifetime, and can be cleared."""
    cache = getattr(AuthState, name)
    assert getattr(state(), name) is cache
    assert (cache._cache.maxsize, cache._cache.ttl) == (entries, seconds)
    cache["key"] = "value"
    cache.clear()
    assert "key" not in cache


def test_caches_hold_no_token(my_groups):
    """Keys are hashes, so that no token can be read from a cache."""
    found = state(token="secret-token")
    assert found.groups
    assert "secret-token" not in repr([list(getattr(AuthState, name)._cache) for name in CACHES])


def test_a_cache_is_a_mapping_with_an_end():
    """Entries are set, read, asked after and deleted like a dict's, and the oldest go first."""
    cache = TypedTTLCache(maxsize=2, ttl=60)
    for number in range(3):
        cache[number] = str(number)
    assert (0 in cache, cache[2], cache.get(0)) == (False, "2", None)
    del cache[2]
    del cache["missing"]
    with pytest.raises(KeyError):
        _ = cache[2]


def test_clients_have_time_limits():
    """Neither client waits or retries without end."""
    factory = ClientFactory()
    authorizer = globus_sdk.AccessTokenAuthorizer("x")
    for client in (
        factory.make_confidential_app_auth_client(ME, "secret"),
        factory.make_groups_client(authorizer),
    ):
        retries = getattr(client, "retry_config", client.transport)  # of globus-sdk 3
        assert client.transport.http_timeout == 30
        assert (retries.max_retries, retries.max_sleep) == (1, 5)


THREADS = 50


class Slow:
    """Globus as `responses` plays it: each answer takes its time, and is counted."""

    def __init__(self, mocked):
        self.asked = Counter()
        self.pause = threading.Event()
        granted = {"access_token": "t", "resource_server": "groups", "scope": GROUPS_SCOPE}
        for method, url, answer in (
            ("POST", INTROSPECT, ACTIVE),
            ("POST", TOKEN, [{**granted, "expires_in": 172_800}]),
            ("GET", GROUPS, [{"id": GROUP}]),
        ):
            mocked.add_callback(method, url, callback=partial(self.answer, url, answer))

    def answer(self, url, answer, _request):
        self.asked[url] += 1
        self.pause.wait(0.2)
        return 200, {"Content-Type": "application/json"}, json.dumps(answer)

    def counts(self):
        """The number of introspections, grants and group lists."""
        return tuple(self.asked[url] for url in (INTROSPECT, TOKEN, GROUPS))


@pytest.fixture
def slow():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        yield Slow(mocked)


@pytest.fixture
def at_once():
    """Call a function in 50 threads at once; what they give."""
    reached = threading.Barrier(THREADS)

    def started(function):
        reached.wait(30)
        return function()

    with ThreadPoolExecutor(THREADS) as pool:
        yield lambda function: [
            done.result(30) for done in [pool.submit(started, function) for _ in range(THREADS)]
        ]


def test_fifty_threads_ask_once(slow, at_once):
    """One introspection, one grant and one list of groups, however many requests come at once."""
    client = globus_sdk.ConfidentialAppAuthClient("id", "secret")
    assert all(at_once(lambda: state(client).check_authorization([GROUP_URN])))
    assert slow.counts() == (1, 1, 1)


def test_fifty_threads_without_groups_ask_for_none(slow, at_once):
    """A list of identities costs an introspection alone."""
    client = globus_sdk.ConfidentialAppAuthClient("id", "secret")
    assert all(at_once(lambda: state(client).check_authorization([globus_identity_principal(ME)])))
    assert slow.counts() == (1, 0, 0)


@pytest.mark.parametrize("bypass", [False, True])
def test_fifty_threads_refetch_once(slow, at_once, bypass):
    """A remembered grant that will not do is replaced by one new one for all of them."""
    found = state(globus_sdk.ConfidentialAppAuthClient("id", "secret"))
    AuthState.dependent_tokens_cache[found._cache_key] = granting("other")
    authorizers = at_once(
        lambda: found.get_authorizer_for_scope(GROUPS_SCOPE, bypass_dependent_token_cache=bypass)
    )
    assert {authorizer.access_token for authorizer in authorizers} == {"t"}
    assert slow.counts() == (1, 1, 0)


def test_an_outage_reaches_fifty_threads(at_once):
    """All of them get 503; none is taken for somebody without groups."""
    client = auth_client()
    client.oauth2_get_dependent_tokens.side_effect = UNREACHABLE

    def outage():
        with pytest.raises(AuthenticationUnavailable):
            state(client).check_authorization([GROUP_URN])

    at_once(outage)
    assert client.oauth2_token_introspect.call_count == 1


def test_a_factory_of_ones_own_makes_the_groups_client():
    """Time-outs and addresses can be changed by replacing the factory."""
    factory = Mock(spec=ClientFactory)
    factory.make_groups_client.return_value.get_my_groups.return_value = [{"id": GROUP}]
    builder = AuthStateBuilder(auth_client(), [SCOPE], client_factory=factory)
    assert builder.build("token").groups == {GROUP_URN}


def test_without_the_extra_the_remedy_is_told(monkeypatch):
    """A missing globus-sdk names the extra and the way around."""
    monkeypatch.setitem(sys.modules, "globus_sdk", None)
    with pytest.raises(ConfigurationError, match=r"licet\[globus\]"):
        TokenChecker("id", "secret", [SCOPE])


def test_a_builder_may_be_given_other_scopes():
    """The builder's own scopes count unless others are given."""
    builder = AuthStateBuilder(auth_client(), [SCOPE])
    assert builder.build("token").expected_scopes == {SCOPE}
    assert builder.build("token", ["openid"]).expected_scopes == {"openid"}
    with pytest.raises(InvalidTokenScopesError):
        builder.build("token", [])


def test_a_request_is_read_for_its_token():
    """The current request's header counts, or that of the request that is given."""
    builder, app = FlaskAuthStateBuilder(auth_client(), [SCOPE]), Flask("app")
    with app.test_request_context(headers={"Authorization": "Bearer one"}) as other:
        assert builder.build_from_request().bearer_token == "one"
    with app.test_request_context():
        assert builder.build_from_request(request=other.request).bearer_token == "one"
        with pytest.raises(MissingToken):
            builder.build_from_request()


def test_the_older_name_checks_tokens(monkeypatch):
    """`TokenChecker` is made from an id and a secret, and checks like a builder."""
    monkeypatch.setattr(
        ClientFactory, "make_confidential_app_auth_client", lambda *_: auth_client()
    )
    checker = TokenChecker("id", "secret", [SCOPE])
    assert checker.check_token("token").effective_identity == globus_identity_principal(ME)
    assert checker.expected_audience == "id"
    assert TokenChecker("id", "secret", [SCOPE], "other").expected_audience == "other"
