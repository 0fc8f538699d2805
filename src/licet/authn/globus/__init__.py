"""Globus Auth: the `AuthState` of a token that Globus vouches for. Extra: ``licet[globus]``.

Introspection, dependent tokens and groups are each asked for at most once per token and lifetime
(30 s, 47 h, 300 s), however many threads ask at once; the caches are bounded and keyed by a hash of
token and client id, so that no token stays in memory as a key and two clients never share an
answer. Everything fails closed: when Globus does not answer, or not as documented, the request ends
in 503, neither accepted nor refused.

Source: seed documents 000 and 001; RFC 7662 for the introspection answer.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flask import Request, request

from licet.authn.auth_state import AuthState as BaseAuthState
from licet.authn.globus._answers import (
    ClientFactory,
    Introspected,
    globus_sdk_or_error,
    group_ids,
    lasts,
    read_introspection,
)
from licet.authn.identity import Identity, is_principal
from licet.authn.tokens._asked_once import SingleFlight, TypedTTLCache
from licet.authn.tokens.bearer import parse_bearer
from licet.errors import (
    AuthenticationUnavailable,
    InsufficientScope,
    InvalidToken,
)

if TYPE_CHECKING:
    import globus_sdk

__all__ = [
    "GROUPS_SCOPE",
    "AuthState",
    "AuthStateBuilder",
    "ClientFactory",
    "FlaskAuthStateBuilder",
    "InactiveTokenError",
    "InvalidTokenScopesError",
    "TokenChecker",
    "TypedTTLCache",
    "globus_group_principal",
    "globus_identity_principal",
]

log = logging.getLogger(__name__)
_WAIT_SECONDS: Final = 70.0  # two attempts of 30 s with a pause, as ClientFactory has them
ISSUER = "https://auth.globus.org"
GROUPS_SCOPE = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"


def globus_identity_principal(id_: str) -> str:
    """The URN of a Globus Auth identity."""
    return f"urn:globus:auth:identity:{id_}"


def globus_group_principal(id_: str) -> str:
    """The URN of a Globus group."""
    return f"urn:globus:groups:id:{id_}"


class InactiveTokenError(InvalidToken, ValueError):
    """Globus Auth says that the token is not active."""

    code_name = "inactive_token"
    description = "The bearer token is expired, revoked or unknown to Globus Auth."


class InvalidTokenScopesError(InsufficientScope, ValueError):
    """The token is active but has none of the expected scopes."""

    code_name = "invalid_token_scopes"

    def __init__(self, expected_scopes: frozenset[str], actual_scopes: frozenset[str]) -> None:
        super().__init__(accepted_scopes=tuple(sorted(expected_scopes)))
        self.expected_scopes = expected_scopes
        self.actual_scopes = actual_scopes


class AuthState(BaseAuthState):
    """A caller whom Globus Auth vouches for; the token is introspected when this is made.

    Raises:
        InactiveTokenError: the token is not active.
        InvalidTokenScopesError: it has none of `expected_scopes`. Later versions of the original
            demand all of them; seed document 001 accepts any, and so does this.
        AuthenticationUnavailable: Globus Auth does not answer.

    `expected_audience` is kept for programs that read it, and as from 0.19 on not compared with the
    token's audience: the scopes decide.
    """

    introspect_cache: ClassVar[TypedTTLCache[Any]] = TypedTTLCache(maxsize=4096, ttl=30)
    dependent_tokens_cache: ClassVar[TypedTTLCache[Any]] = TypedTTLCache(
        maxsize=1024, ttl=47 * 3600
    )
    group_membership_cache: ClassVar[TypedTTLCache[frozenset[str]]] = TypedTTLCache(
        maxsize=4096, ttl=300
    )
    _flights: ClassVar[SingleFlight[Any]] = SingleFlight(wait_seconds=_WAIT_SECONDS)

    def __init__(
        self,
        auth_client: globus_sdk.ConfidentialAppAuthClient,
        bearer_token: str,
        expected_scopes: Iterable[str],
        client_factory: ClientFactory | None = None,
        *,
        expected_audience: str | None = None,
    ) -> None:
        self.auth_client = auth_client
        self.bearer_token = bearer_token
        self.expected_scopes = frozenset(expected_scopes)
        self.expected_audience = expected_audience
        self._client_factory = client_factory or ClientFactory()
        self._cache_key = (
            str(getattr(auth_client, "client_id", "")),
            hashlib.sha256(bearer_token.encode()).hexdigest(),
        )
        self._token_data, token = self._checked()
        super().__init__(_identity_of(token))

    def introspect_token(self) -> Any:
        """Globus Auth's answer about the token, checked anew at each call.

        Raises:
            InactiveTokenError, InvalidTokenScopesError, AuthenticationUnavailable: see the class.
        """
        return self._checked()[0]

    def _checked(self) -> tuple[Any, Introspected]:
        answer = self._flights.run(
            ("introspection", *self._cache_key),
            lambda: self.introspect_cache.get(self._cache_key),
            self._introspect,
        )
        token = read_introspection(answer)
        if not is_principal(globus_identity_principal(token.subject)):
            raise InactiveTokenError
        if token.scopes.isdisjoint(self.expected_scopes):
            raise InvalidTokenScopesError(self.expected_scopes, token.scopes)
        return answer, token

    def _introspect(self) -> Any:
        answer = _ask(
            lambda: self.auth_client.oauth2_token_introspect(
                self.bearer_token, include="identity_set"
            )
        )
        read_introspection(answer)  # one that cannot be read is not remembered
        self.introspect_cache[self._cache_key] = answer
        return answer

    @property
    def identities(self) -> frozenset[str]:
        """The identity URNs of the token's identity set."""
        return self.identity.principals

    @property
    def groups(self) -> frozenset[str]:
        """The caller's groups, from the Groups API.

        Raises:
            AuthenticationUnavailable: they cannot be had; never an empty set instead.
        """
        known: frozenset[str] = self._flights.run(
            ("groups", *self._cache_key),
            lambda: self.group_membership_cache.get(self._cache_key),
            self._list_groups,
        )
        return known

    def _list_groups(self) -> frozenset[str]:
        try:
            authorizer = self.get_authorizer_for_scope(GROUPS_SCOPE)
        except ValueError as error:
            raise AuthenticationUnavailable(
                "The caller's groups cannot be looked up at the moment. Try again later."
            ) from error
        client = self._client_factory.make_groups_client(authorizer=authorizer)
        found = frozenset(map(globus_group_principal, group_ids(_ask(client.get_my_groups))))
        self.group_membership_cache[self._cache_key] = found
        return found

    def get_dependent_tokens(self, *, bypass_cache_lookup: bool = False) -> Any:
        """The dependent tokens that Globus Auth grants for this token."""
        cached = self.dependent_tokens_cache.get(self._cache_key)
        if cached is None or bypass_cache_lookup:
            return self._granted(other_than=cached)
        return cached

    def _granted(self, *, other_than: Any) -> Any:
        """A grant that is not `other_than`: one that somebody else has had meanwhile, or a new one.

        Concurrency: of many who want another than the same one, one asks.
        """

        def look() -> Any:
            found = self.dependent_tokens_cache.get(self._cache_key)
            return None if found is other_than else found

        return self._flights.run(("grant", *self._cache_key), look, self._grant)

    def _grant(self) -> Any:
        granted = _ask(lambda: self.auth_client.oauth2_get_dependent_tokens(self.bearer_token))
        self.dependent_tokens_cache[self._cache_key] = granted
        return granted

    def get_authorizer_for_scope(
        self,
        scope: str,
        *,
        bypass_dependent_token_cache: bool = False,
        required_authorizer_expiration_time: int = 60,
    ) -> Any:
        """An authorizer for another service, made from a dependent token.

        A cached grant is asked for once more when it lacks the scope, or when its token has fewer
        seconds left than `required_authorizer_expiration_time`.

        Raises:
            ValueError: Globus Auth grants no token with this scope.
        """
        cached = self.dependent_tokens_cache.get(self._cache_key)
        granted = cached
        if cached is None or bypass_dependent_token_cache:
            granted = self._granted(other_than=cached)
        token = _token_of(granted, scope)
        if granted is cached and not lasts(token, required_authorizer_expiration_time):
            token = _token_of(self._granted(other_than=cached), scope)
        if token is None:
            raise ValueError(f"Globus Auth grants no dependent token with the scope {scope!r}.")
        return globus_sdk_or_error().AccessTokenAuthorizer(token["access_token"])


