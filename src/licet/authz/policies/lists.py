"""Lists: the rows that a caller may see, and with each what they may see of it and do to it.

Everything is answered by the one query of the list. Deciding row by row would load every related
object of every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session

from licet.authz._places import invalid
from licet.authz.policies._in_sql._entity import restricted_entity, selects_entity_first
from licet.authz.policies._in_sql._terms import Term, as_column
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import LIST, Verb

__all__ = ["Listed", "list_objects"]


@dataclass(frozen=True)
class Listed:
    """One object of a list: the fields that the caller sees, and what else they may do with it."""

    object: Any
    visible_fields: frozenset[str]
    verbs: frozenset[str]


def list_objects(
    policy: Policy,
    session: Session,
    statement: sa.Select[Any],
    identity: Any,
    *,
    may: tuple[Verb, ...] = (),
    now: datetime | None = None,
) -> Iterator[Listed]:
    """The objects of ``select(Model)…`` that the caller may list.

    `may` names verbs of which each row says whether the caller may do them; `now` is the moment
    that conditions compare with.

    Raises:
        InvalidCondition: the statement selects something else, or columns instead of objects.
    """
    if not isinstance(session, Session | scoped_session):
        raise invalid(
            f"list_objects takes a Session of SQLAlchemy, not {session!r}. With an AsyncSession, "
            "call it inside of `await session.run_sync(lambda session: …)`."
        )
    entity = restricted_entity(statement, policy.model)
    if not selects_entity_first(statement, entity):
        raise invalid(
            f"A list has objects, so write select({policy.model.__name__})…: the statement "
            "selects something else first."
        )
    with policy.at(now):  # which ends before the first row is given away
        terms = [
            *policy.shown.terms(identity, entity),
            *(policy.check(verb).column(identity, entity) for verb in may),
        ]
        filtered = policy.filter(statement, identity, LIST)
    asked = [as_column(term) for term in terms if not isinstance(term, bool)]
    filtered = filtered.add_columns(
        *(column.label(f"licet_{index}") for index, column in enumerate(asked))
    )
    masks = len(terms) - len(may)
    result = session.execute(filtered)
    if result._unique_filter_state:  # a collection is loaded by a JOIN, which repeats its owner
        result = result.unique()
    for row in result:
        outcomes = _outcomes(terms, iter(row[len(row) - len(asked) :]))
        verbs = (verb.name for verb, ok in zip(may, outcomes[masks:], strict=True) if ok)
        yield Listed(row[0], policy.shown.free_given(outcomes[:masks]), frozenset(verbs))


def _outcomes(terms: list[Term], selected: Iterator[Any]) -> list[bool]:
    """Each term's outcome: known before, or selected with the row."""
    return [term if isinstance(term, bool) else bool(next(selected)) for term in terms]
