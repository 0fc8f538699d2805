"""The JSON endpoints of local accounts.

====== ============================ ============================================ ==============
method path                         takes                                        answers
====== ============================ ============================================ ==============
POST   ``/auth/accounts``           ``email``, ``password``                      202
POST   ``/auth/verify``             ``token`` of the mail, ``password``          204
POST   ``/auth/session``            ``email``, ``password``, perhaps ``scope``   200, tokens
GET    ``/auth/session``            a token or cookie                            200, who it is
POST   ``/auth/refresh``            ``refresh_token``                            200, tokens
POST   ``/auth/logout``             ``refresh_token``, or a token or cookie      204
POST   ``/auth/logout-everywhere``  a token or cookie                            204
POST   ``/auth/password``           ``current_password``, ``new_password``       204
POST   ``/auth/reset``              ``email``                                    202
POST   ``/auth/reset/confirm``      ``token`` of the mail, ``password``          204
DELETE ``/auth/account``            ``password``                                 204
====== ============================ ============================================ ==============

Sign-up and reset answer the same whether there is such an account or not.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import (
    ChangePassword,
    ConfirmAddress,
    DeleteAccount,
    Refresh,
    ResetPassword,
    SignIn,
    SignOut,
    SignUp,
    WantReset,
    complaints,
)
from licet.authn.accounts.parts import AccountParts
from licet.authn.flask import authenticate
from licet.authn.identity import Identity
from licet.authn.web.api_errors import answer_with_documents
from licet.authn.web.bodies import json_document, read_body
from licet.authn.web.cookies import csrf_token, end_cookie, signed_in
from licet.authn.web.described import OPERATIONS
from licet.authn.web.devices import place
from licet.errors import AccessDenied, InvalidRequest
from licet.wire.described import described_by

__all__ = ["make_api"]

B = TypeVar("B", bound=BaseModel)
MAX_BODY_BYTES: Final = 16 * 1024
_JSON: Final = "application/json"
_LOOK_AT_YOUR_MAIL: Final = {"message": "Look at your mail."}


def make_api(parts: AccountParts) -> Blueprint:
    """The blueprint, to be registered once with the app of these accounts."""
    api = Blueprint("licet_accounts", __name__, url_prefix="/auth")
    _add_registration(api, parts)
    _add_sessions(api, parts)
    _add_credentials(api, parts)
    api.after_request(_do_not_store)
    answer_with_documents(api)
    return api


def _add_registration(api: Blueprint, parts: AccountParts) -> None:
    @api.post("/accounts")
    @described_by(OPERATIONS["sign_up"])
    def sign_up() -> Any:
        credentials.sign_up(parts, _body(SignUp), place())
        return json_document(_LOOK_AT_YOUR_MAIL), 202

    @api.post("/verify")
    @described_by(OPERATIONS["verify"])
    def verify() -> Any:
        credentials.confirm_address(parts, _body(ConfirmAddress), place())
        return "", 204


def _add_sessions(api: Blueprint, parts: AccountParts) -> None:
    @api.post("/session")
    @described_by(OPERATIONS["sign_in"])
    def sign_in() -> Any:
        return json_document(sessions.sign_in(parts, _body(SignIn), place()).as_dict())

    @api.get("/session")
    @described_by(OPERATIONS["session"])
    def session() -> Any:
        identity = _account_identity(parts)
        with_cookie = not request.headers.get("Authorization")
        return json_document(
            {
                "account_id": identity.subject,
                "email": identity.claims["email"],
                "roles": sorted(identity.roles),
                "scope": " ".join(sorted(identity.scopes)),
                "csrf_token": csrf_token() if with_cookie else None,
            }
        )

    @api.post("/refresh")
    @described_by(OPERATIONS["refresh"])
    def refresh() -> Any:
        found = sessions.refresh(parts, _body(Refresh).refresh_token, place())
        return json_document(found.as_dict())

    @api.post("/logout")
    @described_by(OPERATIONS["logout"])
    def logout() -> Any:
        asked = _body(SignOut) if request.mimetype == _JSON else SignOut()
        if asked.refresh_token is not None:
            sessions.sign_out_token(parts, asked.refresh_token)
        else:
            sessions.sign_out(parts, _account_identity(parts).claims["sid"])
        return _signed_out()

    @api.post("/logout-everywhere")
    @described_by(OPERATIONS["logout_everywhere"])
    def logout_everywhere() -> Any:
        sessions.sign_out_everywhere(parts, _account_identity(parts).subject)
        return _signed_out()


def _add_credentials(api: Blueprint, parts: AccountParts) -> None:
    @api.post("/password")
    @described_by(OPERATIONS["change_password"])
    def change_password() -> Any:
        account_id = _account_identity(parts).subject
        credentials.change_password(parts, account_id, _body(ChangePassword), place())
        return _signed_out()

    @api.post("/reset")
    @described_by(OPERATIONS["ask_reset"])
    def ask_reset() -> Any:
        credentials.ask_reset(parts, _body(WantReset).email, place())
        return json_document(_LOOK_AT_YOUR_MAIL), 202

    @api.post("/reset/confirm")
    @described_by(OPERATIONS["reset_password"])
    def reset_password() -> Any:
        credentials.reset_password(parts, _body(ResetPassword))
        return "", 204

    @api.delete("/account")
    @described_by(OPERATIONS["delete_account"])
    def delete_account() -> Any:
        account_id = _account_identity(parts).subject
        password = _body(DeleteAccount).password
        credentials.delete_account(parts, account_id, password, place())
        return _signed_out()


def _body(document: type[B]) -> B:
    """The request's body, checked.

    Raises:
        UnsupportedMediaType: it does not say that it is JSON.
        RequestEntityTooLarge: it is longer than 16 KiB.
        InvalidRequest: it is not what the endpoint takes.
    """
    if request.mimetype != _JSON:
        raise UnsupportedMediaType("Send the body as application/json.")
    body = read_body(MAX_BODY_BYTES)
    try:
        return document.model_validate_json(body)
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False, include_context=False)
        raise InvalidRequest(complaints(listed)) from None


def _account_identity(parts: AccountParts) -> Identity:
    """The caller, who must have signed in with a local account.

    Raises:
        AccessDenied: the token is another one, of `licet token` or of a foreign issuer.
    """
    identity = authenticate()
    if identity.issuer != parts.issuer.issuer or "sid" not in identity.claims:
        raise AccessDenied("This token is not of a local account's session.")
    return identity


def _signed_out() -> Response:
    response = Response(status=204)
    if signed_in() is not None:
        end_cookie(response)
    return response


def _do_not_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
