"""`Licet(app)`: everything with its defaults, in one line."""

from __future__ import annotations

from flask import Flask

from licet._state import AppState, app_state
from licet.authn.flask import WELL_KNOWN_ENDPOINTS, add_well_known_routes, embedded_issuer
from licet.authz.audit import protect, protect_before_first_request
from licet.authz.declarations import PUBLIC, declare
from licet.db.flask import check_database_settings
from licet.rest.problems import install_problem_handler

__all__ = ["Licet", "protect_attached"]

_ATTACHED = "extension"


class Licet:
    """Reads the ``LICET_*`` settings, publishes the app's keys, renders its errors.

    Providers work without it, each part being built when it is first needed; with it, settings are
    checked at start-up, other services can verify this one's tokens, and no request is answered
    while some endpoint does not say who may call it (unless ``LICET_PROTECT`` is off).

    Raises:
        ConfigurationError: a setting is malformed, or the signing keys cannot be made or read.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> AppState:
        """Attach to an app made elsewhere, once; its state, with the settings in it."""
        state = app_state(app)
        if not state.has(_ATTACHED):
            state.put(_ATTACHED, self)
            check_database_settings(app)
            if state.settings.embedded_issuer:
                embedded_issuer(app)  # makes its keys now, where a failure is seen
                add_well_known_routes(app)
                declare(app, *WELL_KNOWN_ENDPOINTS, access=PUBLIC)
            install_problem_handler(app)
            if state.settings.protect:
                protect_before_first_request(app)
        return state

    def protect(self, app: Flask) -> None:
        """Let `app` start only when every endpoint says who may call it: `licet.protect`."""
        protect(app)


def protect_attached(app: Flask) -> None:
    """Protect an app as its first request would: if licet is attached, and LICET_PROTECT is on.

    Raises:
        UndeclaredEndpoints: some endpoint does not say who may call it.
    """
    state = app_state(app)
    if state.has(_ATTACHED) and state.settings.protect:
        protect(app)
