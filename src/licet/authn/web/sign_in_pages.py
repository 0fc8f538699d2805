"""The way to a foreign provider and back, as a browser goes it.

==================================== =========================================================
``/auth/with/<name>?next=/…``        sends the browser to the provider
``/auth/with/<name>/callback``       where the provider sends it back; sets the session's cookie
``/auth/sign-in``                    only without local accounts: a link for each provider
==================================== =========================================================
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, request

from licet.authn.sign_in import sessions
from licet.authn.sign_in.sessions import ATTEMPT_SECONDS, SignInParts
from licet.authn.web.api_errors import answer_with_documents
from licet.authn.web.cookies import (
    end_former_session,
    local_path,
    put_cookie,
    read_cookie,
    set_cookie,
)
from licet.authn.web.foreign_sessions import (
    API_RULES,
    PAGE_RULES,
    add_views,
    refuse,
    to_sign_in,
)
from licet.authn.web.pages import SIGN_IN_PAGES, page, prepare_pages, you_url

__all__ = ["make_api", "make_sign_in_pages"]

_COOKIE: Final = "licet_sign_in"
_DONE: Final = {
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out everywhere.",
}


def make_sign_in_pages(parts: SignInParts, *, beside_accounts: bool) -> Blueprint:
    """The blueprint, to be registered once with the app."""
    pages = Blueprint(
        SIGN_IN_PAGES,
        __name__,
        url_prefix="/auth",
        static_folder="static",
        static_url_path="/with/static",
    )
    _add_way(pages, parts)
    prepare_pages(pages)
    if not beside_accounts:
        add_views(pages, parts, PAGE_RULES, to_sign_in)

        @pages.get("/sign-in")
        def sign_in() -> Any:
            notice = _DONE.get(request.args.get("done", ""))
            return page("sign_in_elsewhere", next=request.args.get("next", ""), notice=notice)

    return pages


def make_api(parts: SignInParts) -> Blueprint:
    """The JSON endpoints of an app without local accounts."""
    api = Blueprint("licet_sign_in_api", __name__, url_prefix="/auth")
    add_views(api, parts, API_RULES, refuse)
    api.after_request(_do_not_store)
    answer_with_documents(api)
    return api


def _do_not_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_way(pages: Blueprint, parts: SignInParts) -> None:
    @pages.get("/with/<name>")
    def begin(name: str) -> Any:
        secret = read_cookie(_COOKIE) or sessions.new_secret()
        next_path = local_path(request.args.get("next", "")) or you_url()
        url = sessions.begin(parts, name, secret, next_path, request.remote_addr or "")
        response = make_response(redirect(url, 303))
        put_cookie(response, _COOKIE, secret, ATTEMPT_SECONDS)
        return response

    @pages.get("/with/<name>/callback")
    def callback(name: str) -> Any:
        # A member that stands twice is nobody's answer: the last one counts for nobody.
        answer = {key: values[0] for key, values in request.args.lists() if len(values) == 1}
        done = sessions.finish(parts, name, read_cookie(_COOKIE), answer)
        end_former_session()
        response = make_response(redirect(done.next_path, 303))
        set_cookie(response, done.cookie)
        return response
