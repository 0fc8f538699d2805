"""Callers with a cookie session and forms with a CSRF token, for `verify_matrix`.

    callers={"nobody": {}, "ann": signed_in("/login", {"name": "ann", "password": "…"})},
    requests={UPDATE: form_to("/posts/{key}/edit", {"title": "New"})},

A form is sent with the token that Flask-WTF would have put into it for the client's session,
whether or not the caller may see the page of the form: who may see some form may send any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, session, url_for
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

__all__ = [
    "SignIn",
    "csrf_headers",
    "forget_messages",
    "form_to",
    "leads_to",
    "sign_in_path_of",
    "signed_in",
    "what_is_shown",
]

SignIn = Callable[[FlaskClient], object]
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FLASHES: Final = "_flashes"
# What itsdangerous signs with a time: another one each second, though nothing else changed.
_TOKEN: Final = re.compile(r"[\w-]+\.[\w-]{5,8}\.[\w-]{27}(?![\w-])")


def form_to(
    path: str, fields: Mapping[str, Any] | None = None, *, method: str = "POST"
) -> Callable[[FlaskClient, Mapping[str, str], Any], TestResponse]:
    """Sends a form; ``{key}`` in the path is the object's key, and a draft's fields are its own."""

    def send(client: FlaskClient, headers: Mapping[str, str], key: Any) -> TestResponse:
        is_draft = isinstance(key, dict)
        filled = key if is_draft else fields or {}
        return client.open(
            path if is_draft else path.format(key=key),
            method=method,
            headers=dict(headers),
            data={**_csrf_field(client), **filled},
        )

    return send


def signed_in(path: str, fields: Mapping[str, Any]) -> SignIn:
    """A caller of `MatrixCases` who sends the app's own sign-in form, and then its cookies.

    Any function that does as much to a test client will do.
    """

    def sign_in(client: FlaskClient) -> None:
        answer = form_to(path, fields)(client, {}, None)
        if answer.status_code >= 400:
            raise AssertionError(
                f"Signing in by POST {path} was answered {answer.status_code}: {answer.text[:200]}"
            )

    return sign_in


def csrf_headers(client: FlaskClient, method: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The header for Flask-WTF's ``CSRFProtect`` of a request that has no form and no token."""
    is_asked = "csrf" in client.application.extensions and "Authorization" not in headers
    token = _csrf_token(client) if is_asked and method.upper() not in _SAFE else None
    return {} if token is None else {"X-CSRFToken": token}


def _csrf_field(client: FlaskClient) -> dict[str, str]:
    token = _csrf_token(client)
    return {} if token is None else {_field(client.application): token}


def _field(app: Flask) -> str:
    return str(app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"))


def _csrf_token(client: FlaskClient) -> str | None:
    """A token for the client's session, as Flask-WTF puts it into a page; None without it."""
    app = client.application
    if "flask_wtf" not in sys.modules or not app.secret_key:
        return None
    from flask_wtf.csrf import generate_csrf  # noqa: PLC0415 - the app's, not ours

    name = _field(app)
    with client.session_transaction() as kept:
        secret = kept.get(name)
    with app.test_request_context():
        if secret is not None:
            session[name] = secret
        token = str(generate_csrf())
        secret = session[name]
    with client.session_transaction() as kept:
        kept[name] = secret
    return token


def forget_messages(client: FlaskClient) -> None:
    """Drop what the next page would tell of the request before (`flask.flash`)."""
    if client.application.secret_key:
        with client.session_transaction() as kept:
            kept.pop(_FLASHES, None)


def sign_in_path_of(app: Flask) -> str | None:
    """The path of Flask-Login's ``login_view``, if the app has one."""
    view = getattr(getattr(app, "login_manager", None), "login_view", None)
    if not view:
        return None
    with app.test_request_context():
        found = view if view.startswith(("/", "http://", "https://")) else url_for(view)
    return urlsplit(found).path


def leads_to(path: str | None, answer: TestResponse) -> bool:
    """Whether the answer sends a browser to `path`."""
    is_redirect = 300 <= answer.status_code < 400
    return path is not None and is_redirect and urlsplit(answer.location or "").path == path


def what_is_shown(
    client: FlaskClient, answer: TestResponse, replaced: tuple[str, str]
) -> tuple[object, ...]:
    """All that a browser learns from an answer: status, body, headers, and its session.

    Without signed moments and the session's CSRF secret, which differ each time; `replaced` is the
    key that was asked for, and what stands for it.
    """
    kept: dict[str, Any] = {}
    if client.application.secret_key:
        with client.session_transaction() as found:
            kept = {k: v for k, v in found.items() if k != _field(client.application)}
    headers = [
        (name, value.partition("=")[0] if name == "Set-Cookie" else _alike(value, replaced))
        for name, value in answer.headers
        if name not in ("Date", "Content-Length")
    ]
    body = answer.get_data().decode("utf-8", "surrogateescape")
    return answer.status_code, _alike(body, replaced), headers, _alike(repr(kept), replaced)


def _alike(text: str, replaced: tuple[str, str]) -> str:
    return _TOKEN.sub("signed", text.replace(*replaced))
