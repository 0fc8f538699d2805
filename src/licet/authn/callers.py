"""The current request's caller in the app's own words: roles, account, standing.

Each of the app's functions is called at most once in a request, whether it answers or fails. While
one is running, the caller is seen as the token vouches for them, without the app's roles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from flask import Flask, current_app

from licet.authn.identity import Identity
from licet.authn.mapping import IdentityMapping, Standing
from licet.errors import (
    AccessDenied,
    AccountDisabled,
    AccountNotApproved,
    ConfigurationError,
    NotRegistered,
)
from licet.errors.base import HTTPError
from licet.settings.state import app_itself, app_state, request_state

__all__ = [
    "account_of",
    "admit",
    "has_accounts",
    "mapping_of",
    "refusal_of",
    "require_standing",
    "standing_of",
    "with_roles",
]

T = TypeVar("T")
_MAPPING: Final = "authn.mapping"
_ANSWERS: Final = "authn.mapped"
_ADMITTED: Final = "authn.admitted"


@dataclass
class _Answer:
    """What one of the app's functions gave, or how it failed; neither while it runs."""

    value: Any = None
    error: Exception | None = None
    is_running: bool = True


def mapping_of(app: Flask) -> IdentityMapping:
    """The app's functions."""
    return app_state(app).get_or_build(_MAPPING, lambda _settings: IdentityMapping())


def with_roles(identity: Identity, app: Flask) -> Identity:
    """`identity` with the roles that `app` gives it.

    Where the app knows accounts, who has none, or none that is active, has no roles.

    Raises:
        AccessDenied: one of the app's functions fails.
    """
    mapping = mapping_of(app)
    if not (identity.roles or mapping.has("roles_of")) or not identity.is_authenticated:
        return identity
    if any(answer.is_running for answer in _answers().values()):
        return identity
    return _once("roles", lambda: replace(identity, roles=_roles(mapping, identity)))


def _roles(mapping: IdentityMapping, identity: Identity) -> frozenset[str]:
    knows_accounts = mapping.has("account_of") or mapping.has("standing_of")
    if knows_accounts and standing_of(identity) is not Standing.ACTIVE:
        return frozenset()
    return mapping.roles(identity)


def has_accounts(app: Flask) -> bool:
    """Whether the app maps identities to accounts."""
    return mapping_of(app).has("account_of")


def account_of(identity: Identity) -> Any:
    """The app's account of the current request's `identity`; None when they have none.

    Raises:
        AccessDenied: the app's function fails.
        ConfigurationError: the app gave none.
    """
    if not identity.is_authenticated:
        return None
    return _once("account", lambda: mapping_of(current_app).account(identity))


def standing_of(identity: Identity) -> Standing | None:
    """How the account of the current request's `identity` stands; None when they have none.

    Raises:
        AccessDenied: one of the app's functions fails.
        ConfigurationError: the app maps no identities to accounts.
    """
    account = account_of(identity)
    if account is None:
        return None
    return _once("standing", lambda: mapping_of(current_app).standing(account))


def refusal_of(
    identity: Identity, *, allow_unregistered: bool = False, allow_disabled: bool = False
) -> AccessDenied | None:
    """Why the app's accounts do not admit the current request's `identity`; None when they do.

    Everybody is admitted where the app knows no accounts, and nobody is asked who shows no token.

    Raises:
        AccessDenied: one of the app's functions fails.
    """
    if not mapping_of(app_itself()).has("account_of") or not identity.is_authenticated:
        return None
    standing = standing_of(identity)
    if standing is None:
        return None if allow_unregistered else NotRegistered()
    if standing is Standing.ACTIVE or allow_disabled:
        return None
    return AccountNotApproved() if standing is Standing.UNAPPROVED else AccountDisabled()


def admit(*, unregistered: bool, disabled: bool) -> None:
    """Have `require_standing` admit them too for the rest of the current request."""
    if unregistered or disabled:
        request_state()[_ADMITTED] = (unregistered, disabled)


def require_standing(identity: Identity) -> None:
    """Refuse the current request's `identity` when its account is missing or may not be used.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: unless the view's guard admits them.
        AccessDenied: one of the app's functions fails.
    """
    if not mapping_of(app_itself()).has("account_of"):  # in most apps, and in every request
        return
    unregistered, disabled = request_state().get(_ADMITTED, (False, False))
    refusal = refusal_of(identity, allow_unregistered=unregistered, allow_disabled=disabled)
    if refusal is not None:
        raise refusal


def _answers() -> dict[str, _Answer]:
    return cast("dict[str, _Answer]", request_state().setdefault(_ANSWERS, {}))


def _once(name: str, ask: Callable[[], T]) -> T:
    known = _answers().get(name)
    if known is None:
        known = _answers()[name] = _Answer()
        try:
            known.value = ask()
        except (HTTPError, ConfigurationError) as error:
            known.error = error
        known.is_running = False
    if known.is_running:
        raise ConfigurationError(f"The function that gives the {name} asks for it itself.")
    if known.error is not None:
        raise known.error
    return cast("T", known.value)
