"""`Licet(app)`: everything with its defaults, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from licet.authn.callers import mapping_of
from licet.authn.issuers import embedded_issuer, provider_verifiers
from licet.authn.mapping import IdentityMapping
from licet.authn.web.well_known import (
    METADATA_ENDPOINT,
    WELL_KNOWN_ENDPOINTS,
    add_protected_resource_metadata,
    add_well_known_routes,
)
from licet.authz.declared.audit import protect, protect_before_first_request
from licet.authz.declared.declarations import PUBLIC, declare
from licet.authz.templates import install_allowed
from licet.db.apart import refuse_to_drop
from licet.db.flask import check_database_settings, database_place
from licet.db.flask_command import add_db_command
from licet.errors import ConfigurationError
from licet.rest.problems import install_message_handler, install_problem_handler
from licet.settings import Settings
from licet.settings.late import refuse_late_settings, refuse_late_settings_at_first_request
from licet.settings.started import log_at_start
from licet.settings.state import AppState, app_state, app_without_proxy, is_known_to_licet

__all__ = ["Licet", "check_attached", "require_licet"]

H = TypeVar("H", bound=Callable[[Any], Any])
_ATTACHED: Final = "extension"


class Licet:
    """Reads the ``LICET_*`` settings and publishes the app's keys.

    The app's errors stay its own: licet's are responses, for which the app may have handlers of its
    own, and all others go Flask's way. ``LICET_PROBLEM_ERRORS`` makes problem documents of those
    that the app does not handle.

    `roles_of`, `account_of` and `standing_of` take the app's functions that say who its callers are
    in the app's own words; they count for every app that this is attached to, before or after.

    Providers work without it, each part being built when it is first needed; with it, settings are
    checked at start-up, other services can verify this one's tokens, and no request is answered
    while some endpoint does not say who may call it (unless ``LICET_PROTECT`` is off).

    Raises:
        ConfigurationError: a setting is malformed, or the signing keys cannot be made or read.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._mapping = IdentityMapping()
        self._mappings_of_apps: list[IdentityMapping] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> AppState:
        """Attach to an app made elsewhere; its state, with the settings in it.

        Raises:
            ConfigurationError: another `Licet` is attached to the app already, or as for the class.
        """
        app = app_without_proxy(app)
        state = app_state(app)
        if not state.has(_ATTACHED):
            refuse_late_settings(app)
            _serve(app, state)
            state.put(_ATTACHED, self)
        elif state.get_or_build(_ATTACHED, lambda _settings: self) is not self:
            raise ConfigurationError(
                f"The app {app.name!r} has a Licet already: call Licet(app) once for each app, and "
                "use that object wherever the app's functions are given (roles_of, account_of)."
            )
        self._map_identities_of(app)
        return state

    def protect(self, app: Flask) -> None:
        """Let `app` start only when every endpoint says who may call it: `licet.protect`."""
        protect(app)

    def roles_of(self, hook: H) -> H:
        """Have ``hook(identity)`` give the app's own roles, a set of str.

        They become `current_identity.roles`. Called at most once in a request, and only for who is
        registered and active when the app has an `account_of`.
        """
        return self._give("roles_of", hook)

    def account_of(self, hook: H) -> H:
        """Have ``hook(identity)`` give the app's account, or None for who is not registered.

        It becomes `licet.authn.current_account`. Called at most once in a request.
        """
        return self._give("account_of", hook)

    def standing_of(self, hook: H) -> H:
        """Have ``hook(account)`` give the account's `licet.authn.Standing`; needs `account_of`.

        Called at most once in a request.
        """
        return self._give("standing_of", hook)

    def _give(self, name: str, hook: H) -> H:
        for mapping in (self._mapping, *self._mappings_of_apps):
            mapping.give(name, hook)
        return hook

    def _map_identities_of(self, app: Flask) -> None:
        mapping = mapping_of(app)
        mapping.take(self._mapping)
        if mapping not in self._mappings_of_apps:
            self._mappings_of_apps.append(mapping)


def _serve(app: Flask, state: AppState) -> None:
    """Check the settings, and add what they say that the app serves."""
    settings = state.settings
    check_database_settings(app)
    refuse_to_drop()
    add_db_command(app)
    install_allowed(app)
    provider_verifiers(app)  # for what they find wrong with the settings
    if settings.embedded_issuer:
        embedded_issuer(app)  # makes its keys now, where a failure is seen
        add_well_known_routes(app)
        declare(app, *WELL_KNOWN_ENDPOINTS, access=PUBLIC)
    add_protected_resource_metadata(app)
    declare(app, METADATA_ENDPOINT, access=PUBLIC)
    if settings.accounts.enabled:
        _serve_accounts(app)
    if any(provider.client_id for provider in settings.providers):
        _serve_sign_in(app)
    if settings.trusted_proxies:
        _believe_proxies(app, settings.trusted_proxies)
    if settings.problem_errors:
        install_problem_handler(app)
    elif settings.rest.error_shape == "message":
        install_message_handler(app)
    if settings.rest.touches_requests:
        from licet.rest.endpoints.apps import serve_requests  # noqa: PLC0415 - seldom needed

        serve_requests(app)
    _say_where(app, settings)
    refuse_late_settings_at_first_request(app)
    if settings.protect:
        protect_before_first_request(app)


def _believe_proxies(app: Flask, count: int) -> None:
    fixed = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0, x_port=0, x_prefix=0)
    app.wsgi_app = fixed  # type: ignore[method-assign]  # Flask's own way to wrap an app


def _say_where(app: Flask, settings: Settings) -> None:
    """One line, since other keys or another database than expected look like a wrong token."""
    log_at_start(
        app,
        "licet: instance folder %s, database %s, issuer %s",
        settings.instance_path.absolute(),
        database_place(settings),
        settings.issuer if settings.embedded_issuer else "switched off",
    )


def _serve_accounts(app: Flask) -> None:
    from licet.authn.web.attach import attach_accounts  # noqa: PLC0415 - seldom needed

    before = set(app.view_functions)
    attach_accounts(app)
    # who calls them is what they find out themselves
    declare(app, *(set(app.view_functions) - before), access=PUBLIC)


def _serve_sign_in(app: Flask) -> None:
    from licet.authn.web.attach import attach_sign_in  # noqa: PLC0415 - seldom needed

    before = set(app.view_functions)
    attach_sign_in(app)
    # whoever wants to sign in is nobody yet
    declare(app, *(set(app.view_functions) - before), access=PUBLIC)


def require_licet(app: Flask) -> None:
    """Refuse an app that was never given to licet: what is tried on it would prove nothing.

    An action provider or a policy is enough, since these take tokens without ``Licet(app)``.

    Raises:
        ConfigurationError: licet was never given the app, or a setting was changed afterwards.
    """
    if not is_known_to_licet(app):
        raise ConfigurationError(
            f"The app {app.name!r} has no Licet, so it takes no token and serves no account: call "
            "Licet(app) where the app is made."
        )
    refuse_late_settings(app)


def check_attached(app: Flask) -> None:
    """Check an app as its first request would, if licet is attached: late settings, endpoints.

    Raises:
        ConfigurationError: a setting was changed after licet had read it.
        UndeclaredEndpoints: some endpoint does not say who may call it, and LICET_PROTECT is on.
    """
    state = app_state(app)
    if state.has(_ATTACHED):
        refuse_late_settings(app)
        if state.settings.protect:
            protect(app)