def _identity_of(token: Introspected) -> Identity:
    return Identity(
        issuer=ISSUER,
        subject=token.subject,
        principal=globus_identity_principal(token.subject),
        principals=frozenset(map(globus_identity_principal, token.identities)),
        scopes=token.scopes,
    )


def _token_of(granted: Any, scope: str) -> dict[str, Any] | None:
    by_scopes = granted.by_scopes
    return by_scopes[scope] if scope in by_scopes else None  # noqa: SIM401 - it has no get


def _ask(call: Callable[[], Any]) -> Any:
    """The answer of the SDK's call.

    Raises:
        AuthenticationUnavailable: there is none, or none that the SDK can read.
    """
    unreadable = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
    try:
        return call()
    except (globus_sdk_or_error().GlobusError, *unreadable) as error:
        log.warning("Globus does not answer as expected: %s", type(error).__name__)
        raise AuthenticationUnavailable from error


class AuthStateBuilder:
    """Makes `AuthState` for one client and its scopes."""

    def __init__(
        self,
        auth_client: globus_sdk.ConfidentialAppAuthClient,
        expected_scopes: Iterable[str],
        *,
        client_factory: ClientFactory | None = None,
    ) -> None:
        self.auth_client = auth_client
        self.default_expected_scopes = frozenset(expected_scopes)
        self.client_factory = client_factory or ClientFactory()

    def build(self, access_token: str, expected_scopes: Iterable[str] | None = None) -> AuthState:
        """The state of a token.

        Raises:
            AuthenticationError: see `AuthState`.
        """
        return AuthState(
            self.auth_client,
            access_token,
            self.default_expected_scopes if expected_scopes is None else expected_scopes,
            client_factory=self.client_factory,
        )


class FlaskAuthStateBuilder(AuthStateBuilder):
    """The same for a Flask request."""

    def build_from_request(self, *, request: Request | None = None) -> AuthState:
        """The state of a request's bearer token, the current request's by default.

        Raises:
            AuthenticationError: no, or no acceptable, token.
        """
        source = _current_request() if request is None else request
        return self.build(parse_bearer(source.headers.get("Authorization")))


def _current_request() -> Request:
    return request


class TokenChecker(FlaskAuthStateBuilder):
    """The original's older name for the builder, made from an id and a secret.

    `expected_audience` and `cache_config` are accepted and have no effect: from 0.19 on no audience
    is compared, and the caches' lifetimes are fixed.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        expected_scopes: Iterable[str],
        expected_audience: str | None = None,
        cache_config: dict[str, Any] | None = None,
    ) -> None:
        factory = ClientFactory()
        super().__init__(
            factory.make_confidential_app_auth_client(client_id, client_secret),
            expected_scopes,
            client_factory=factory,
        )
        self.expected_audience = expected_audience or client_id

    def check_token(
        self, access_token: str, expected_scopes: Iterable[str] | None = None
    ) -> AuthState:
        """The state of a token; `build` under its older name."""
        return self.build(access_token, expected_scopes)
