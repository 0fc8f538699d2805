"""An error as the document of an endpoint's style: a problem, JSON:API's, or seed document 004's.

Any exception can be given: what is no HTTP error becomes a 500 that tells nothing but its id in the
log. The fourth shape, the Action Provider Interface's, is `licet.errors.rendering.error_document`.

Source: RFC 9457; JSON:API 1.1, "Error Objects"; seed document 004.
"""

from __future__ import annotations

import json
from typing import Any, Final

from licet.errors._rfc9457 import named
from licet.errors.base import HTTPError
from licet.errors.places import FieldError
from licet.errors.rendering import ErrorDocument, error_document, problem_parts
from licet.wire.text import readable

__all__ = ["JSON_API", "JSON_API_VERSION", "as_json_api", "as_message", "as_problem"]

JSON_API: Final = "application/vnd.api+json"
JSON_API_VERSION: Final = "1.1"
Parts = tuple[str, int, dict[str, str]]


def as_problem(error: Exception, path: str, *, error_id: str | None = None) -> Parts:
    """Body, status and headers of the problem document about a request to `path`."""
    return problem_parts(error, path, **_id_member(error_id))


def as_message(error: Exception, path: str, *, error_id: str | None = None) -> Parts:  # noqa: ARG001 - all shapes take the same
    """Seed document 004's ``{"_status": "ERR", "_error": {"message": …}}``.

    The places of the faults are in ``_error.errors``, where there are some.
    """
    found = error_document(error)
    told: dict[str, Any] = {"message": found.description, **_id_member(error_id)}
    if isinstance(error, HTTPError) and error.errors:
        told["errors"] = [one.as_dict() for one in error.errors]
    body = json.dumps({"_status": "ERR", "_error": told})
    return body, found.status, {**found.headers, "Content-Type": "application/json"}


def as_json_api(
    error: Exception,
    path: str,  # noqa: ARG001 - as above
    *,
    error_id: str | None = None,
    version: str = JSON_API_VERSION,
) -> Parts:
    """JSON:API's ``{"errors": […]}``: one error object for each fault, with its ``source``."""
    found = error_document(error)
    code = error.code_name if isinstance(error, HTTPError) else named(found.status)[1]
    faults = (error.errors if isinstance(error, HTTPError) else ()) or [None]
    errors = [_json_api_object(one, found, code) for one in faults]
    if error_id is not None:
        errors[0]["id"] = error_id
    body = json.dumps({"errors": errors, "jsonapi": {"version": version}})
    return body, found.status, {**found.headers, "Content-Type": JSON_API}


def _json_api_object(fault: FieldError | None, error: ErrorDocument, code: str) -> dict[str, Any]:
    """The error object of one fault, which may have a status and code of its own; or of none."""
    status: int = getattr(fault, "status", error.status)
    places = {} if fault is None else fault.source()
    source = {name: readable(place) for name, place in places.items()}
    return {
        "status": str(status),
        "code": getattr(fault, "code", code),
        "title": named(status)[0],
        "detail": readable(error.description if fault is None else fault.detail),
        **({"source": source} if source else {}),
    }


def _id_member(error_id: str | None) -> dict[str, str]:
    return {} if error_id is None else {"error_id": error_id}
