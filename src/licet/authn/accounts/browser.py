"""Browser sessions: the cookie, and the CSRF token that proves a request to be our own pages'.

The CSRF token is derived from the cookie, so that nothing more is kept and each session has its
own; forms for people who are not signed in have a cookie of their own to derive it from. A session
that is used with an unsafe method and without its token is refused wherever the caller is asked
for, in any view of the app.

Source: RFC 6265 section 4.1.2 and its successor's ``__Host-`` prefix.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from flask import Response, current_app, request

from licet._state import app_state, request_state
from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.records import Session
from licet.authn.accounts.sessions import claims_of, session_of_cookie
from licet.authn.identity import Identity
from licet.authn.principals import identity_principal
from licet.errors import ForgeryRefused
from licet.settings import AccountSettings

__all__ = [
    "CSRF_FIELD",
    "CSRF_HEADER",
    "check_form",
    "cookie_identity",
    "csrf_token",
    "current_session",
    "end_cookie",
    "ensure_form_cookie",
    "set_cookie",
]

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SESSION: Final = "licet_session"
_FORM: Final = "licet_form"


def _settings() -> AccountSettings:
    return app_state(current_app).settings.accounts


def _cookie_name(name: str) -> str:
    # No other host of the domain, and no plain HTTP, can set a cookie of this prefix.
    return f"__Host-{name}" if _settings().cookie_secure else name


def _cookie(name: str) -> str | None:
    return request.cookies.get(_cookie_name(name)) or None


def _put(response: Response, name: str, value: str, max_age: int | None) -> None:
    response.set_cookie(
        _cookie_name(name),
        value,
        max_age=max_age,
        path="/",
        secure=_settings().cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def _remove(response: Response, name: str) -> None:
    response.delete_cookie(
        _cookie_name(name),
        path="/",
        secure=_settings().cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def set_cookie(response: Response, secret: str) -> None:
    """Give a browser the cookie of its new session."""
    _put(response, _SESSION, secret, _settings().session_seconds)
    _remove(response, _FORM)


def end_cookie(response: Response) -> None:
    """Have a browser forget its session."""
    _remove(response, _SESSION)


def current_session(parts: AccountParts) -> Session | None:
    """The session of the request's cookie, looked up once; None without one that is good."""
    state = request_state()
    if "accounts.session" not in state:
        cookie = _cookie(_SESSION)
        state["accounts.session"] = session_of_cookie(parts, cookie) if cookie else None
    session: Session | None = state["accounts.session"]
    return session


def cookie_identity(parts: AccountParts) -> Identity | None:
    """Who calls, by the request's cookie.

    Raises:
        ForgeryRefused: the method is unsafe, and the request lacks the session's CSRF token.
    """
    session = current_session(parts)
    if session is None:
        return None
    if request.method not in _SAFE:
        _check(_cookie(_SESSION))
    account, issuer = session.account, parts.issuer.issuer
    return Identity(
        issuer=issuer,
        subject=account.id,
        principal=identity_principal(issuer, account.id, local_issuer=issuer),
        roles=frozenset(account.roles),
        scopes=frozenset(session.scope.split()),
        claims=claims_of(session),
    )


def csrf_token(parts: AccountParts) -> str:
    """The token for the page's forms: the session's, or that of the cookie for forms."""
    if current_session(parts) is not None:
        return _derived(str(_cookie(_SESSION)))
    return _derived(request_state().setdefault("accounts.form", _cookie(_FORM) or _new(parts)))


def _new(parts: AccountParts) -> str:
    return parts.new_secret().text


def ensure_form_cookie(response: Response) -> None:
    """Give a browser the cookie that the page's CSRF token was derived from, if it was."""
    value = request_state().get("accounts.form")
    if value is not None and value != _cookie(_FORM):
        _put(response, _FORM, value, None)


def check_form(parts: AccountParts) -> None:
    """Refuse a form that is not from one of our own pages.

    Raises:
        ForgeryRefused: its token is missing or another's.
    """
    _check(_cookie(_SESSION) if current_session(parts) else _cookie(_FORM))


def _check(cookie: str | None) -> None:
    given = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    expected = _derived(cookie or "")
    if not cookie or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForgeryRefused


def _derived(cookie: str) -> str:
    derived = hmac.new(cookie.encode(), b"licet csrf token", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode("ascii")
