"""Globus Auth: the `AuthState` of a token that Globus vouches for. Extra: ``licet[globus]``.

Introspection, dependent tokens and groups are each asked for at most once per token and lifetime
(30 s, 47 h, 300 s); the caches are bounded and keyed by a hash of token and client id, so that no
token stays in memory as a key and two clients never share an answer. Everything fails closed: when
Globus does not answer, the request ends in 503, neither accepted nor refused.

Source: seed documents 000 and 001; RFC 7662 for the introspection answer.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from flask import Request, request

from licet.authn.auth_state import AuthState as BaseAuthState
from licet.authn.bearer import parse_bearer
from licet.authn.globus_clients import ClientFactory, globus_sdk_or_error
from licet.authn.identity import Identity
from licet.authn.ttl_cache import TypedTTLCache
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
        self._token_data = self.introspect_token()
        super().__init__(self._identity_of(self._token_data))

    def introspect_token(self) -> Any:
        """Globus Auth's answer about the token, checked anew at each call.

        Raises:
            InactiveTokenError, InvalidTokenScopesError, AuthenticationUnavailable: see the class.
        """
        answer = self.introspect_cache.get(self._cache_key)
        if answer is None:
            answer = self._ask(
                lambda: self.auth_client.oauth2_token_introspect(
                    self.bearer_token, include="identity_set"
                )
            )
            _check_readable(answer)
            self.introspect_cache[self._cache_key] = answer
        if answer.get("active") is not True or not isinstance(answer.get("sub"), str):
            raise InactiveTokenError
        if _is_past(answer.get("exp")):
            raise InactiveTokenError
        scopes = frozenset(str(answer.get("scope") or "").split())
        if scopes.isdisjoint(self.expected_scopes):
            raise InvalidTokenScopesError(self.expected_scopes, scopes)
        return answer

    @staticmethod
    def _identity_of(answer: Any) -> Identity:
        subjects = {answer["sub"], *(answer.get("identity_set") or ())}
        return Identity(
            issuer=ISSUER,
            subject=answer["sub"],
            principal=globus_identity_principal(answer["sub"]),
            principals=frozenset(map(globus_identity_principal, subjects)),
            scopes=frozenset(str(answer.get("scope") or "").split()),
        )

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
        known = self.group_membership_cache.get(self._cache_key)
        if known is None:
            try:
                client = self._client_factory.make_groups_client(
                    authorizer=self.get_authorizer_for_scope(GROUPS_SCOPE)
                )
            except ValueError as error:
                raise AuthenticationUnavailable(
                    "The caller's groups cannot be looked up at the moment. Try again later."
                ) from error
            known = _group_principals(self._ask(client.get_my_groups))
            self.group_membership_cache[self._cache_key] = known
        return known

    def get_dependent_tokens(self, *, bypass_cache_lookup: bool = False) -> Any:
        """The dependent tokens that Globus Auth grants for this token."""
        if not bypass_cache_lookup:
            known = self.dependent_tokens_cache.get(self._cache_key)
            if known is not None:
                return known
        granted = self._ask(lambda: self.auth_client.oauth2_get_dependent_tokens(self.bearer_token))
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
        was_cached = (
            not bypass_dependent_token_cache and self._cache_key in self.dependent_tokens_cache
        )
        token = self._dependent_token(scope, fresh=bypass_dependent_token_cache)
        if was_cached and not _lasts(token, required_authorizer_expiration_time):
            token = self._dependent_token(scope, fresh=True)
        if token is None:
            raise ValueError(f"Globus Auth grants no dependent token with the scope {scope!r}.")
        return globus_sdk_or_error().AccessTokenAuthorizer(token["access_token"])

    def _dependent_token(self, scope: str, *, fresh: bool) -> dict[str, Any] | None:
        granted = self.get_dependent_tokens(bypass_cache_lookup=fresh).by_scopes
        return granted[scope] if scope in granted else None  # noqa: SIM401 - it has no get

    def _ask(self, call: Any) -> Any:
        try:
            return call()
        except globus_sdk_or_error().GlobusError as error:
            log.warning("Globus does not answer as expected: %s", type(error).__name__)
            raise AuthenticationUnavailable from error


def _lasts(token: dict[str, Any] | None, seconds: int) -> bool:
    expiry = None if token is None else token.get("expires_at_seconds")
    return token is not None and not (
        isinstance(expiry, int | float) and expiry <= time.time() + seconds
    )


def _check_readable(answer: Any) -> None:
    """Take an answer that does not say whether the token is active for no answer at all."""
    try:
        is_readable = isinstance(answer["active"], bool)
    except (LookupError, TypeError, ValueError):
        is_readable = False
    if not is_readable:
        log.warning("Globus Auth's introspection cannot be read")
        raise AuthenticationUnavailable


def _group_principals(listed: Any) -> frozenset[str]:
    try:
        return frozenset(globus_group_principal(group["id"]) for group in listed)
    except (LookupError, TypeError, ValueError) as error:
        log.warning("The Groups API's answer cannot be read")
        raise AuthenticationUnavailable from error


def _is_past(expiry: object) -> bool:
    return isinstance(expiry, int | float) and expiry <= time.time()


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
