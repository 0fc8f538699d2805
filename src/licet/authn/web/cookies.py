"""Browser sessions: the cookie, and the CSRF token that proves a request to be our own pages'.

A cookie holds a secret; whose session it is, those say who registered with `find_sessions_with`.
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
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from flask import Flask, Response, current_app, request

from licet.authn.flask import read_cookies_with
from licet.authn.identity import Identity
from licet.errors import ForgeryRefused
from licet.settings import AccountSettings
from licet.settings.state import app_state, request_state

__all__ = [
    "CSRF_FIELD",
    "CSRF_HEADER",
    "SignedIn",
    "check_form",
    "cookie_identity",
    "csrf_token",
    "end_cookie",
    "end_former_session",
    "ensure_form_cookie",
    "find_sessions_with",
    "local_path",
    "put_cookie",
    "read_cookie",
    "remove_cookie",
    "session_cookie_name",
    "set_cookie",
    "signed_in",
]

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"
MAX_PATH_CHARS: Final = 2048
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SESSION: Final = "licet_session"
_FORM: Final = "licet_form"
_FINDERS: Final = "authn.sessions"
_FOUND: Final = "authn.session"
_FORM_COOKIE: Final = "authn.form"


class SignedIn(NamedTuple):
    """Whom a cookie stands for; `session` is its finder's own record."""

    identity: Identity
    session: object


Find = Callable[[str], SignedIn | None]
End = Callable[[str], None]


def find_sessions_with(app: Flask, find: Find, end: End, *, kind: str = "") -> None:
    """Have `find` look up the cookies that start with `kind` and a dot; or, without, all others.

    `end` ends the session of such a cookie, if it goes on.
    """
    app_state(app).get_or_build(_FINDERS, _no_finders)[kind] = (find, end)
    read_cookies_with(app, cookie_identity)


def _no_finders(_settings: object) -> dict[str, tuple[Find, End]]:
    return {}


def _settings() -> AccountSettings:
    return app_state(current_app).settings.accounts


def _cookie_name(name: str) -> str:
    # No other host of the domain, and no plain HTTP, can set a cookie of this prefix.
    return f"__Host-{name}" if _settings().cookie_secure else name


def session_cookie_name(app: Flask) -> str | None:
    """What the cookie of a session is called; None where the app looks for none."""
    state = app_state(app)
    if not state.has(_FINDERS):
        return None
    return f"__Host-{_SESSION}" if state.settings.accounts.cookie_secure else _SESSION


def read_cookie(name: str) -> str | None:
    """The value of one of our cookies; None when it is missing or empty."""
    return request.cookies.get(_cookie_name(name)) or None


def put_cookie(response: Response, name: str, value: str, max_age: int | None) -> None:
    """Give a browser a cookie for this host alone, which no script reads."""
    response.set_cookie(
        _cookie_name(name),
        value,
        max_age=max_age,
        path="/",
        secure=_settings().cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def remove_cookie(response: Response, name: str) -> None:
    """Have a browser forget one of our cookies."""
    response.delete_cookie(
        _cookie_name(name),
        path="/",
        secure=_settings().cookie_secure,
        httponly=True,
        samesite="Lax",
    )


def set_cookie(response: Response, secret: str) -> None:
    """Give a browser the cookie of its new session."""
    put_cookie(response, _SESSION, secret, _settings().session_seconds)
    remove_cookie(response, _FORM)


def end_cookie(response: Response) -> None:
    """Have a browser forget its session."""
    remove_cookie(response, _SESSION)


def signed_in() -> SignedIn | None:
    """Whom the request's cookie stands for, looked up once; None without one that is good."""
    state = request_state()
    if _FOUND not in state:
        cookie = read_cookie(_SESSION)
        state[_FOUND] = _find(cookie) if cookie else None
    found: SignedIn | None = state[_FOUND]
    return found


def _find(cookie: str) -> SignedIn | None:
    finder = _finder(cookie)
    return None if finder is None else finder[0](cookie)


def _finder(cookie: str) -> tuple[Find, End] | None:
    kind, dot, _ = cookie.partition(".")
    return app_state(current_app).get_or_build(_FINDERS, _no_finders).get(kind if dot else "")


def end_former_session() -> None:
    """End the session that the browser has when it signs in anew, since its cookie is lost then."""
    cookie = read_cookie(_SESSION)
    finder = _finder(cookie) if cookie else None
    if cookie and finder is not None:
        finder[1](cookie)


def cookie_identity() -> Identity | None:
    """Who calls, by the request's cookie.

    Raises:
        ForgeryRefused: the method is unsafe, and the request lacks the session's CSRF token.
    """
    found = signed_in()
    if found is None:
        return None
    if request.method not in _SAFE:
        _check(read_cookie(_SESSION))
    return found.identity


def csrf_token() -> str:
    """The token for the page's forms: the session's, or that of the cookie for forms."""
    if signed_in() is not None:
        return _derived(str(read_cookie(_SESSION)))
    value = read_cookie(_FORM) or secrets.token_urlsafe(32)
    return _derived(request_state().setdefault(_FORM_COOKIE, value))


def ensure_form_cookie(response: Response) -> None:
    """Give a browser the cookie that the page's CSRF token was derived from, if it was."""
    value = request_state().get(_FORM_COOKIE)
    if value is not None and value != read_cookie(_FORM):
        put_cookie(response, _FORM, value, None)


def check_form() -> None:
    """Refuse a form that is not from one of our own pages.

    Raises:
        ForgeryRefused: its token is missing or another's.
    """
    _check(read_cookie(_SESSION) if signed_in() else read_cookie(_FORM))


def _check(cookie: str | None) -> None:
    given = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    expected = _derived(cookie or "")
    if not cookie or not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForgeryRefused


def _derived(cookie: str) -> str:
    derived = hmac.new(cookie.encode(), b"licet csrf token", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode("ascii")


def local_path(path: str) -> str | None:
    """`path` if it leads to a page of this site, as a browser reads it; None when it may not."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local and len(path) <= MAX_PATH_CHARS else None
