"""Which callers are nobody, and the refusal that nobody gets, whoever's users the callers are."""

from __future__ import annotations

from typing import Any

from flask import has_request_context
from werkzeug.local import LocalProxy

from licet.authn.flask import current_identity
from licet.authn.identity import Identity
from licet.authn.verifiers import has_authentication
from licet.errors import MissingToken, NotRegistered
from licet.errors.base import HTTPError
from licet.settings.state import app_itself

__all__ = ["is_nobody", "itself", "refusal_of_nobody"]

_SIGN_IN = "Sign in to do this."


def itself(caller: Any) -> Any:
    """The object that a proxy such as Flask-Login's ``current_user`` stands for."""
    return caller._get_current_object() if type(caller) is LocalProxy else caller  # noqa: SLF001 - the name that werkzeug gave it


def is_nobody(caller: Any) -> bool:
    """Whether the caller is None, or says that they are not authenticated."""
    found = itself(caller)
    return found is None or getattr(found, "is_authenticated", True) is False


def refusal_of_nobody(caller: Any) -> MissingToken | NotRegistered:
    """401 for nobody; 403 where the request shows a good token, but the app knows no such user.

    The 401 asks for a token where the callers are licet's identities, else for the app's sign-in.
    """
    if isinstance(itself(caller), Identity):
        return MissingToken()
    return NotRegistered() if _shows_a_good_token() else MissingToken(_SIGN_IN)


def _shows_a_good_token() -> bool:
    if not has_request_context() or not has_authentication(app_itself()):
        return False
    try:
        return bool(current_identity.is_authenticated)
    except HTTPError:  # what is in the header is for the app itself, or is no good
        return False
