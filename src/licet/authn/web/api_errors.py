"""Errors of licet's own JSON endpoints: problem documents, whatever handlers the app has."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, default_exceptions

from licet.errors import ServiceUnavailable
from licet.errors.base import path_of
from licet.errors.rendering import is_final, problem_parts

__all__ = ["answer_with_documents"]


def answer_with_documents(api: Blueprint) -> None:
    """Answer every HTTP error of the blueprint with a problem document.

    Flask asks for handlers by status before those by class, so that the app's ``errorhandler(401)``
    would answer programs with a page. Unexpected exceptions go Flask's way.
    """
    api.register_error_handler(HTTPException, _document)
    for status in default_exceptions:
        api.register_error_handler(status, _document)


def _document(error: HTTPException) -> ResponseReturnValue | HTTPException:
    if is_final(error):
        return error
    if isinstance(error, ServiceUnavailable):
        error.log_reason(str(request.endpoint))
    return problem_parts(error, path_of(request))
