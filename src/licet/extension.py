"""`Licet(app)`: everything with its defaults, in one line."""

from __future__ import annotations

from flask import Flask

from licet._state import AppState, app_state
from licet.authn.flask import add_well_known_routes, embedded_issuer
from licet.db.flask import check_database_settings
from licet.rest.problems import install_problem_handler

__all__ = ["Licet"]

_ATTACHED = "extension"


class Licet:
    """Reads the ``LICET_*`` settings, publishes the app's keys, renders its errors.

    Providers work without it, each part being built when it is first needed; with it, settings are
    checked at start-up and other services can verify this one's tokens.

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
            if state.settings.accounts.enabled:
                from licet.authn.accounts.flask import attach_accounts  # noqa: PLC0415 - seldom needed

                attach_accounts(app)
            install_problem_handler(app)
        return state
