"""The pages of local accounts: plain forms that need no JavaScript.

============================== =====================================================
path                           page
============================== =====================================================
``/auth/sign-up``              address and password; the answer is "look at your mail"
``/auth/confirm?token=…``      the password of the sign-up; confirms the address
``/auth/sign-in?next=/…``      address and password; sets the cookie
``/auth/forgot-password``      the address; the answer is "look at your mail"
``/auth/new-password?token=…`` the new password
``/auth/you``                  sign out, here or everywhere; change the password; delete the account
============================== =====================================================

Mails lead to pages with a button, since programs that look into mails follow links on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any, Final, TypeVar

from flask import Blueprint, make_response, redirect, request, url_for
from pydantic import BaseModel, ValidationError

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import (
    ChangePassword,
    ConfirmAddress,
    DeleteAccount,
    ResetPassword,
    SignIn,
    SignUp,
    WantReset,
    complaints,
)
from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.records import Session
from licet.authn.accounts.sessions import claims_of, session_of_cookie
from licet.authn.identity import Identity, identity_principal
from licet.authn.web.cookies import (
    SignedIn,
    end_cookie,
    end_former_session,
    local_path,
    set_cookie,
    signed_in,
)
from licet.authn.web.devices import place, put_device_cookie
from licet.authn.web.pages import ACCOUNT_PAGES, page, prepare_pages, problem_page
from licet.errors import (
    AccountInUse,
    InvalidCredentials,
    InvalidLink,
    InvalidRequest,
    TooManyAttempts,
)

__all__ = [
    "current_session",
    "find_session",
    "make_pages",
]


B = TypeVar("B", bound=BaseModel)
Show = Callable[[], Any]
Leaving = Callable[[AccountParts, Session], None]
_TOLD: Final = (AccountInUse, InvalidCredentials, InvalidRequest, TooManyAttempts)


def make_pages(parts: AccountParts) -> Blueprint:
    """The blueprint, to be registered once with the app of these accounts."""
    pages = Blueprint(
        ACCOUNT_PAGES,
        __name__,
        url_prefix="/auth",
        static_folder="static",
        static_url_path="/static",
    )
    _add_sign_up(pages, parts)
    _add_sign_in(pages, parts)
    _add_reset(pages, parts)
    _add_you(pages, parts)
    prepare_pages(pages, _FORMS)
    return pages


def _add_sign_up(pages: Blueprint, parts: AccountParts) -> None:
    @pages.get("/sign-up")
    def sign_up() -> Any:
        credentials.require_open_sign_up(parts)
        return page("sign_up")

    @pages.post("/sign-up")
    def sign_up_sent() -> Any:
        def act() -> Any:
            credentials.sign_up(parts, _form(SignUp), place())
            return page("look_at_mail", status=202)

        return _or_again("sign_up", act, email=_given("email"))

    @pages.get("/confirm")
    def confirm() -> Any:
        return page("confirm", token=request.args.get("token", ""))

    @pages.post("/confirm")
    def confirm_sent() -> Any:
        def act() -> Any:
            try:
                credentials.confirm_address(parts, _secret(ConfirmAddress), place())
            except InvalidLink as error:
                return problem_page("confirm", error, token="")
            return redirect(url_for("licet_account_pages.sign_in", done="confirmed"), 303)

        return _or_again("confirm", act, token=_given("token"))


def _add_sign_in(pages: Blueprint, parts: AccountParts) -> None:
    @pages.get("/sign-in")
    def sign_in() -> Any:
        notice = _DONE.get(request.args.get("done", ""))
        return page("sign_in", next=request.args.get("next", ""), notice=notice)

    @pages.post("/sign-in")
    def sign_in_sent() -> Any:
        def act() -> Any:
            here = place(new_device=True)
            secret = sessions.open_with_cookie(parts, _form(SignIn), here)
            end_former_session()
            response = make_response(redirect(_next_page(), 303))
            set_cookie(response, secret)
            put_device_cookie(response, here)
            return response

        return _or_again("sign_in", act, email=_given("email"), next=_given("next"))


def _add_reset(pages: Blueprint, parts: AccountParts) -> None:
    @pages.get("/forgot-password")
    def forgot_password() -> Any:
        return page("forgot_password")

    @pages.post("/forgot-password")
    def forgot_password_sent() -> Any:
        def act() -> Any:
            credentials.ask_reset(parts, _form(WantReset).email, place())
            return page("look_at_mail", status=202)

        return _or_again("forgot_password", act, email=_given("email"))

    @pages.get("/new-password")
    def new_password() -> Any:
        return page("new_password", token=request.args.get("token", ""))

    @pages.post("/new-password")
    def new_password_sent() -> Any:
        def act() -> Any:
            credentials.reset_password(parts, _secret(ResetPassword))
            return redirect(url_for("licet_account_pages.sign_in", done="set"), 303)

        return _or_again("new_password", act, token=_given("token"))


def _add_you(pages: Blueprint, parts: AccountParts) -> None:
    @pages.get("/you")
    def you() -> Any:
        return _signed_in(lambda session: page("you", email=session.account.email))

    for path, (act, done) in _LEAVING.items():
        # Extensions such as Flask-WTF ask views for their names, which a partial has not.
        view = update_wrapper(partial(_leave, parts, act, done), _leave)
        endpoint = path.replace("-", "_")
        pages.add_url_rule(f"/you/{path}", endpoint, view, methods=["POST"])


def _signed_in(act: Callable[[Session], Any]) -> Any:
    """What `act` answers to somebody who is signed in; others are sent to do so."""
    session = current_session()
    if session is None:
        you = url_for("licet_account_pages.you")
        return redirect(url_for("licet_account_pages.sign_in", next=you), 303)
    return _or_again("you", lambda: act(session), email=session.account.email)


def _leave(parts: AccountParts, act: Leaving, done: str) -> Any:
    """Do what ends the caller's session, and show the sign-in page."""

    def left(session: Session) -> Any:
        act(parts, session)
        response = make_response(redirect(url_for("licet_account_pages.sign_in", done=done), 303))
        end_cookie(response)
        return response

    return _signed_in(left)


