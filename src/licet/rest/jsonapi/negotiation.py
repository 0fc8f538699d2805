"""Whether a request speaks JSON:API, and whether its sender takes it.

Source: JSON:API 1.1, "Content Negotiation". No extension is supported; profiles are ignored.
"""

from __future__ import annotations

from typing import Final

from werkzeug.http import parse_list_header, parse_options_header

from licet.rest.body import require_media_type
from licet.rest.jsonapi.errors import Problem, Refused
from licet.rest.shapes import JSON_API

__all__ = ["MEDIA_TYPE", "check_accept", "check_content_type"]

MEDIA_TYPE: Final = JSON_API
_KNOWN: Final = frozenset({"ext", "profile"})


def check_content_type(given: str | None, encoding: str | None = None) -> None:
    """Refuse a body that is not of JSON:API's media type, or that is compressed.

    Raises:
        UnsupportedBody, Refused: 415.
    """
    _, parameters = parse_options_header(given or "")
    require_media_type(given, encoding, (MEDIA_TYPE,))
    if strange := _strange(parameters):
        raise _refused(415, "Content-Type", strange)


def check_accept(given: str | None) -> None:
    """Refuse to answer who takes JSON:API only in a form that is not spoken here.

    Raises:
        Refused: 406.
    """
    reasons = []
    for one in parse_list_header(given or ""):
        media_type, parameters = parse_options_header(one)
        if media_type.lower() != MEDIA_TYPE:
            continue
        strange = _strange({name: value for name, value in parameters.items() if name != "q"})
        if strange is None:
            return
        reasons.append(strange)
    if reasons:
        raise _refused(406, "Accept", reasons[0])


def _strange(parameters: dict[str, str]) -> str | None:
    """Why a media type with these parameters is not ours; None when it is."""
    if unknown := sorted(parameters.keys() - _KNOWN):
        return f"{MEDIA_TYPE} has no parameter {unknown[0]}."
    if parameters.get("ext"):
        return "No extension of JSON:API is supported."
    return None


def _refused(status: int, header: str, detail: str) -> Refused:
    code = "not_acceptable" if status == 406 else "unsupported_media_type"
    return Refused(Problem(status=status, code=code, detail=detail, header=header))
