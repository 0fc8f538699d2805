"""Where everything is: at the path of the service, and at ``/`` where it is alone."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from licet.authz import public
from licet.rest.jsonapi import JsonApi
from licet.rest.jsonapi.responses import answered
from licet.rest.openapi import Content, Example, documented
from licet.rest.shapes import JSON_API
from services.open_event.resources import RESOURCES

MESSAGE = "The conference: its collections are below, and what they take is at /docs."
LINK = {"type": "string"}
HOME = {
    "type": "object",
    "properties": {
        "meta": {"type": "object", "properties": {"message": LINK}},
        "links": {"type": "object", "additionalProperties": LINK},
    },
    "required": ["meta", "links"],
}


def make_home(api: JsonApi) -> Blueprint:
    """The blueprint, which is registered at the prefix of the API."""
    blueprint = Blueprint("open_event_home", __name__)
    api.answer_errors_of(blueprint)

    @blueprint.get("", strict_slashes=False)
    @public
    @documented(
        "Where the collections are.",
        name="get_home",
        tag="home",
        answer=Content(schema=HOME, media_type=JSON_API),
        examples=[Example(answer={"meta": {"message": MESSAGE}})],
    )
    def home() -> Response:
        return shown(api)

    return blueprint


def add_root(app: Flask, api: JsonApi) -> None:
    """Serve the same at ``/``."""
    blueprint = Blueprint("open_event_root", __name__)
    api.answer_errors_of(blueprint)

    @blueprint.get("/")
    @public
    @documented(
        "Where everything is.",
        name="get_root",
        tag="home",
        answer=Content(schema=HOME, media_type=JSON_API),
        examples=[Example(answer={"meta": {"message": MESSAGE}})],
    )
    def root() -> Response:
        return shown(api)

    app.register_blueprint(blueprint)


def shown(api: JsonApi) -> Response:
    """The document: a link of each collection that may be listed, and of what is beside them."""
    base = request.root_path
    at = base + api.prefix
    named = [one.url for one in RESOURCES if one.verbs.covers("LIST") or one.is_single]
    links = {
        "self": at,
        **{name: f"{at}/{name}" for name in named},
        "upcoming": f"{at}/events/upcoming",
        "states": f"{at}/sessions/states",
        "describedby": f"{base}/openapi.json",
        "docs": f"{base}/docs",
    }
    return answered({"meta": {"message": MESSAGE}, "links": links})
