"""`add_action_routes_to_blueprint`: the interface on a plain Flask blueprint, from functions.

Source: seed document 001; spec, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from flask import Blueprint, Flask, current_app
from flask.blueprints import BlueprintSetupState

from licet.actions.documents import ActionProviderDescription
from licet.actions.interface.callbacks import Operation
from licet.actions.interface.config import DEFAULT_CONFIG
from licet.actions.interface.flask import make_state_builder
from licet.actions.interface.provider import ActionProvider
from licet.actions.types import (
    ActionCancelCallback,
    ActionEnumerationCallback,
    ActionLogCallback,
    ActionReleaseCallback,
    ActionRunCallback,
    ActionStatusCallback,
)
from licet.authn.auth_state import AuthState, StateBuilder
from licet.errors import ConfigurationError
from licet.settings.state import app_state

__all__ = ["HelperStateBuilder", "add_action_routes_to_blueprint"]


def add_action_routes_to_blueprint(
    blueprint: Blueprint,
    client_id: str | None,
    client_secret: str | None,
    client_name: str | None,  # noqa: ARG001 - the seed's signature
    provider_description: ActionProviderDescription,
    action_run_callback: ActionRunCallback,
    action_status_callback: ActionStatusCallback,
    action_cancel_callback: ActionCancelCallback,
    action_release_callback: ActionReleaseCallback,
    action_log_callback: ActionLogCallback | None = None,
    additional_scopes: Iterable[str] | None = None,
    action_enumeration_callback: ActionEnumerationCallback | None = None,
) -> None:
    """Serve the Action Provider Interface on `blueprint`, each operation by its callback.

    Blank credentials leave it to the app's own authentication to check tokens. `client_name` was
    the audience of tokens in old Globus Auth clients; it is accepted and not needed any more.

    Raises:
        ConfigurationError: the input schema is not usable; and, when the blueprint is registered,
            there is no way to check tokens.
    """
    builder = HelperStateBuilder(
        blueprint.name,
        (client_id or "").strip(),
        (client_secret or "").strip(),
        (provider_description.globus_auth_scope, *(additional_scopes or ())),
    )
    provider = ActionProvider(
        description=provider_description,
        repository=None,
        config=DEFAULT_CONFIG,
        state_builder=lambda: builder,
    )
    for operation, callback in (
        (Operation.RUN, action_run_callback),
        (Operation.STATUS, action_status_callback),
        (Operation.CANCEL, action_cancel_callback),
        (Operation.RELEASE, action_release_callback),
        (Operation.LOG, action_log_callback),
        (Operation.ENUMERATE, action_enumeration_callback),
    ):
        if callback is not None:
            provider.callbacks.register(operation, callback)
    blueprint.record_once(builder.prepare)
    provider.add_routes(blueprint)


class HelperStateBuilder:
    """Who calls a provider made by the helper; for each app its own, made at registration."""

    def __init__(
        self, provider: str, client_id: str, client_secret: str, accepted_scopes: tuple[str, ...]
    ) -> None:
        self._provider = provider
        self._credentials = (client_id, client_secret)
        self._accepted_scopes = accepted_scopes
        self._key = f"actions.state_builder.{id(self)}"

    def prepare(self, setup_state: BlueprintSetupState) -> None:
        """Make the builder of the app that the blueprint is registered with."""
        app = cast("Flask", setup_state.app)
        client_id, client_secret = self._credentials
        builder = make_state_builder(
            app,
            provider=self._provider,
            client_id=client_id if client_secret else "",
            client_secret=client_secret if client_id else "",
            accepted_scopes=self._accepted_scopes,
            client_factory=DEFAULT_CONFIG.client_factory,
        )
        app_state(app).put(self._key, builder)

    def build_from_request(self) -> AuthState:
        """The caller of the current request.

        Raises:
            AuthenticationError: there is no acceptable token.
        """
        builder: StateBuilder = app_state(current_app).get_or_build(self._key, self._missing)
        return builder.build_from_request()

    def _missing(self, _settings: object) -> StateBuilder:
        raise ConfigurationError(
            f"The provider {self._provider!r} is not registered with this app."
        )
