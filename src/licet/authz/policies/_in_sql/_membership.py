"""Whether some object of a to-many relationship fulfils a plan, where that costs least.

Of a collection that is loaded as a whole the objects are read. Of another the database is asked one
EXISTS, which is the same for three related rows and for fifty thousand; the objects are loaded only
while unflushed changes wait, or where a Python function is part of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, object_session

from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._terms import Piece, Term, as_column, build
from licet.authz.policies._models.callers import InvalidCaller
from licet.authz.policies._models.kept import KeptStatements, exactly
from licet.authz.policies._models.links import Link, as_callers
from licet.authz.policies._models.mapping import key_names
from licet.authz.policies._models.nodes import (
    Exists,
    slots_of,
)
from licet.authz.policies._models.sessions import asking
from licet.authz.policies._models.shape import ObjectReader
from licet.errors import UnloadedObject, UntranslatableCondition
from licet.errors.names import with_article

__all__ = ["Membership", "is_linked"]

InRows = Callable[[Iterable[Any], Sequence[Any], Any], bool]
_MOST_KEPT: Final = 64
_KEY: Final = "licet_key_"  # parameters: the columns of the owner's key


def is_linked(owner: Any, link: Link, value: Any) -> bool:
    """Whether a link is between the object, as it is stored, and whom the caller's value names.

    Raises:
        UnloadedObject: the object is in no session that could be asked.
    """
    callers = as_callers(value)
    if owner._sa_instance_state.key is None or not callers:
        return False  # nothing can be on a draft
    session = object_session(owner)
    if session is None:
        raise UnloadedObject(
            f"Whether {link} on {with_article(type(owner).__name__)} is asked of the database, "
            "and the object is in no session: decide while it is in one."
        )
    with asking(session, owner, str(link)):
        return link.holds(session, owner, callers)


class Membership:
    """One `Exists` about a to-many relationship, without its hops and its negation."""

    def __init__(self, plan: Exists, reader: ObjectReader) -> None:
        self._relation: Final = plan.relation
        self._plan: Final = Exists((), plan.relation, plan.inner)
        self._reader = reader
        self._pieces: dict[type[Any], Piece | None] = {}
        self._slots: Final = slots_of(plan.inner)
        self._statements: Final = KeptStatements(_MOST_KEPT)

    def holds(self, owner: Any, in_rows: InRows, values: Sequence[Any], identity: Any) -> bool:
        """Whether some related object fulfils the plan.

        Args:
            owner: the object that the relationship is of.
            in_rows: finds one among related objects.
            values: the caller's.
            identity: the caller.

        Raises:
            UnloadedObject: a related object cannot be known.
        """
        found = self.asked(owner, values)
        if found is None:
            return in_rows(self._reader.many(owner, self._relation), values, identity)
        return found

    def asked(self, owner: Any, values: Sequence[Any]) -> bool | None:
        """What the database says; None when it is not to be asked, or cannot be."""
        session = self._reader.session_to_ask(owner, self._relation)
        piece = None if session is None else self._piece(type(owner))
        if session is None or piece is None:
            return None
        return self._asked(session, owner, piece, values)

    def _piece(self, model: type[Any]) -> Piece | None:
        """The EXISTS for owners of one class; None when a Python function is part of it."""
        if model not in self._pieces:
            try:
                self._pieces[model] = build(self._plan, model, as_column=True)
            except UntranslatableCondition:
                self._pieces[model] = None
        return self._pieces[model]

    def _asked(self, session: Session, owner: Any, piece: Piece, values: Sequence[Any]) -> bool:
        model = type(owner)
        key = owner._sa_instance_state.key[1]
        known = None if None in key else self._known(model, values)  # a part of a key may be NULL
        columns = key if known is None else None
        statement = self._statements.get(
            known, lambda: _question(model, piece.make(values), columns)
        )
        if isinstance(statement, bool):
            return statement
        asked = {f"{_KEY}{index}": value for index, value in enumerate(key)}
        with asking(session, owner, self._relation.name):
            found = session.scalar(statement, asked, bind_arguments={"mapper": sa.inspect(model)})
        if found is None:
            raise InvalidCaller(f"{model.__name__} {key} is not in the database any more.")
        return bool(found)

    def _known(self, model: type[Any], values: Sequence[Any]) -> Any:
        """What the question depends on; None when it is another each time."""
        asked = None if self._slots is None else exactly(values[index] for index in self._slots)
        return None if asked is None else (model, asked)


def _question(model: type[Any], term: Term, key: Sequence[Any] | None) -> Any:
    """Whether the term holds for the row of a key, or of the one that is given when it is asked.

    It is the answer itself when that is known.
    """
    if isinstance(term, bool):
        return term
    columns = [getattr(model, name) for name in key_names(model)]
    wanted = (
        key
        if key is not None
        else [
            sa.bindparam(f"{_KEY}{index}", type_=column.type)
            for index, column in enumerate(columns)
        ]
    )
    is_owner = (column == value for column, value in zip(columns, wanted, strict=True))
    source = sa.inspect(model).selectable
    return rows_alone(sa.select(as_column(term)).select_from(source).where(*is_owner))
