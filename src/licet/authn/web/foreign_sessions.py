"""What somebody who signed in elsewhere can do with their session: see it, and end it.

An app without local accounts serves these views under their own rules. With local accounts the
rules are theirs, and these views answer for whoever has a session of this kind.

====================================== ========================================================
``GET /auth/you``                      who it is; buttons to sign out, here or everywhere
``POST /auth/you/sign-out``            ends the session, as a form
``POST /auth/you/sign-out-everywhere`` ends all of the person's sessions, as a form
``GET /auth/session``                  who it is, and the CSRF token, as JSON
``POST /auth/logout``                 ends the session; with the CSRF token in ``X-CSRF-Token``
``POST /auth/logout-everywhere``       ends all of the person's sessions
====================================== ========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response, make_response, redirect, request

from licet.authn.flask import authenticate
from licet.authn.sign_in.sessions import SignInParts
from licet.authn.sign_in.store import ForeignSession
from licet.authn.tokens._claims import verified_email
from licet.authn.web.bodies import json_document
from licet.authn.web.cookies import csrf_token, end_cookie, signed_in
from licet.authn.web.pages import page, sign_in_url
from licet.errors import MissingToken
from licet.settings.state import app_state

__all__ = ["API_RULES", "PAGE_RULES", "PARTS", "add_views", "serve_foreign_sessions"]

PARTS: Final = "authn.sign_in"  # put before Licet(app), it replaces what the settings make
View = Callable[[SignInParts, ForeignSession], Any]
Rules = Mapping[str, tuple[str, str, View]]


def _session() -> ForeignSession | None:
    """The session of the request's cookie, when no bearer token says who calls."""
    if request.headers.get("Authorization"):
        return None
    found = signed_in()
    return found.session if found and isinstance(found.session, ForeignSession) else None


def _you(parts: SignInParts, session: ForeignSession) -> Any:
    flow = parts.flows[session.provider]
    return page(
        "you_elsewhere",
        name=_name_of(session),
        provider=flow.settings.label,
        end_there=flow.end_session_url(),
    )


def _name_of(session: ForeignSession) -> str:
    claims = session.claims
    named = (verified_email(claims), claims.get("name"), claims.get("preferred_username"))
    return next((name for name in named if isinstance(name, str) and name), claims["sub"])


def _sign_out(parts: SignInParts, session: ForeignSession) -> Any:
    parts.store.end(session.cookie_hash)
    return _left("signed-out")


def _sign_out_everywhere(parts: SignInParts, session: ForeignSession) -> Any:
    parts.store.end_all(session.principal)
    return _left("signed-out-everywhere")


def _left(done: str) -> Response:
    response = make_response(redirect(sign_in_url(done=done), 303))
    end_cookie(response)
    return response


def _show(_parts: SignInParts, session: ForeignSession) -> Any:
    identity = authenticate()
    return json_document(
        {
            "account_id": None,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "email": verified_email(session.claims),
            "roles": sorted(identity.roles),
            "scope": " ".join(sorted(identity.scopes)),
            "csrf_token": csrf_token(),
        }
    )


def _log_out(parts: SignInParts, session: ForeignSession) -> Any:
    authenticate()  # asks for the CSRF token
    parts.store.end(session.cookie_hash)
    return _logged_out()


def _log_out_everywhere(parts: SignInParts, session: ForeignSession) -> Any:
    authenticate()
    parts.store.end_all(session.principal)
    return _logged_out()


def _logged_out() -> Response:
    response = Response(status=204)
    end_cookie(response)
    return response


PAGE_RULES: Final[Rules] = {
    "you": ("GET", "/you", _you),
    "sign_out": ("POST", "/you/sign-out", _sign_out),
    "sign_out_everywhere": ("POST", "/you/sign-out-everywhere", _sign_out_everywhere),
}
API_RULES: Final[Rules] = {
    "session": ("GET", "/session", _show),
    "logout": ("POST", "/logout", _log_out),
    "logout_everywhere": ("POST", "/logout-everywhere", _log_out_everywhere),
}


def add_views(
    blueprint: Blueprint, parts: SignInParts, rules: Rules, otherwise: Callable[[], Any]
) -> None:
    """Serve the views at their rules; `otherwise` answers whoever has no session of this kind."""

    def bound(view: View) -> Callable[[], Any]:
        def answer() -> Any:
            session = _session()
            return otherwise() if session is None else view(parts, session)

        return answer

    for name, (method, rule, view) in rules.items():
        blueprint.add_url_rule(rule, name, bound(view), methods=[method])


def to_sign_in() -> Any:
    """Have a browser sign in first."""
    return redirect(sign_in_url(), 303)


def refuse() -> Any:
    """Tell a program that nobody is signed in.

    Raises:
        MissingToken: always.
    """
    raise MissingToken


def serve_foreign_sessions(app: Flask, blueprint: Blueprint) -> None:
    """Have the views of local accounts answer for sessions of this kind too, if the app has any."""
    state = app_state(app)

    @blueprint.before_request
    def answer_for_foreign_session() -> Any:
        parts: SignInParts | None = state.get_or_build(PARTS, lambda _settings: None)
        if parts is None:
            return None
        rules = {**PAGE_RULES, **API_RULES}
        _, _, view = rules.get((request.endpoint or "").rpartition(".")[2], (None, None, None))
        session = _session() if view is not None else None
        return None if view is None or session is None else view(parts, session)
