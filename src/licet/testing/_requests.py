"""The request that an example of a document is, as it goes over the wire.

What the document does not have, the example does not send: a parameter or a body of another form
than the operation's would prove nothing about it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from licet.testing._comparing import replaced
from licet.wire.described import NOTHING

__all__ = ["Request", "RequestFault", "faults_of", "request_of"]

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_FILES: Final = "multipart/form-data"
_OWN: Final = frozenset({"accept", "content-type", "authorization"})  # OpenAPI's, elsewhere


class RequestFault(ValueError):
    """The example is no request that can be sent."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent: the path with its query, the headers, and the body."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    document: Any = NOTHING  # what the body says


def request_of(
    path: str,
    operation: Mapping[str, Any],
    example: Mapping[str, Any],
    values: Mapping[str, str],
    *sent: Mapping[str, str],
) -> Request:
    """The request of an example, with what a set-up made in place of what stands for it.

    Args:
        path: the operation's, with ``{name}`` for each parameter.
        operation: of the document.
        example: of the operation.
        values: of the set-up.
        sent: headers; of one name the last counts, and of the example's it counts before these.

    Raises:
        RequestFault: a parameter of the path has no value, or the body cannot be written.
    """
    written = _path_of(path, replaced(dict(example.get("path", {})), values))
    if query := example.get("query"):
        written = f"{written}?{urlencode(replaced(query, values), doseq=True)}"
    contract, *given = sent
    headers = _merged(contract, replaced(dict(example.get("headers", {})), values))
    body = replaced(example.get("body", NOTHING), values)
    if body is NOTHING:
        return Request(path=written, headers=_merged(headers, *given))
    contents = operation.get("requestBody", {}).get("content", {})
    headers = _merged({"Content-Type": next(iter(contents), _JSON)}, headers, *given)
    kind = next(headers.pop(name) for name in [*headers] if name.lower() == "content-type")
    content = contents.get(_essence(kind), {})
    kind, data = _written(kind, body, content.get("schema", {}))
    return Request(
        path=written, headers={**headers, "Content-Type": kind}, body=data, document=body
    )


def faults_of(
    parameters: Iterable[Mapping[str, Any]],
    operation: Mapping[str, Any],
    example: Mapping[str, Any],
    request: Request,
) -> Iterator[str]:
    """What of a request the document does not have, or demands and does not get."""
    named = {(one["in"], one["name"].lower()): one for one in parameters}
    for name in example.get("query", {}):
        if ("query", name.lower()) not in named:
            yield f"the document has no parameter {name!r} in the query"
    sent = {("query", name.lower()) for name in example.get("query", {})}
    sent |= {("header", name.lower()) for name in request.headers}
    for place, name in named.keys() - sent:
        if place in ("query", "header") and name not in _OWN and named[place, name].get("required"):
            yield f"the document demands the {place} parameter {named[place, name]['name']!r}"
    body = operation.get("requestBody")
    if request.body is None:
        if body is not None and body.get("required"):
            yield "the document demands a body"
    elif body is None:
        yield "the example has a body, and the document none"
    elif (kind := _essence(request.headers["Content-Type"])) not in body["content"]:
        yield f"the example sends {kind}, and the document has {' or '.join(body['content'])}"


def _path_of(path: str, given: Mapping[str, str]) -> str:
    names = set(re.findall(r"{([^}]*)}", path))
    if lacking := sorted(names - given.keys()):
        raise RequestFault(f"the example has no value for {lacking[0]!r} in the path")
    if unknown := sorted(given.keys() - names):
        raise RequestFault(f"the path has no parameter {unknown[0]!r}")
    return re.sub(r"{([^}]*)}", lambda found: quote(given[found[1]], safe=""), path)


def _merged(*sent: Mapping[str, str]) -> dict[str, str]:
    """The headers, of which each name counts once, however it is written."""
    found: dict[str, tuple[str, str]] = {}
    for headers in sent:
        found.update({name.lower(): (name, value) for name, value in headers.items()})
    return dict(found.values())


def _essence(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _written(kind: str, body: Any, schema: Mapping[str, Any]) -> tuple[str, bytes]:
    """The media type and the bytes of a body."""
    essence = _essence(kind)
    if essence.endswith("json"):
        return kind, json.dumps(body).encode()
    if essence == _FORM and isinstance(body, dict):
        return kind, urlencode(body, doseq=True).encode()
    if essence == _FILES and isinstance(body, dict):
        inner = schema.get("properties", {})
        parts = {name: _part(name, one, inner.get(name, {})) for name, one in body.items()}
        boundary, data = encode_multipart(parts)
        return f"{_FILES}; boundary={boundary}", data
    if isinstance(body, str):
        return kind, body.encode()
    raise RequestFault(f"a body of {essence} is written as text, and the example has {body!r}")


def _part(name: str, value: Any, schema: Mapping[str, Any]) -> Any:
    """A field of a form; a file, where its schema says so."""
    is_file = schema.get("format") == "binary" or "contentMediaType" in schema
    if not is_file:
        return [str(one) for one in value] if isinstance(value, list) else str(value)
    kind = schema.get("contentMediaType", "application/octet-stream")
    return FileStorage(io.BytesIO(str(value).encode()), filename=name, content_type=kind)
