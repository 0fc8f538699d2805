"""`Licet(app)`: everything with its defaults, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask

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
from licet.rest.problems import install_problem_handler
from licet.settings import Settings
from licet.settings.state import AppState, app_state

__all__ = ["Licet", "protect_attached"]

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
        """Attach to an app made elsewhere, once; its state, with the settings in it."""
        state = app_state(app)
        if not state.has(_ATTACHED):
            state.put(_ATTACHED, self)
            check_database_settings(app)
            refuse_to_drop()
            install_allowed(app)
            provider_verifiers(app)  # for what they find wrong with the settings
            if state.settings.embedded_issuer:
                embedded_issuer(app)  # makes its keys now, where a failure is seen
                add_well_known_routes(app)
                declare(app, *WELL_KNOWN_ENDPOINTS, access=PUBLIC)
            add_protected_resource_metadata(app)
            declare(app, METADATA_ENDPOINT, access=PUBLIC)
            if state.settings.accounts.enabled:
                _serve_accounts(app)
            if any(provider.client_id for provider in state.settings.providers):
                _serve_sign_in(app)
            if state.settings.problem_errors:
                install_problem_handler(app)
            _say_where(app, state.settings)
            if state.settings.protect:
                protect_before_first_request(app)
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


def _say_where(app: Flask, settings: Settings) -> None:
    """One line, since other keys or another database than expected look like a wrong token."""
    app.logger.info(
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


def protect_attached(app: Flask) -> None:
    """Protect an app as its first request would: if licet is attached, and LICET_PROTECT is on.

    Raises:
        UndeclaredEndpoints: some endpoint does not say who may call it.
    """
    state = app_state(app)
    if state.has(_ATTACHED) and state.settings.protect:
        protect(app)
