"""Sign-up and sign-in in the original's spellings, by licet's accounts.

``POST /users`` has the address confirmed by a mail, whether it has an account or not. The names
that came with it wait beside the sign-up, and the latest sign-up of an address counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flask import Blueprint, Response, current_app, jsonify, make_response
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import SignIn, SignUp
from licet.authn.accounts.flask import accounts_of
from licet.authn.accounts.parts import AccountParts
from licet.authn.web.described import OPERATIONS
from licet.authn.web.devices import place
from licet.authz import public
from licet.rest.endpoints.requests import begin
from licet.rest.jsonapi import JsonApi
from licet.rest.jsonapi.errors import Problem, Refused, in_body
from licet.rest.jsonapi.names import by_name, dashed, found_in
from licet.rest.jsonapi.responses import answered
from licet.rest.openapi import Content, Example, documented
from licet.rest.shapes import JSON_API
from licet.wire.described import JSON_API as JSON_API_ERRORS
from licet.wire.described import described_by
from services.open_event.models import Profile, address_key
from services.open_event.rules.refusals import attribute, invalid, refuse
from services.open_event.rules.urls import is_wrong

from .bodies import read_data

NAMES = ("first_name", "last_name", "avatar_url", "facebook_url", "twitter_url")
MORE_NAMES = ("instagram_url", "github_url")
TAKEN = by_name((name, name) for name in ("email", "password", *NAMES, *MORE_NAMES))
LASTS = timedelta(hours=24)
MOST = 500
MESSAGE = "Look at your mail: the address has to be confirmed."
EXAMPLE = {"email": "ada@example.org", "password": "seven small otters", "first-name": "Ada"}
TEXT = {"type": "string"}
ATTRIBUTES = {
    "type": "object",
    "properties": {dashed(name): TEXT for name in ("email", "password", *NAMES, *MORE_NAMES)},
    "required": ["email", "password"],
}
USER = {
    "type": "object",
    "properties": {"type": {"type": "string", "const": "user"}, "attributes": ATTRIBUTES},
    "required": ["type", "attributes"],
}
NEW_USER = {"type": "object", "properties": {"data": USER}, "required": ["data"]}
SENT = {
    "type": "object",
    "properties": {"meta": {"type": "object", "properties": {"message": TEXT}}},
    "required": ["meta"],
}
_LOG_IN: Final = replace(
    OPERATIONS["sign_in"],
    name="log_in",
    tag="user",
    errors=JSON_API_ERRORS,
    refusals={400: "The body is no JSON object.", **OPERATIONS["sign_in"].refusals},
)


def make_accounts(api: JsonApi, new_session: Callable[[], Session]) -> Blueprint:
    """The blueprint; `new_session` gives a session of its own for the names."""
    blueprint = Blueprint("open_event_accounts", __name__)
    api.answer_errors_of(blueprint)

    @blueprint.post("/users")
    @public
    @documented(
        "Ask for an account; the answer is the same whether there is one.",
        name="create_user",
        tag="user",
        body=Content(schema=NEW_USER, media_type=JSON_API),
        answer=Content(schema=SENT, media_type=JSON_API),
        status=202,
        refusals={
            403: "Sign-up is closed here.",
            409: "The type is another.",
            422: "Values are missing, wrong, or not to be chosen; each has its pointer.",
            429: "Too many attempts: Retry-After says when.",
        },
        examples=[
            Example(
                body={"data": {"type": "user", "attributes": EXAMPLE}},
                status=202,
                answer={"meta": {"message": MESSAGE}},
            )
        ],
    )
    def sign_up() -> Response:
        begin()
        given = _given(read_data())
        asked = _checked(SignUp, {name: given.pop(name, None) for name in ("email", "password")})
        parts = accounts_of(current_app)
        credentials.sign_up(parts, asked, place())
        parts.outbox.offer(lambda: _keep_names(parts, new_session, asked.email, given))
        return answered({"meta": {"message": MESSAGE}}, 202)

    @blueprint.post("/auth/session")
    @blueprint.post("/auth/login")
    @public
    @described_by(_LOG_IN)
    def sign_in() -> Response:
        asked = _checked(SignIn, read_data())
        grant = sessions.sign_in(accounts_of(current_app), asked, place())
        response = make_response(jsonify(grant.as_dict()))
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


def _keep_names(
    parts: AccountParts, new_session: Callable[[], Session], email: str, names: dict[str, Any]
) -> None:
    """Keep the names until the address is confirmed, unless it has an account.

    That is found out after the answer, as the answer must not tell it.
    """
    if parts.store.find(address_key(email) or "") is not None:
        return
    ends_at = datetime.now(UTC) + LASTS
    with new_session() as session:
        session.merge(Profile(email_key=address_key(email), names=names, expires_at=ends_at))
        session.commit()


def _given(data: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a new user.

    Raises:
        Refused: 409 when it is another type, 422 for what nobody chooses.
    """
    if data.get("type") not in ("user", "users"):
        raise in_body("/data/type", "The type here is user.", status=409, code="type_mismatch")
    attributes = data.get("attributes")
    if not isinstance(attributes, dict) or set(data) - {"type", "attributes"}:
        raise in_body("/data", "A new user has the members type and attributes.")
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for member, value in attributes.items():
        name = found_in(TAKEN, member)
        if name is None:
            problems.append(invalid(member, f"{member[:60]} may not be written."))
        elif name not in ("email", "password") and not _is_text(name, value):
            problems.append(invalid(name, f"{dashed(name)} must be a text, or a URL."))
        else:
            found[name] = value
    refuse(*problems)
    return {name: value for name, value in found.items() if value is not None}


def _is_text(name: str, value: Any) -> bool:
    if value is None:
        return True
    is_short = isinstance(value, str) and len(value) <= (MOST if name.endswith("url") else 100)
    if not is_short or (name.endswith("url") and is_wrong(value)):
        return False
    return all(one != "\0" and not "\ud800" <= one <= "\udfff" for one in value)


def _checked(document: type[Any], values: dict[str, Any]) -> Any:
    """The document that these values are.

    Raises:
        Refused: 422, with each field.
    """
    if not issubclass(document, BaseModel):
        raise TypeError(document)
    try:
        return document.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise Refused(*(_problem(one) for one in found)) from None


def _problem(error: Any) -> Problem:
    name = str(next(iter(error["loc"]), "password"))
    text = str(error["msg"]).removeprefix("Value error, ")
    return Problem(
        status=422, code="invalid_field", detail=f"{name}: {text}.", pointer=attribute(name)
    )
