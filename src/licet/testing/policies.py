"""Proof that a policy says the same in memory and in SQL, on your own models and rows.

    def test_speakers(session):
        assert_policy_consistent(speakers, session, [anonymous, organizer, admin])

Give it a database with rows in every state that the policy tells apart: what is proved is proved of
these rows and these callers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz._places import invalid
from licet.authz.policies._in_sql._terms import as_column
from licet.authz.policies._models.mapping import key_names
from licet.authz.policies.lists import list_objects
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.testing._callers import made_up_callers

__all__ = ["assert_policy_consistent"]

ROWS: Final = 1_000
PAGES: Final = 3
Key = tuple[Any, ...]


def assert_policy_consistent(
    policy: Policy,
    session: Session,
    callers: Iterable[Any] | None = None,
    *,
    statement: sa.Select[Any] | None = None,
    limit: int = ROWS,
    now: datetime | None = None,
) -> int:
    """How many answers were compared: for each row, caller and verb, `decide` with every list.

    A row must be in the filtered list, on its page of an ordered one, and marked in a column, when
    and only when `decide` allows it; `list_objects` must show its `visible_fields`. Verbs that a
    Python function decides are in no list and are left out.

    Args:
        policy: any policy; it is built when it is not yet.
        session: what it has not flushed is flushed, and nothing is committed.
        callers: who asks; when none are given, some are made up from what the policy asks of
            callers and from the rows: with each value, with none, with one that no row has.
        statement: ``select(Model)…`` when not every row is meant.
        limit: how many rows are looked at, at most.
        now: the aware datetime that ``now()`` is in conditions; that of the call when not given.

    Raises:
        InvalidCondition: the statement selects something else than the policy's class.
        AssertionError: two answers differ, which is told with the caller, the row and the
            explanation; or there is no row, so that nothing would be proved.
    """
    session.flush()
    rows = _load(policy, session, statement, limit)
    if not rows:
        raise AssertionError(
            f"The policy {policy.name} was not proved: there is no {policy.model.__name__} in the "
            "database."
        )
    proof = _Proof(policy, session, rows)
    with policy.at(now):
        asking = made_up_callers(policy, session) if callers is None else callers
        return sum(proof.check(caller) for caller in asking)


def _load(
    policy: Policy, session: Session, statement: sa.Select[Any] | None, limit: int
) -> dict[Key, Any]:
    """The rows as the database has them, in the order of their keys."""
    chosen = sa.select(policy.model).limit(limit) if statement is None else statement
    fresh = chosen.execution_options(populate_existing=True)
    found = session.scalars(fresh).unique().fetchmany(limit)
    for row in found:
        if not isinstance(row, policy.model):
            raise invalid(
                f"The statement selects {type(row).__name__}, not {policy.model.__name__}."
            )
    ordered = session.scalars(_these(policy.model, [_key(row) for row in found]))
    return {_key(row): row for row in ordered}


def _key(row: Any) -> Key:
    return tuple(sa.inspect(row).identity)


def _columns(model: type[Any]) -> list[Any]:
    return [getattr(model, name) for name in key_names(model)]


def _these(model: type[Any], keys: Sequence[Key]) -> sa.Select[Any]:
    columns = _columns(model)
    if len(columns) == 1:
        is_chosen = columns[0].in_([key[0] for key in keys])
    else:
        is_chosen = sa.tuple_(*columns).in_(keys)
    return sa.select(model).where(is_chosen).order_by(*columns)


@dataclass(frozen=True)
class _Proof:
    policy: Policy
    session: Session
    rows: Mapping[Key, Any]

    def check(self, caller: Any) -> int:
        """How many answers for one caller were compared."""
        verbs = [Verb(name) for name in self.policy.verbs]
        listed = [verb for verb in verbs if not self.policy.check(verb).has_predicate]
        decided = {verb: self._decide(caller, verb) for verb in listed}
        for verb in listed:
            self._check_list(caller, verb, decided[verb])
            self._check_pages(caller, verb, decided[verb])
        self._check_columns(caller, decided)
        self._check_shown(caller, decided)
        return len(self.rows) * len(listed)

    def _decide(self, caller: Any, verb: Verb) -> dict[Key, bool]:
        return {
            key: self.policy.decide(caller, verb, row, session=self.session).allowed
            for key, row in self.rows.items()
        }

    @property
    def _statement(self) -> sa.Select[Any]:
        return _these(self.policy.model, list(self.rows))

    def _keys(self, statement: sa.Select[Any]) -> list[Key]:
        return [_key(row) for row in self.session.scalars(statement)]

    def _check_list(self, caller: Any, verb: Verb, decided: Mapping[Key, bool]) -> None:
        found = self._keys(self.policy.filter(self._statement, caller, verb))
        for key in self.rows:
            times = found.count(key)
            if times != decided[key]:
                how = "does not list it" if times == 0 else f"lists it {times} ×"
                raise self._disagreement(caller, verb, key, decided[key], f"filter {how}")

    def _check_pages(self, caller: Any, verb: Verb, decided: Mapping[Key, bool]) -> None:
        allowed = [key for key in self.rows if decided[key]]
        size = -(-len(self.rows) // PAGES)
        for start in range(0, len(self.rows), size):
            page = self._statement.limit(size).offset(start or None)
            found = self._keys(self.policy.filter(page, caller, verb))
            wanted = allowed[start : start + size]
            if found != wanted:
                key = next(key for key in (*wanted, *found) if (key in found) != (key in wanted))
                where = f"LIMIT {size} OFFSET {start}"
                how = f"filter {'lists' if key in found else 'does not list'} it with {where}"
                raise self._disagreement(caller, verb, key, decided[key], how)

    def _check_columns(self, caller: Any, decided: Mapping[Verb, Mapping[Key, bool]]) -> None:
        keys = _columns(self.policy.model)
        terms = (as_column(self.policy.check(verb).column(caller)) for verb in decided)
        selected = self._statement.with_only_columns(*keys, *terms)
        for row in self.session.execute(selected):
            key, outcomes = tuple(row[: len(keys)]), row[len(keys) :]
            for verb, outcome in zip(decided, outcomes, strict=True):
                if outcome is not decided[verb][key]:
                    how = f"its column is {outcome}"
                    raise self._disagreement(caller, verb, key, decided[verb][key], how)

    def _check_shown(self, caller: Any, decided: Mapping[Verb, Mapping[Key, bool]]) -> None:
        may = tuple(decided)
        for row in list_objects(self.policy, self.session, self._statement, caller, may=may):
            key = _key(row.object)
            fields = self.policy.visible_fields(caller, row.object, session=self.session)
            if fields != row.visible_fields:
                raise AssertionError(
                    f"{self._about(caller, key)}: visible_fields has {_told(fields)}, and "
                    f"list_objects {_told(row.visible_fields)}."
                )
            for verb in may:
                if (verb.name in row.verbs) is not decided[verb][key]:
                    how = f"list_objects has the verbs {_told(row.verbs)}"
                    raise self._disagreement(caller, verb, key, decided[verb][key], how)

    def _about(self, caller: Any, key: Key) -> str:
        told = ", ".join(map(repr, key))
        return (
            f"The policy {self.policy.name} on {self.policy.model.__name__} {told} for {caller!r}"
        )

    def _disagreement(
        self,
        caller: Any,
        verb: Verb,
        key: Key,
        decided: bool,  # noqa: FBT001 - an answer
        how: str,
    ) -> AssertionError:
        tree = self.policy.explain(caller, verb, self.rows[key], session=self.session)
        answer = "allows" if decided else "denies"
        return AssertionError(f"{self._about(caller, key)}: decide {answer} {verb}, {how}.\n{tree}")


def _told(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
