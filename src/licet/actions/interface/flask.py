"""What actions need of a Flask app: its store, and how its callers are known."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Flask, current_app

from licet.actions.interface.http import WaitingRoom
from licet.actions.store.actions import ActionStore
from licet.authn.auth_state import AuthState, StateBuilder
from licet.authn.callers import has_accounts, require_standing
from licet.authn.flask import IdentityStateBuilder
from licet.authn.globus import ClientFactory, FlaskAuthStateBuilder
from licet.authn.identity import Identity
from licet.authn.verifiers import has_authentication
from licet.db.engine import Database
from licet.db.flask import database_of
from licet.errors import ConfigurationError
from licet.settings.started import log_at_start
from licet.settings.state import app_itself, app_state

__all__ = [
    "action_store",
    "leave_threads_free",
    "make_state_builder",
    "provider_credentials",
    "provider_scopes",
    "waiting_room",
    "with_standing",
]

log = logging.getLogger(__name__)
_SCOPES: Final = "actions.scopes"
_WAITING_ROOM: Final = "actions.waiting_room"


def action_store(provider: str) -> ActionStore:
    """The actions of `provider` in the database of whichever app is current when it is used."""
    return ActionStore(provider, _current_database)


def _current_database() -> Database:
    return database_of(app_itself())


def waiting_room() -> WaitingRoom:
    """Where the current app's requests wait for actions."""
    return app_state(current_app).get_or_build(
        _WAITING_ROOM, lambda settings: WaitingRoom(settings.max_waiting)
    )


def leave_threads_free(app: Flask, threads: int) -> None:
    """Have at most half of a server's threads wait for actions, whatever the settings allow."""
    seats = min(app_state(app).settings.max_waiting, threads // 2)
    app_state(app).put(_WAITING_ROOM, WaitingRoom(seats))


def provider_credentials(config: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Client id and secret of the provider called `name`; both empty when either is blank.

    ``<NAME>_CLIENT_ID`` and ``<NAME>_CLIENT_SECRET`` come first, then those without a prefix.
    """
    for prefix in (f"{name.upper()}_", ""):
        client_id = str(config.get(f"{prefix}CLIENT_ID") or "").strip()
        client_secret = str(config.get(f"{prefix}CLIENT_SECRET") or "").strip()
        if client_id and client_secret:
            return client_id, client_secret
        if client_id or client_secret:
            log.warning(
                "%sCLIENT_%s is blank, so the other half of these credentials is not used.",
                prefix,
                "SECRET" if client_id else "ID",
            )
    return "", ""


def provider_scopes(app: Flask) -> list[str]:
    """Every scope that some provider of the app accepts, in the order of their registration."""
    return list(dict.fromkeys(app_state(app).get_or_build(_SCOPES, _no_scopes)))


def _no_scopes(_settings: object) -> list[str]:
    return []


def with_standing(auth: AuthState) -> AuthState:
    """The caller, whose account, where the app knows accounts, may be used.

    A state of the app's own making, as tests have, may hold no identity: then the app vouches.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: it is missing, or may not be used.
    """
    if has_accounts(app_itself()):
        identity = getattr(auth, "identity", None)
        if isinstance(identity, Identity):
            require_standing(identity)
    return auth


def make_state_builder(
    app: Flask,
    *,
    provider: str,
    client_id: str,
    client_secret: str,
    accepted_scopes: Sequence[str],
    client_factory: ClientFactory,
) -> StateBuilder:
    """What tells a provider who calls: Globus Auth with credentials, else the app's own tokens.

    Raises:
        ConfigurationError: there are no credentials, and the app checks no tokens itself.
    """
    app_state(app).get_or_build(_SCOPES, _no_scopes).extend(accepted_scopes)
    if client_id and client_secret:
        log_at_start(app, "Provider %s: tokens are checked with Globus Auth.", provider)
        return FlaskAuthStateBuilder(
            client_factory.make_confidential_app_auth_client(client_id, client_secret),
            accepted_scopes,
            client_factory=client_factory,
        )
    if not has_authentication(app):
        raise ConfigurationError(
            f"The provider {provider!r} cannot know its callers. Either set "
            f"{provider.upper()}_CLIENT_ID and {provider.upper()}_CLIENT_SECRET (or CLIENT_ID and "
            "CLIENT_SECRET) to check tokens with Globus Auth, or let the app check them itself: "
            "leave LICET_EMBEDDED_ISSUER on, or give it a verifier with "
            "licet.authn.use_verifier(app, …)."
        )
    log_at_start(app, "Provider %s: tokens are checked by the app's own issuer.", provider)
    return IdentityStateBuilder(app, accepted_scopes)
