"""What the JSON endpoints of accounts take and answer, for the OpenAPI document of their app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

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
)
from licet.wire.described import PROBLEM, Answer, Content, Described, Example

__all__ = ["OPERATIONS"]

_TEXT: Final = {"type": "string"}
_EMAIL: Final = "ada@example.org"
_PASSWORD: Final = "seven small otters"  # noqa: S105 - of examples
_SECRET: Final = "a-token-of-the-mail"  # noqa: S105 - stands for one of an example's set-up
_REFRESH: Final = "a-refresh-token"
_MAIL: Final = {"message": "Look at your mail."}
_MESSAGE: Final = {"type": "object", "properties": {"message": _TEXT}, "required": ["message"]}
_TOKENS: Final = {
    "type": "object",
    "properties": {
        "access_token": _TEXT,
        "token_type": {"type": "string", "enum": ["Bearer"]},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "refresh_token": _TEXT,
        "scope": {"type": "string", "description": "With spaces between them."},
    },
    "required": ["access_token", "token_type", "expires_in", "refresh_token", "scope"],
}
_WHO: Final = {
    "type": "object",
    "properties": {
        "account_id": _TEXT,
        "email": _TEXT,
        "roles": {"type": "array", "items": _TEXT},
        "scope": _TEXT,
        "csrf_token": {
            "type": ["string", "null"],
            "description": "For X-CSRF-Token, where a cookie says who asks.",
        },
    },
    "required": ["account_id", "email", "roles", "scope", "csrf_token"],
}
_ANY: Final[Mapping[int, str]] = {503: "The database does not answer."}
_OF_BODIES: Final[Mapping[int, str]] = {
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A member is missing, wrong, or unknown.",
}
_TRIES: Final[Mapping[int, str]] = {429: "Too many attempts: Retry-After says when."}
_CALLER: Final[Mapping[int, str]] = {
    401: "Nobody is signed in, or the token is not acceptable.",
    403: "The token is not of a local account's session, or X-CSRF-Token is missing.",
}
_NEEDED: Final[Mapping[int, str]] = {409: "The app needs the account; the detail says for what."}
_CLOSED: Final[Mapping[int, str]] = {403: "Sign-up is closed here."}
_WRONG: Final[Mapping[int, str]] = {401: "The address or the password is wrong."}
_LINK: Final[Mapping[int, str]] = {400: "The token of the mail is wrong, used, or too old."}
_VARY: Final = ("/access_token", "/refresh_token", "/expires_in", "/scope")


def _operation(
    summary: str,
    answer: Answer,
    *refusals: Mapping[int, str],
    body: type[BaseModel] | None = None,
    sent: Any = None,
    shown: Any = None,
    varies: tuple[str, ...] = (),
    is_open: bool = False,
) -> Described:
    all_refusals: dict[int, str] = dict(_ANY)
    for some in (*refusals, _OF_BODIES if body is not None else {}):
        all_refusals |= some
    example = Example(
        status=answer.status,
        varies=varies,
        **({} if sent is None else {"body": sent}),
        **({} if shown is None else {"answer": shown}),
    )
    return Described(
        summary=summary,
        tag="accounts",
        body=None if body is None else Content(schema=body, is_required=body is not SignOut),
        answers=(answer,),
        refusals=all_refusals,
        errors=PROBLEM,
        examples=(example,),
        may_be_nobody=is_open,
    )


def _json(schema: dict[str, Any], told: str, status: int = 200, name: str = "") -> Answer:
    return Answer(status=status, description=told, content=Content(schema=schema, name=name))


_DONE: Final = Answer(status=204, description="Done.")
_SENT: Final = _json(_MESSAGE, "A mail was sent, if it was due.", 202, "MailSent")
_GIVEN: Final = _json(_TOKENS, "An access token and a refresh token.", name="Tokens")

OPERATIONS: Final[Mapping[str, Described]] = {
    "sign_up": _operation(
        "Ask for an account; the answer is the same whether there is one.",
        _SENT,
        _TRIES,
        _CLOSED,
        body=SignUp,
        sent={"email": _EMAIL, "password": _PASSWORD},
        shown=_MAIL,
        is_open=True,
    ),
    "verify": _operation(
        "Confirm the address of a new account.",
        _DONE,
        _LINK,
        _TRIES,
        _CLOSED,
        _WRONG,
        body=ConfirmAddress,
        sent={"token": _SECRET, "password": _PASSWORD},
        is_open=True,
    ),
    "sign_in": _operation(
        "Sign in.",
        _GIVEN,
        _WRONG,
        _TRIES,
        {403: "The account may not be used."},
        body=SignIn,
        sent={"email": _EMAIL, "password": _PASSWORD},
        shown={"token_type": "Bearer"},
        varies=_VARY,
        is_open=True,
    ),
    "session": _operation(
        "Who is signed in.",
        _json(_WHO, "The account, and what the token is for.", name="Session"),
        _CALLER,
        shown={"email": _EMAIL},
    ),
    "refresh": _operation(
        "Get new tokens for a refresh token, which is used up by it.",
        _GIVEN,
        {401: "The refresh token is wrong, used, or withdrawn."},
        _TRIES,
        body=Refresh,
        sent={"refresh_token": _REFRESH},
        shown={"token_type": "Bearer"},
        varies=_VARY,
        is_open=True,
    ),
    "logout": _operation(
        "End the session of a refresh token; without one, the caller's own.",
        _DONE,
        _CALLER,
        body=SignOut,
        sent={"refresh_token": _REFRESH},
        is_open=True,
    ),
    "logout_everywhere": _operation("End all sessions of the caller.", _DONE, _CALLER),
    "change_password": _operation(
        "Change the password, which ends all sessions.",
        _DONE,
        _CALLER,
        _TRIES,
        body=ChangePassword,
        sent={"current_password": _PASSWORD, "new_password": f"{_PASSWORD} more"},
    ),
    "ask_reset": _operation(
        "Ask for a new password; the answer is the same whether there is such an account.",
        _SENT,
        _TRIES,
        body=WantReset,
        sent={"email": _EMAIL},
        shown=_MAIL,
        is_open=True,
    ),
    "reset_password": _operation(
        "Set a new password with the token of a mail.",
        _DONE,
        _LINK,
        _TRIES,
        body=ResetPassword,
        sent={"token": _SECRET, "password": f"{_PASSWORD} more"},
        is_open=True,
    ),
    "delete_account": _operation(
        "Delete the caller's account.",
        _DONE,
        _CALLER,
        _NEEDED,
        _TRIES,
        body=DeleteAccount,
        sent={"password": _PASSWORD},
    ),
}
