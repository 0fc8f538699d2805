"""The JSON of a request's body: read strictly, with the place of what is wrong.

What two readers could take for two documents is refused: members that come twice, NaN, numbers
beyond the range, text that is not Unicode. What schemas say of the values is `licet.rest.schemas`'.

Source: RFC 8259; RFC 9110 sections 8.3 and 8.4.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, Final

from werkzeug.http import parse_options_header

from licet.errors import InvalidRequest, MalformedRequest, UnsupportedBody
from licet.errors.names import with_article
from licet.errors.places import FieldError, json_pointer
from licet.wire.documents import parse_json
from licet.wire.text import unstorable

__all__ = ["JSON", "MAX_DEPTH", "read_json", "require_media_type"]

JSON: Final = "application/json"
MAX_DEPTH: Final = 32
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_MOST_FAULTS: Final = 20
Path = tuple[Any, ...] | None  # the innermost name first, then the path to it
Pairs = list[tuple[str, Any]]


def read_json(
    raw: bytes,
    content_type: str | None,
    *,
    content_encoding: str | None = None,
    accepted: Collection[str] = (JSON,),
    max_depth: int = MAX_DEPTH,
) -> Any:
    """The document in a body.

    Args:
        raw: the body.
        content_type: its header.
        content_encoding: its header; a compressed body is not taken.
        accepted: the media types that the endpoint takes.
        max_depth: how deep arrays and objects may be nested.

    Raises:
        UnsupportedBody: the body is of another type, charset or encoding.
        MalformedRequest: there is no body, or it is no JSON, too deep, or ambiguous.
        InvalidRequest: text of it cannot be stored; `errors` has each place.
    """
    if not raw.strip():
        raise _malformed("The request has no body: send a JSON document.")
    require_media_type(content_type, content_encoding, accepted)
    text = _decoded(raw)
    document = _parsed(text)
    if text.count("[") + text.count("{") > max_depth and _is_deeper(document, max_depth):
        raise _malformed(f"The body is nested deeper than {max_depth} levels.")
    if "\\u" in text:  # nothing else can stand for what is no character
        _refuse_unstorable(document)
    return document


def require_media_type(
    content_type: str | None, content_encoding: str | None, accepted: Collection[str]
) -> None:
    """Refuse a body that is not one of the accepted types, in UTF-8 and uncompressed.

    Raises:
        UnsupportedBody: it is not.
    """
    media_type, options = parse_options_header(content_type)
    if media_type.lower() not in accepted:
        sent = f"is {media_type}" if media_type else "has no Content-Type"
        raise UnsupportedBody(
            f"The body {sent}, and this endpoint takes {' or '.join(sorted(accepted))}.",
            accepted=accepted,
        )
    if (charset := options.get("charset", "utf-8")).lower() not in _CHARSETS:
        raise UnsupportedBody(f"The body is in {charset}: send UTF-8.", accepted=accepted)
    if (content_encoding or "identity").strip().lower() != "identity":
        told = "The body is compressed: send it as it is."
        raise UnsupportedBody(told, accepted=accepted, header="Content-Encoding")


def _malformed(told: str) -> MalformedRequest:
    return MalformedRequest(told, errors=[FieldError(detail=told, pointer="")])


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is no UTF-8: byte {error.start} fits nowhere.") from error


def _parsed(text: str) -> Any:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        told = f"The body is no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        raise _malformed(told) from error
    except ValueError as error:
        told = str(error).removeprefix("it ")
        if told == str(error):  # Python's own, of an integer of more digits than it converts
            told = "has a number that is too long"
        raise _malformed(f"The body {told}.") from error


def _is_deeper(document: Any, max_depth: int) -> bool:
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(max_depth):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _refuse_unstorable(document: Any) -> None:
    faults = []
    for path, text in _texts(document):
        if (what := unstorable(text)) is not None:
            told = f"The text holds {with_article(what)}, which cannot be stored."
            faults.append(FieldError(detail=told, pointer=_pointer(path)))
            if len(faults) == _MOST_FAULTS:
                break
    if faults:
        raise InvalidRequest("Text of the body cannot be stored.", errors=faults)


def _texts(document: Any) -> Iterator[tuple[Path, str]]:
    """Each text with the path to it: of a name that is at fault, the path to its object."""
    pending: list[tuple[Path, Any]] = [(None, document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            for name, inner in value.items():
                yield path, name
                pending.append(((name, path), inner))
        elif isinstance(value, list):
            pending.extend(((at, path), inner) for at, inner in enumerate(value))


def _pointer(path: Path) -> str:
    parts: list[object] = []
    while path is not None:
        part, path = path
        parts.append(part)
    return json_pointer(*reversed(parts))
