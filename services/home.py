"""The page at ``/`` of the site: services, accounts and documents, as HTML or JSON by Accept."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from flask import Flask, Response, jsonify, make_response, render_template, request

from licet.authz import PUBLIC, declare, public
from licet.rest.openapi import documented

__all__ = ["add_home"]


class Service(NamedTuple):
    """One line of the page."""

    path: str
    name: str
    about: str


SERVICES: Final = (
    Service("/skeleton/", "watchasay", "An action provider of helper functions: it repeats you."),
    Service("/apt/", "apt_blueprint", "A clock, with every operation of an action provider."),
    Service("/count/", "count", "A durable action that counts, and goes on after a crash."),
    Service(
        "/letter/",
        "letter",
        "A durable action that is sent when you resume it.",
    ),
    Service("/v1", "conference", "A conference; this document has a link to each collection."),
    Service("/v1/events", "conference", "Events of a conference, as far as you may see them."),
    Service("/v1/sessions", "conference", "Its 40 sessions; everybody sees the accepted ones."),
    Service("/v1/speakers", "conference", "Its speakers, without their addresses."),
)
ACCOUNTS: Final = {
    "admin": "everything",
    "alice": "owns the second event",
    "bob": "sees and changes the sessions that he submitted, and may submit more",
    "carol": "as bob, but may make no events: her address is not confirmed",
    "owner": "owns the first event and the draft: everything with their sessions and speakers",
    "organizer": "as owner",
    "coorganizer": "as owner",
    "track-organizer": "sees and changes all sessions and speakers of these two events",
    "moderator": "sees all sessions and speakers of these two events",
    "registrar": "sees these two events",
    "reviewer": "sees the sessions of all events, by grants that end in 2100",
    "former-reviewer": "as anybody: these grants have expired",
}
DOCUMENTS: Final = {
    "/docs": "every operation, to read and to try",
    "/openapi.json": "the same as an OpenAPI document",
    "/.well-known/openid-configuration": "who makes the site's tokens",
    "/.well-known/jwks.json": "the keys that they are checked with",
    "/.well-known/oauth-protected-resource": "whose tokens the site takes",
}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def add_home(app: Flask) -> None:
    """Serve the page."""
    declare(app, "static", access=PUBLIC)  # the page's style sheet

    @app.get("/")
    @public
    @documented("What the site serves: JSON, or a page for browsers.", answer={}, media_type="*/*")
    def home() -> Response:
        answer = _page() if _wants_page() else jsonify(_document())
        answer.vary.add("Accept")
        return answer


def _wants_page() -> bool:
    """Whether a browser asks; who takes anything, as curl does, gets the document."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _document() -> dict[str, Any]:
    return {
        "services": [service._asdict() for service in SERVICES],
        "accounts": ACCOUNTS,
        "documents": DOCUMENTS,
    }


def _page() -> Response:
    page = make_response(
        render_template(
            "site_home.html",
            services=SERVICES,
            accounts=ACCOUNTS,
            documents=DOCUMENTS,
            url=request.host_url.rstrip("/"),
        )
    )
    page.headers.extend(_HEADERS)
    return page
