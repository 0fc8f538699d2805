"""Sign-in at foreign providers in an app: made from the settings, attached under ``/auth``."""

from __future__ import annotations

from flask import Flask

from licet._state import app_state
from licet.authn.accounts.flask import make_throttle
from licet.authn.browser import SignedIn, find_sessions_with
from licet.authn.flask import accepted_scopes, keys_of_provider
from licet.authn.sign_in.code_flow import CodeFlow
from licet.authn.sign_in.pages import make_api, make_sign_in_pages
from licet.authn.sign_in.sessions import COOKIE_KIND, SignInParts, find_session
from licet.authn.sign_in.store import SignInStore
from licet.authn.sign_in.views import PARTS
from licet.db.flask import database_of

__all__ = ["attach_sign_in"]


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
        found = find_session(parts, cookie)
        return None if found is None else SignedIn(*found)

    find_sessions_with(app, find, kind=COOKIE_KIND)
    has_accounts = app_state(app).settings.accounts.enabled
    app.register_blueprint(make_sign_in_pages(parts, beside_accounts=has_accounts))
    if not has_accounts:
        app.register_blueprint(make_api(parts))
