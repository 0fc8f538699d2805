"""What the database says of rows: their content, and what the caller may do with them.

One statement answers both, for the rows as they are or as they were before the transaction. It is
executed on the session's connection: nothing is flushed for it, and no option of the session
narrows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy.orm import Mapper, Session

from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._terms import as_column
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.authz.writes._before import Before, batches, equals_one_of
from licet.authz.writes._guard import SINGLE, Guard, Rows

__all__ = ["Answered", "Key", "Questions"]

Key = tuple[Any, ...]
Answered = tuple[dict[str, bool], Key]


class Questions:
    """Questions about rows of one session, asked for one caller.

    Args:
        session: the session.
        guard: what is watched.
        identity: the caller.
        before: what was touched, as it was.
    """

    def __init__(self, session: Session, guard: Guard, identity: Any, before: Before) -> None:
        self._session, self.guard, self._identity = session, guard, identity
        self._before: Final = before
        self._answers: dict[tuple[Policy, str], Any] = {}
        self._statements: dict[Any, Any] = {}

    def read(
        self,
        mapper: Mapper[Any],
        verbs: Sequence[Verb],
        keys: Iterable[Key],
        *,
        was: bool,
        is_locked: bool = False,
    ) -> dict[Key, Answered]:
        """Of each row that there is, or that there was, whether each verb is allowed, and the row.

        Args:
            mapper: the class of the rows.
            verbs: those of its policy that are asked.
            keys: the primary keys of the rows.
            was: as before the transaction, else as it is.
            is_locked: the rows are about to be changed.
        """
        rows, policy = self.guard.rows_of(mapper), self.guard.policy_of(mapper)
        names = [verb.name for verb in verbs]
        n_keys, end = len(rows.key), rows.width
        found: dict[Key, Answered] = {}
        for batch in batches(keys):
            statement, parameters = self._of_keys(rows, policy, verbs, batch)
            for row in self.run(
                mapper, statement, policy, was=was, is_locked=is_locked, parameters=parameters
            ):
                answers = dict(zip(names, map(bool, row[end:]), strict=True))
                found[tuple(row[:n_keys])] = (answers, tuple(row[n_keys:end]))
        return found

    def _of_keys(
        self, rows: Rows, policy: Policy | None, verbs: Sequence[Verb], keys: list[Key]
    ) -> tuple[Any, dict[str, Any]]:
        known = (rows.mapper, *(verb.name for verb in verbs))
        if known not in self._statements:
            self._statements[known] = self._kept_statement(rows, policy, verbs)
        statement, of_single = self._statements[known]
        if len(keys) > 1:
            return statement.where(equals_one_of(rows.key, keys)), {}
        return of_single, {f"{SINGLE}{index}": value for index, value in enumerate(keys[0])}

    def _kept_statement(self, rows: Rows, policy: Policy | None, verbs: Sequence[Verb]) -> Any:
        """The statement that an equal caller had made, or a new one."""
        checks = [] if policy is None else [policy.check(verb) for verb in verbs]
        if any(check.asks_now for check in checks):
            return self._statement(rows, policy, verbs)
        told = tuple(check.told_of(self._identity) for check in checks)
        known = (rows.mapper, *(verb.name for verb in verbs), told)
        try:
            hash(known)
        except TypeError:  # a value of an app's own type
            return self._statement(rows, policy, verbs)
        return self.guard.kept_statement(known, lambda: self._statement(rows, policy, verbs))

    def _statement(self, rows: Rows, policy: Policy | None, verbs: Sequence[Verb]) -> Any:
        """A statement for many rows, and one for a single row, which is cheaper to execute."""
        answers = [self.answer(policy, verb) for verb in verbs] if policy is not None else []
        many, single = rows.selected
        return (
            (many.add_columns(*answers), single.add_columns(*answers))
            if answers
            else (many, single)
        )

    def answer(self, policy: Policy, verb: Verb) -> Any:
        """Whether the caller may do the verb, as a column that is True, or False, or NULL."""
        key = (policy, verb.name)
        if key not in self._answers:
            with policy.at(None):
                term = policy.check(verb).column(self._identity)
            self._answers[key] = as_column(term) if isinstance(term, bool) else term
        return self._answers[key]

    def run(
        self,
        mapper: Mapper[Any],
        statement: Any,
        policy: Policy | None,
        *,
        was: bool,
        is_locked: bool = False,
        parameters: dict[str, Any] | None = None,
    ) -> Sequence[Any]:
        """The rows of a statement about a class, before the transaction or as they are."""
        connection = self._session.connection(bind_arguments={"mapper": mapper})
        if was:
            tables = {*mapper.tables, *(self.guard.asked[policy] if policy is not None else ())}
            if self._before.has_any_of(tables):
                alone = rows_alone(statement)
                statement = self._before.of(alone, tables, connection.dialect)
                is_locked = False
        if is_locked and connection.dialect.name != "sqlite":
            statement = statement.with_for_update(of=list(mapper.tables))
        return connection.execute(statement, parameters or {}).all()
