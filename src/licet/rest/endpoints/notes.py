"""What the decorators of an endpoint were told: schemas, classes, parameters.

The OpenAPI document is made of these notes. Wrappers made with `functools.wraps` keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from licet.authz import Verb
from licet.rest.schemas.reading import Reader

__all__ = ["AnswerNote", "BodyNote", "LookupNote", "Note", "QueryNote", "add_note", "notes_of"]

_ATTRIBUTE: Final = "_licet_rest_notes"


@dataclass(frozen=True)
class LookupNote:
    """Of `with_lookup`; `needs_tag` demands ``If-Match``."""

    model: type[Any]
    url_param: str
    needs_tag: bool
    verb: Verb | None


@dataclass(frozen=True)
class QueryNote:
    """Of `use_args`, and with `listed`, the class of the list, of `use_args_with_pagination`."""

    schema: Any
    listed: type[Any] | None = None


@dataclass(frozen=True)
class BodyNote:
    """Of `unmarshal_request`."""

    reader: Reader


@dataclass(frozen=True)
class AnswerNote:
    """Of `marshal_response`."""

    schema: Any
    status: int


Note = LookupNote | QueryNote | BodyNote | AnswerNote


def add_note(view: Any, note: Note) -> None:
    """Note it on a view, before what was noted on the view that it wraps."""
    setattr(view, _ATTRIBUTE, (note, *notes_of(view)))


def notes_of(view: object) -> tuple[Note, ...]:
    """What the decorators of a view noted, the outermost first."""
    return getattr(view, _ATTRIBUTE, ())
