"""An HTTP error as a plain page, and which requests prefer a page to a document.

The page has neither style nor script, so that every Content-Security-Policy lets it be shown.

Source: RFC 9110, section 12.5.1 (``Accept``).
"""

from __future__ import annotations

from markupsafe import Markup
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from licet.errors._rfc9457 import PROBLEM, named

__all__ = ["page", "prefers_page"]

_PAGE = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{status} {title}</title>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    "</main>\n</body>\n</html>\n"
)


def page(*, status: int, text: str) -> str:
    """The page; the same for everything of one status and text."""
    return _PAGE.format(status=status, title=named(status)[0], text=text)


def prefers_page(accept: str | None) -> bool:
    """Whether an ``Accept`` header ranks ``text/html`` above JSON, as browsers do.

    Of two that are wanted equally, the one that is named goes before the one that a wildcard
    stands for. Without a header, and with ``*/*``, a document is what programs expect.
    """
    ranges = parse_accept_header(accept, MIMEAccept)
    asked_json = max(_rank(ranges, PROBLEM), _rank(ranges, "application/json"))
    return _rank(ranges, "text/html") > asked_json


def _rank(ranges: MIMEAccept, mimetype: str) -> tuple[float, bool]:
    """How much a type is wanted, and whether it is named; ranges stand from narrow to wide."""
    for wanted, quality in ranges:
        if MIMEAccept([(wanted, 1)]).quality(mimetype):
            return (quality, "*" not in wanted) if quality else (0, False)
    return 0, False
