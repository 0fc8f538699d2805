"""What each endpoint of rest does with its request.

A token is checked, the sizes are, and the answer is kept out of caches that others share.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from flask import Flask, Response, after_this_request, current_app, request, request_started
from sqlalchemy.orm import Session, scoped_session
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from licet.authn.flask import current_principal
from licet.authz import Policy, Verb
from licet.authz._places import invalid
from licet.authz.declared.marks import AccessKind, access_of
from licet.authz.flask import (
    authorize,
    current_caller,
    current_session,
    decision_about,
    policies_of,
    principal_of,
)
from licet.errors import AccessDenied, BodyTooLarge, ConfigurationError, ObjectNotFound
from licet.errors._page import prefers_page
from licet.errors.base import HTTPError
from licet.errors.rendering import is_final
from licet.rest.endpoints.notes import Note, add_note
from licet.rest.limits import check_size
from licet.rest.lookup import policy_of
from licet.rest.problems import problem_response
from licet.settings.state import app_itself, app_state, request_state
from licet.wire.incoming import bounded_body

__all__ = [
    "Level",
    "as_endpoint",
    "begin",
    "call_view",
    "has_body",
    "keep_private",
    "policy_for",
    "principal_or_none",
    "read_body",
    "require_as_written",
    "session_of_app",
]

_BEGUN: Final = "rest.begun"
_LEVEL: Final = "_licet_rest_level"
_BODY: Final = "rest.body"
_VARY: Final = ("Authorization", "Cookie")
_ANYBODY: Final = "anonymous"


class Level(IntEnum):
    """Where a decorator stands, from the route to the view."""

    ARGUMENTS = 1  # with_lookup, use_args
    BODY = 2
    ANSWER = 3


def as_endpoint(name: str, level: Level, view: Any, made: Any, note: Note) -> Any:
    """What a decorator made of a view, with a note of its level and of what it was told.

    Raises:
        InvalidCondition: the view has a decorator already that stands above this one.
    """
    inner = getattr(view, _LEVEL, level)
    guards = (AccessKind.AUTHENTICATED, AccessKind.REQUIRES)
    if inner < level or any(access.kind in guards for access in access_of(view)):
        raise invalid(
            f"{name} stands in the wrong place above {getattr(view, '__name__', view)}. The order "
            "is, from the route to the view: requires_auth or public, with_lookup and use_args, "
            "unmarshal_request, marshal_response."
        )
    setattr(made, _LEVEL, level)
    add_note(made, note)
    return made


def _is_endpoint(view: Any, method: str) -> bool:
    """Whether a view function, or the method of a view class, has a decorator of rest."""
    handler = getattr(getattr(view, "view_class", None), method.lower(), None)
    return hasattr(view, _LEVEL) or hasattr(handler, _LEVEL)


def _keep_private(app: Flask, **_: Any) -> None:
    """Keep what a guard above an endpoint of rest answers out of caches that others share."""
    view = app.view_functions.get(request.endpoint or "")
    if view is not None and _is_endpoint(view, request.method):
        after_this_request(_private)


request_started.connect(_keep_private)


def begin() -> None:
    """Once in a request: check what was sent, and have the answer be the caller's alone.

    Raises:
        AuthenticationError: a token was sent, and it is not acceptable, also where none is needed.
        URLTooLong, HeadersTooLarge: they are longer than the app takes.
    """
    state = request_state()
    if _BEGUN in state:
        return
    state[_BEGUN] = True
    after_this_request(_private)
    settings = app_state(app_itself()).settings.rest
    check_size(
        request.environ,
        max_url_bytes=settings.max_url_bytes,
        max_header_bytes=settings.max_header_bytes,
    )
    current_principal()


def call_view(view: Callable[..., Any], *args: Any, **view_args: Any) -> Any:
    """What the view gives; an error of werkzeug's that it raises is a problem document.

    The error stays what it is, for handlers of the app. One that is a response already, and one for
    a browser that prefers pages, is left alone.
    """
    try:
        return current_app.ensure_sync(view)(*args, **view_args)
    except HTTPException as error:
        is_page = prefers_page(request.headers.get("Accept"))
        if not (isinstance(error, HTTPError) or is_final(error) or is_page):
            error.response = problem_response(error)
        raise


def _private(response: Response) -> Response:
    keep_private(response.headers)
    return response


def keep_private(headers: Headers) -> None:
    """Say in the headers of an answer that it depends on who asks.

    An answer with an ETag may be kept by its caller's own cache, which asks each time whether it
    still holds; others are not kept. A `Cache-Control` of the view stays, made private.

    Source: RFC 9111 sections 4.1 and 5.2.2.
    """
    given = headers.get("Cache-Control", "")
    directives = {part.strip().partition("=")[0].lower() for part in given.split(",")}
    if not given:
        headers["Cache-Control"] = "private, no-cache" if "ETag" in headers else "no-store"
    elif directives.isdisjoint({"private", "no-store"}):
        kept = [one for one in given.split(",") if _is_private(one)]
        headers["Cache-Control"] = ", ".join(["private", *(one.strip() for one in kept)])
    named = {part.strip().lower() for part in ",".join(headers.getlist("Vary")).split(",")}
    if "*" not in named:
        for name in _VARY:
            if name.lower() not in named:
                headers.add("Vary", name)


def _is_private(directive: str) -> bool:
    name = directive.strip().partition("=")[0].lower()
    return name not in ("public", "s-maxage", "proxy-revalidate", "")


def read_body() -> bytes:
    """The request's body.

    Raises:
        BodyTooLarge: it is longer than ``LICET_MAX_BODY_BYTES``, or than Flask's own
            ``MAX_CONTENT_LENGTH``.
    """
    request_state()[_BODY] = True
    limit = app_state(app_itself()).settings.max_body_bytes
    own = current_app.config.get("MAX_CONTENT_LENGTH")
    limit = limit if own is None else min(limit, own)
    raw = bounded_body(request, limit)
    if raw is None:
        raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
    return raw


def has_body() -> bool:
    """Whether the current request's body was read for its view."""
    return _BODY in request_state()


def policy_for(model: type[Any] | None) -> Policy | None:
    """The current app's policy of a class; None without one."""
    return None if model is None else policy_of(policies_of(app_itself()), model)


def require_as_written(policy: Policy, verb: Verb, owner: Any) -> None:
    """Let the current caller have written an object as it now is, or raise.

    Raises:
        AccessDenied: they may not do this to such an object; they know of it, as they wrote it.
        MissingToken, NotRegistered: as `licet.authz.authorize`.
    """
    if decision_about(policy, verb, owner, current_caller()):
        return
    try:
        authorize(policy, verb, owner)  # which logs the denial
    except ObjectNotFound as error:
        raise AccessDenied from error


def principal_or_none() -> str | None:
    """Who asks, as the app's policies and the log name them; None of nobody.

    Raises:
        AuthenticationError, AccessDenied: as `licet.authz.flask.current_caller`.
    """
    found = principal_of(current_caller())
    return None if found == _ANYBODY else found


def session_of_app() -> Session:
    """The session of the app's policies, else Flask-SQLAlchemy's.

    Raises:
        ConfigurationError: the app has neither.
    """
    try:
        found: Any = current_session()
    except ConfigurationError:
        extension = current_app.extensions.get("sqlalchemy")
        found = getattr(extension, "session", None)
        if found is None:
            raise
    session: Session = found() if isinstance(found, scoped_session) else found
    return session
