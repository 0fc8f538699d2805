"""Local accounts and sign-in at foreign providers, made from the settings, under ``/auth``."""

from __future__ import annotations

from flask import Flask

from licet.authn.accounts.flask import accounts_of, token_guard
from licet.authn.accounts.sessions import sign_out_cookie
from licet.authn.issuers import accepted_scopes, keys_of_provider
from licet.authn.secret import digest_of
from licet.authn.shared_counts import make_throttle
from licet.authn.sign_in import sessions
from licet.authn.sign_in.code_flow import CodeFlow
from licet.authn.sign_in.sessions import COOKIE_KIND, SignInParts
from licet.authn.sign_in.store import SignInStore
from licet.authn.verifiers import guard_tokens
from licet.authn.web import accounts_api, accounts_pages, sign_in_pages
from licet.authn.web.cookies import SignedIn, find_sessions_with
from licet.authn.web.foreign_sessions import PARTS, serve_foreign_sessions
from licet.db.flask import database_of
from licet.settings.state import AppState, app_state

__all__ = [
    "attach_accounts",
    "attach_sign_in",
]


def _make_parts(app: Flask) -> SignInParts:
    settings = app_state(app).settings
    flows = {
        provider.name: CodeFlow(
            provider,
            redirect_uri=f"{settings.public_url}/auth/with/{provider.name}/callback",
            keys=keys_of_provider(app, provider.issuer),
        )
        for provider in settings.providers
        if provider.client_id
    }
    return SignInParts(
        flows=flows,
        store=SignInStore(lambda: database_of(app)),
        addresses=make_throttle(settings),
        session_seconds=settings.accounts.session_seconds,
        grantable=lambda: [*accepted_scopes(app), *settings.accounts.scopes],
    )


def attach_sign_in(app: Flask) -> None:
    """Serve the way to each provider and back, and take the cookies that come of it.

    Raises:
        ConfigurationError: a provider's settings cannot be, or Authlib is not installed.
    """
    parts: SignInParts = app_state(app).get_or_build(PARTS, lambda _settings: _make_parts(app))

    def find(cookie: str) -> SignedIn | None:
        found = sessions.find_session(parts, cookie)
        return None if found is None else SignedIn(*found)

    def end(cookie: str) -> None:
        parts.store.end(digest_of(cookie))

    find_sessions_with(app, find, end, kind=COOKIE_KIND)
    has_accounts = app_state(app).settings.accounts.enabled
    app.register_blueprint(sign_in_pages.make_sign_in_pages(parts, beside_accounts=has_accounts))
    if not has_accounts:
        app.register_blueprint(sign_in_pages.make_api(parts))


def attach_accounts(app: Flask) -> AppState:
    """Serve accounts under ``/auth``, take their cookies, and refuse their withdrawn tokens.

    Raises:
        ConfigurationError: as `accounts_of`.
    """
    parts = accounts_of(app)
    guard_tokens(app, token_guard(app))
    find_sessions_with(
        app,
        lambda cookie: accounts_pages.find_session(parts, cookie),
        lambda cookie: sign_out_cookie(parts, cookie),
    )
    for blueprint in (accounts_api.make_api(parts), accounts_pages.make_pages(parts)):
        serve_foreign_sessions(app, blueprint)
        app.register_blueprint(blueprint)
    return app_state(app)
