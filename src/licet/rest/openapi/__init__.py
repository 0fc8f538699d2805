"""OpenAPI 3.1 of an app: the document, where it is served, and what plain views say for it."""

from licet.rest.openapi.document import About, document_of
from licet.rest.openapi.documented import documented
from licet.rest.openapi.flask import OpenApi, openapi_of
from licet.rest.openapi.resources import shown_by
from licet.wire.described import Content, Example

__all__ = [
    "About",
    "Content",
    "Example",
    "OpenApi",
    "document_of",
    "documented",
    "openapi_of",
    "shown_by",
]
