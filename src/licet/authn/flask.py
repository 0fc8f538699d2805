"""Authentication in a Flask request: header in, `Identity` out, once per request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, current_app, request
from werkzeug.local import LocalProxy

from licet.authn.auth_state import AuthState, require_scope
from licet.authn.callers import account_of, with_roles
from licet.authn.identity import ANONYMOUS, Identity
from licet.authn.issuers import (
    accept_scopes,
)
from licet.authn.tokens.bearer import is_of_another_scheme, parse_bearer
from licet.authn.tokens.chain import TokenVerifier
from licet.authn.verifiers import verify_of
from licet.settings.state import app_state, request_state

__all__ = [
    "IdentityStateBuilder",
    "TokenVerifier",
    "authenticate",
    "current_account",
    "current_identity",
    "current_principal",
    "find_account",
    "read_cookies_with",
]
_COOKIES = "authn.cookies"


def read_cookies_with(app: Flask, read: Callable[[], Identity | None]) -> None:
    """Have `read` tell who calls in a request without a bearer token.

    A header of another scheme does not count: browsers send that of a proxy in front of the app
    with each request.
    """
    app_state(app).put(_COOKIES, read)


def authenticate() -> Identity:
    """The identity that the current request's bearer token, or else its cookie, vouches for.

    Raises:
        MissingToken: there is none.
        AuthenticationError: there is one, and it is not acceptable.
        AccessDenied: a function of the app's that maps identities fails.
        ForgeryRefused: there is a cookie, and the request may be another site's.
    """
    return _identity_once(current_app)


def _identity_once(app: Flask) -> Identity:
    return with_roles(_verified_once(app), app)


def _verified_once(app: Flask) -> Identity:
    state = request_state()
    identity: Identity | None = state.get("identity")
    if identity is None:
        header = request.environ.get("HTTP_AUTHORIZATION")
        if not header or is_of_another_scheme(header):
            identity = _identity_of_cookie(app)
        if identity is None:
            identity = verify_of(app)(parse_bearer(header))
        state["identity"] = identity
    return identity


def _identity_of_cookie(app: Flask) -> Identity | None:
    read: Callable[[], Identity | None] | None
    read = app_state(app).get_or_build(_COOKIES, lambda _settings: None)
    return None if read is None else read()


def _verified_or_anonymous() -> Identity:
    if request.environ.get("HTTP_AUTHORIZATION"):
        return _verified_once(current_app)
    return _identity_of_cookie(current_app) or ANONYMOUS


def _identity_or_anonymous() -> Identity:
    return with_roles(_verified_or_anonymous(), current_app)


current_identity: Identity = LocalProxy(_identity_or_anonymous)  # type: ignore[assignment]  # a proxy of one
"""Who calls: the bearer token's identity, or `ANONYMOUS` when the request carries no token."""


def current_principal() -> str | None:
    """Who sends the request, by principal; None without a token. The app's roles are not asked.

    Raises:
        AuthenticationError: there is a token, and it is not acceptable.
    """
    return _verified_or_anonymous().principal or None


def find_account() -> Any:
    """The caller's account as the app's ``account_of`` gave it.

    None when they are not registered, or send no token.

    Raises:
        AuthenticationError: the token is not acceptable.
        AccessDenied: ``account_of`` fails.
        ConfigurationError: the app gave none.
    """
    return account_of(_verified_or_anonymous())


current_account: Any = LocalProxy(find_account)
"""The account that `find_account` gives, as a proxy: ask ``if current_account``, never ``is None``.

``== None`` is no way to ask either: Python takes an error in a proxy's comparison for False.
"""


class IdentityStateBuilder:
    """Makes `AuthState` from the app's own authentication.

    Args:
        app: whose verifier counts.
        accepted_scopes: a token needs one of these.
    """

    def __init__(self, app: Flask, accepted_scopes: Sequence[str]) -> None:
        self.accepted_scopes = tuple(accepted_scopes)
        self._app = app
        accept_scopes(app, accepted_scopes)

    def build_from_request(self) -> AuthState:
        """The caller of the current request.

        Raises:
            AuthenticationError: no, or no acceptable, token; or one without the scope.
        """
        identity = _identity_once(self._app)
        require_scope(identity, self.accepted_scopes)
        return AuthState(identity)
