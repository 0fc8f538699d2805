"""Who is nobody, and what nobody is told, whoever's users the callers are."""

from __future__ import annotations

from typing import Any

from werkzeug.local import LocalProxy

from licet.authn.identity import Identity
from licet.errors import MissingToken

__all__ = ["is_nobody", "itself", "sign_in_first"]


def itself(caller: Any) -> Any:
    """The object that a proxy such as Flask-Login's ``current_user`` stands for."""
    return caller._get_current_object() if type(caller) is LocalProxy else caller  # noqa: SLF001 - the name that werkzeug gave it


def is_nobody(caller: Any) -> bool:
    """Whether the caller is None, or says that they are not authenticated."""
    found = itself(caller)
    return found is None or getattr(found, "is_authenticated", True) is False


def sign_in_first(caller: Any) -> MissingToken:
    """The 401 for nobody: licet's own identities come of tokens, others of the app's sign-in."""
    return MissingToken() if isinstance(itself(caller), Identity) else MissingToken(_SIGN_IN)


_SIGN_IN = "Sign in to do this."