def _sign_out(parts: AccountParts, session: Session) -> None:
    sessions.sign_out(parts, session.id)


def _sign_out_everywhere(parts: AccountParts, session: Session) -> None:
    sessions.sign_out_everywhere(parts, session.account.id)


def _change_password(parts: AccountParts, session: Session) -> None:
    asked = _form(ChangePassword)
    credentials.change_password(parts, session.account.id, asked, place())


def _delete(parts: AccountParts, session: Session) -> None:
    password = _form(DeleteAccount).password
    credentials.delete_account(parts, session.account.id, password, place())


_LEAVING: Final[Mapping[str, tuple[Leaving, str]]] = {
    "sign-out": (_sign_out, "signed-out"),
    "sign-out-everywhere": (_sign_out_everywhere, "signed-out-everywhere"),
    "password": (_change_password, "changed"),
    "delete": (_delete, "deleted"),
}
_FORMS: Final[Mapping[str, tuple[type[BaseModel], tuple[str, ...]]]] = {
    "sign_up_sent": (SignUp, ()),
    "confirm_sent": (ConfirmAddress, ()),
    "sign_in_sent": (SignIn, ("next",)),
    "forgot_password_sent": (WantReset, ()),
    "new_password_sent": (ResetPassword, ()),
    "password": (ChangePassword, ()),
    "delete": (DeleteAccount, ()),
}
_DONE: Final = {
    "confirmed": "Your address is confirmed. You can sign in now.",
    "set": "Your new password is set. Sign in with it.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out everywhere.",
    "changed": "Your password is changed. Sign in with the new one.",
    "deleted": "Your account is deleted.",
}


def _or_again(name: str, act: Show, **values: Any) -> Any:
    """What `act` answers, or the page again with what was wrong."""
    try:
        return act()
    except _TOLD as error:
        return problem_page(name, error, **values)


def _given(name: str) -> str:
    return request.form.get(name, "")


def _form(document: type[B]) -> B:
    """The form, checked; fields that the document does not know are not looked at.

    Raises:
        InvalidRequest: it is not what the page asks for.
    """
    fields: Mapping[str, Any] = {
        name: request.form[name] for name in document.model_fields if name in request.form
    }
    try:
        return document.model_validate(fields)
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False, include_context=False)
        raise InvalidRequest(complaints(listed)) from None


def _secret(document: type[B]) -> B:
    """The same for a form with a mail's secret; one that cannot be one is told as a used one is."""
    try:
        return _form(document)
    except InvalidRequest as error:
        if str(error.description).startswith("token:"):
            raise InvalidLink from None
        raise


def _next_page() -> str:
    """Where to go after signing in: a path of this site, never another's."""
    return local_path(_given("next")) or url_for("licet_account_pages.you")


def find_session(parts: AccountParts, cookie: str) -> SignedIn | None:
    """Whom a cookie stands for, with their `Session`; None when it has ended, or never was."""
    session = session_of_cookie(parts, cookie)
    if session is None:
        return None
    account, issuer = session.account, parts.issuer.issuer
    identity = Identity(
        issuer=issuer,
        subject=account.id,
        principal=identity_principal(issuer, account.id, local_issuer=issuer),
        roles=frozenset(account.roles),
        scopes=frozenset(session.scope.split()),
        claims=claims_of(session),
    )
    return SignedIn(identity, session)


def current_session() -> Session | None:
    """The local account's session that the request's cookie belongs to."""
    found = signed_in()
    return found.session if found is not None and isinstance(found.session, Session) else None
