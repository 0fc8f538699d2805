"""What all of licet's sign-in pages share: plain HTML, strict headers, errors as pages.

The templates have a Jinja environment of their own. An app may choose other delimiters for its
templates, switch their escaping off, or add names and context processors that need its own users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, current_app, make_response, request, url_for
from flask.blueprints import BlueprintSetupState
from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel

from licet.authn.web.bodies import read_body
from licet.authn.web.cookies import CSRF_FIELD, check_form, csrf_token, ensure_form_cookie
from licet.errors.base import HTTPError
from licet.errors.rendering import error_document
from licet.settings.state import app_state
from licet.wire.described import PAGE, Answer, Content, Described, described_by

__all__ = [
    "ACCOUNT_PAGES",
    "SIGN_IN_PAGES",
    "page",
    "prepare_pages",
    "problem_page",
    "sign_in_url",
    "you_url",
]

ACCOUNT_PAGES: Final = "licet_account_pages"
SIGN_IN_PAGES: Final = "licet_sign_in"
MAX_FORM_BYTES: Final = 16 * 1024
_TOLD: Final = "A page says what is wrong."
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def prepare_pages(
    pages: Blueprint, forms: Mapping[str, tuple[type[BaseModel], tuple[str, ...]]] | None = None
) -> None:
    """Have a blueprint check its forms, show its errors as pages, and harden what it sends.

    Args:
        pages: the blueprint.
        forms: what the form of a view has, by the view's name: the fields of a document, and more.
    """
    for kind in _kinds_of(HTTPError):  # each, because Flask asks the app's handlers by status first
        pages.register_error_handler(kind, _error_page)
    pages.record(lambda state: _describe(state, forms or {}))
    pages.before_request(_check_form)
    pages.after_request(_harden)


def _describe(
    state: BlueprintSetupState, forms: Mapping[str, tuple[type[BaseModel], tuple[str, ...]]]
) -> None:
    """Tell the OpenAPI document of the app that these views are pages."""
    prefix = f"{state.name}."
    for endpoint, view in state.app.view_functions.items():
        if endpoint.startswith(prefix) and not endpoint.endswith(".static"):
            fields, others = forms.get(endpoint.removeprefix(prefix), (BaseModel, ()))
            described_by(partial(_described, _form_of(fields, others)))(view)


def _form_of(document: type[BaseModel], others: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a form with the fields of a document, with others, and with its token."""
    fields = document.model_fields
    members = {
        name: {"type": "string", **({"format": "password"} if "password" in name else {})}
        for name in (*fields, *others)
    }
    token = {"type": "string", "description": "Of the page; or in the header X-CSRF-Token."}
    found: dict[str, Any] = {"type": "object", "properties": {**members, CSRF_FIELD: token}}
    needed = [name for name, one in fields.items() if one.is_required()]
    return {**found, "required": needed} if needed else found


def _described(form: dict[str, Any], method: str, rule: str) -> Described:
    """A page, or the form of one."""
    shown = Content(schema={"type": "string"}, media_type="text/html")
    sent = Content(schema=form, media_type="application/x-www-form-urlencoded")
    statuses = {200: "A page.", 202: "A page."} if method == "POST" else {200: "A page."}
    answers = (Answer(status=s, description=told, content=shown) for s, told in statuses.items())
    leads_on = (Answer(status=code, description="It leads on.") for code in (302, 303))
    return Described(
        summary=f"A page for browsers: {rule}.",
        body=sent if method == "POST" else None,
        answers=(*answers, *leads_on),
        refusals=dict.fromkeys((400, 401, 403, 404, 413, 422, 429, 502, 503), _TOLD),
        errors=PAGE,
        may_be_nobody=True,
    )


def _kinds_of(kind: type[HTTPError]) -> Iterator[type[HTTPError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds_of(narrower)


def _error_page(error: Exception) -> Response:
    return problem_page("problem", error)


def _check_form() -> None:
    if request.method == "POST":
        read_body(MAX_FORM_BYTES)
        check_form()


def _harden(response: Response) -> Response:
    ensure_form_cookie(response)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def page(template: str, *, status: int = 200, **values: Any) -> Response:
    """One of the pages."""
    sign_up_is_open = app_state(current_app).settings.accounts.sign_up == "open"
    found = _templates().get_template(f"licet_accounts/{template}.html")
    response = make_response(found.render(sign_up_is_open=sign_up_is_open, **values))
    response.mimetype = "text/html"
    response.status_code = status
    return response


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        auto_reload=False,
    )
    made.globals.update(
        url_for=url_for,
        csrf_token=csrf_token,
        sign_in_url=sign_in_url,
        sign_in_links=_sign_in_links,
    )
    return made


def problem_page(template: str, error: Exception, **values: Any) -> Response:
    """A page that says what was wrong."""
    document = error_document(error)
    response = page(template, status=document.status, problem=document.description, **values)
    response.headers.extend(document.headers)
    return response


def sign_in_url(**values: Any) -> str:
    """The path of the page to sign in with, whoever serves it."""
    return url_for(f"{_who_serves()}.sign_in", **values)


def you_url() -> str:
    """The path of the page that says who is signed in, whoever serves it."""
    return url_for(f"{_who_serves()}.you")


def _who_serves() -> str:
    has_accounts = app_state(current_app).settings.accounts.enabled
    return ACCOUNT_PAGES if has_accounts else SIGN_IN_PAGES


def _sign_in_links(next_path: str = "") -> list[tuple[str, str]]:
    """Label and path of each foreign provider where people may sign in."""
    following = next_path or None
    return [
        (provider.label, url_for(f"{SIGN_IN_PAGES}.begin", name=provider.name, next=following))
        for provider in app_state(current_app).settings.providers
        if provider.client_id
    ]
