"""Fields that a request changes, against those that its caller may write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.errors import InvalidRequest
from licet.errors.places import FieldError, json_pointer

__all__ = ["WrittenFields", "changed_fields", "refuse_fields", "written_fields_are_noted"]


def refuse_fields(names: Collection[str]) -> None:
    """Refuse fields that the caller may not write.

    Raises:
        InvalidRequest: with an entry for each, if there are any.
    """
    told = "You may not write this field."
    if names:
        faults = [FieldError(detail=told, pointer=json_pointer(name)) for name in sorted(names)]
        raise InvalidRequest(errors=faults)


def changed_fields(owner: Any) -> set[str]:
    """The columns and relationships of an object that the next flush writes, by attribute."""
    state = sa.inspect(owner)
    names = [*state.mapper.column_attrs.keys(), *state.mapper.relationships.keys()]
    return {name for name in names if state.attrs[name].history.has_changes()}


class WrittenFields:
    """The attributes of an object that a block has changed.

    Args:
        owner: the object.
        find_writable: which of its fields the caller may write as it is now.
        known: the fields that the policy knows.
    """

    def __init__(
        self, owner: Any, find_writable: Callable[[], Collection[str]], known: Collection[str]
    ) -> None:
        self._owner: Final = owner
        self._find_writable: Final = find_writable
        self._known: Final = frozenset(known)
        self._before: Final = frozenset(find_writable())
        self._changed: set[str] = set()

    def note(self) -> None:
        """Note what a flush is going to write."""
        self._changed |= changed_fields(self._owner)

    def require_writable(self) -> None:
        """Ask of the object as it was, and as it is written.

        Raises:
            InvalidRequest: a field was changed that may not be written in one of them.
        """
        changed = self._changed & self._known
        if changed:
            refuse_fields(changed - (self._before & frozenset(self._find_writable())))


@contextmanager
def written_fields_are_noted(session: Session, owner: Any, fields: WrittenFields) -> Iterator[None]:
    """Note what each flush within the block writes of an object."""

    def before_flush(_session: Session, *_: Any) -> None:
        if owner in session.dirty:
            fields.note()

    sa.event.listen(session, "before_flush", before_flush)
    try:
        yield
    finally:
        sa.event.remove(session, "before_flush", before_flush)
