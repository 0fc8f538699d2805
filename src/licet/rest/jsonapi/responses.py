"""Answers over HTTP: documents and errors of JSON:API, each for its caller alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, default_exceptions

from licet.errors import ServiceUnavailable
from licet.errors.rendering import is_final
from licet.rest.endpoints.requests import keep_private
from licet.rest.etag import quoted
from licet.rest.jsonapi.negotiation import MEDIA_TYPE
from licet.rest.jsonapi.values import finite
from licet.rest.problems import log_error_id
from licet.rest.shapes import JSON_API_VERSION, as_json_api

__all__ = ["answer_errors_of", "answered", "answers_errors_of", "as_document", "private"]


_VERSIONS: Final = "licet.jsonapi.versions"


def answered(document: Mapping[str, Any], status: int = 200, *, tag: str | None = None) -> Response:
    """The answer that has the document, with JSON:API's version and its tag."""
    document = {**document, "jsonapi": {"version": _version()}}
    write = partial(json.dumps, separators=(",", ":"), default=str, allow_nan=False)
    try:
        text = write(document)
    except ValueError:  # a column of JSON holds what JSON does not have
        text = write(finite(document))
    return private(Response(text, status, content_type=MEDIA_TYPE), tag)


def private(response: Response, tag: str | None = None) -> Response:
    """The answer, with its tag, for whoever asked and nobody else."""
    if tag is not None:
        response.headers["ETag"] = quoted(tag)
    if "Accept" not in response.headers.getlist("Vary"):
        response.headers.add("Vary", "Accept")
    keep_private(response.headers)
    return response


def as_document(error: HTTPException) -> Response | HTTPException:
    """Any HTTP error; of an unexpected exception nothing is told but its id in the log."""
    if is_final(error):
        return error
    if isinstance(error, ServiceUnavailable):
        error.log_reason(str(request.endpoint))
    cause = getattr(error, "original_exception", None)
    error_id = None if cause is None else log_error_id(cause)
    parts = as_json_api(error, request.path, error_id=error_id, version=_version())
    return private(Response(*parts))


def _version() -> str:
    """What the documents of the endpoint tell of JSON:API's version."""
    versions: Mapping[str, str] = current_app.extensions.get(_VERSIONS, {})
    return versions.get(request.blueprint or "", JSON_API_VERSION)


def answer_errors_of(blueprint: Blueprint, version: str = JSON_API_VERSION) -> None:
    """Have the errors of a blueprint, which is not registered yet, be JSON:API's.

    Its documents, errors or not, tell this version.
    """

    def note(state: BlueprintSetupState) -> None:
        state.app.extensions.setdefault(_VERSIONS, {})[state.name] = version

    blueprint.record(note)
    for code in default_exceptions:
        blueprint.register_error_handler(code, as_document)
    blueprint.register_error_handler(HTTPException, as_document)


def answers_errors_of(app: Flask, blueprint: str) -> bool:
    """Whether the errors of a blueprint, by its name, are JSON:API's."""
    by_code = app.error_handler_spec.get(blueprint, {})
    return by_code.get(None, {}).get(HTTPException) is as_document
