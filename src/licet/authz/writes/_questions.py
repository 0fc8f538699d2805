"""What the database says of rows: their content, and what the caller may do with them.

One statement answers both, for the rows as they are or as they were before the transaction. It is
executed on the session's connection: nothing is flushed for it, and no option of the session
narrows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, Session

from licet.authz.policies._check import known_caller
from licet.authz.policies._in_sql._terms import Term, as_column
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.authz.writes._before import BATCH, Before, batches, equals_one_of, is_plain
from licet.authz.writes._family import root_of
from licet.authz.writes._guard import SINGLE, Guard, Rows, classes_of

__all__ = ["Answered", "Key", "Questions", "writing_connection"]

_PARAMETERS: Final = 12_000
_COMPARABLE: Final = (
    sa.Boolean,
    sa.Date,
    sa.DateTime,
    sa.Integer,
    sa.Interval,
    sa.Numeric,
    sa.String,
    sa.Time,
    sa.Uuid,
)
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
        # each of the kept rows is given in parameters, of which there are at most 32,766
        for batch in batches(keys, max(1, min(BATCH, _PARAMETERS // max(rows.width, 1)))):
            statement, parameters = self._of_keys(rows, policy, verbs, batch)
            told: dict[Key, Answered] = {}
            for row in self.run(
                mapper,
                statement,
                policy if verbs else None,
                was=was,
                is_locked=is_locked,
                parameters=parameters,
                of_keys=batch,
            ):
                answers = dict(zip(names, map(bool, row[end:]), strict=True))
                told[tuple(row[:n_keys])] = (answers, tuple(row[n_keys:end]))
            for key, is_alone in _unlike(rows.key, batch, told):
                found.update(
                    {key: next(iter(told.values()))}
                    if is_alone
                    else self.read(mapper, verbs, [key], was=was, is_locked=is_locked)
                )
            found.update((key, told[key]) for key in batch if key in told)
        return found

    def is_stored_as(self, mapper: Mapper[Any], key: Key, row: Key) -> bool:
        """Whether the row has the very values, also those that different ones are read as."""
        rows = self.guard.rows_of(mapper)
        if not rows.alike:
            return True
        if any(_comparable(column.type) is None for _, column in rows.alike):
            return False
        is_it = [column.is_not_distinct_from(row[place]) for place, column in rows.alike]
        statement = sa.select(*rows.key).select_from(rows.source)
        asked = statement.where(equals_one_of(rows.key, [key]), *is_it)
        return bool(self.run(mapper, asked, None, was=False))

    def classes(self, mapper: Mapper[Any], keys: Iterable[Key]) -> dict[Key, Mapper[Any]]:
        """The class of each row that there is, as its table and its discriminator tell it."""
        root = root_of(mapper)
        told_by = root.polymorphic_on
        more = [one for one in classes_of(root) if one is not root and not one.single]
        key = list(root.primary_key)
        asked: list[Any] = (
            [told_by] if told_by is not None else [self._has_row(one, key) for one in more]
        )
        statement = sa.select(*key, *asked).select_from(root.local_table)
        found: dict[Key, Mapper[Any]] = {}
        for batch in batches(keys):
            rows = self._rows_of(root, statement, key, batch)
            for one, told in rows.items():
                if told_by is not None:
                    found[one] = root.polymorphic_map.get(told[0], mapper)
                else:
                    lowest = [it for it, is_one in zip(more, told, strict=True) if is_one]
                    found[one] = lowest[-1] if lowest else root
        return found

    def _has_row(self, mapper: Mapper[Any], key: list[Any]) -> Any:
        """Whether the table of a joined subclass has the row with its base's key."""
        columns = self.guard.rows_of(mapper).keys[mapper.local_table]
        is_it = (own == other for own, other in zip(columns, key, strict=True))
        return sa.exists().where(*is_it)

    def _rows_of(
        self, mapper: Mapper[Any], statement: Any, columns: list[Any], keys: list[Key]
    ) -> dict[Key, Key]:
        """What a statement says of rows by these columns, each by the key that was asked."""
        of_keys = statement.where(equals_one_of(columns, keys))
        told: dict[Key, Key] = {}
        for row in self.run(mapper, of_keys, None, was=False):
            told[tuple(row[: len(columns)])] = tuple(row[len(columns) :])
        found = {key: told[key] for key in keys if key in told}
        for key, is_alone in _unlike(columns, keys, told):
            if is_alone:
                found[key] = next(iter(told.values()))
            else:
                found.update(self._rows_of(mapper, statement, columns, [key]))
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
        if policy is None:
            return rows.selected
        checks = [policy.check(verb) for verb in verbs]
        caller = known_caller(checks, self._identity)
        if caller is None:
            return _with(rows, [self._answer(policy, verb) for verb in verbs])
        known = (rows.mapper, *(verb.name for verb in verbs), caller.key)
        return self.guard.statements.get(
            known, lambda: _with(rows, [_column(check.column(caller)) for check in checks])
        )

    def _answer(self, policy: Policy, verb: Verb) -> Any:
        key = (policy, verb.name)
        if key not in self._answers:
            with policy.at(None):
                self._answers[key] = _column(policy.check(verb).column(self._identity))
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
        of_keys: list[Key] | None = None,
    ) -> Sequence[Any]:
        """The rows of a statement about a class, before the transaction or as they are.

        With `of_keys` it reads no rows of the class itself but those with these keys.
        """
        connection = writing_connection(self._session, mapper)
        options: dict[str, Any] = {}
        if was:
            asked = self.guard.asked[policy] if policy is not None else frozenset()
            own = [table for table in mapper.tables if table not in asked]
            former = self._before.of(
                statement,
                {*own, *asked},
                connection,
                only={} if of_keys is None else self._only(mapper, own, of_keys),
            )
            if former is not None:
                (statement, options), is_locked = former, False
        if is_locked and connection.dialect.name != "sqlite":
            statement = statement.with_for_update(of=list(mapper.tables))
        return connection.execute(statement, parameters or {}, execution_options=options).all()

    def _only(self, mapper: Mapper[Any], tables: list[Any], keys: list[Key]) -> dict[Any, Any]:
        """The keys of a class by the columns that hold them in these tables of it."""
        columns = self.guard.rows_of(mapper).keys
        return {table: (columns[table], keys) for table in tables if table in columns}


def writing_connection(session: Session, mapper: Mapper[Any]) -> sa.Connection:
    """The connection by which a flush writes the class, where others read from a replica."""
    was, session._flushing = session._flushing, True
    try:
        return session.connection(bind_arguments={"mapper": mapper})
    finally:
        session._flushing = was


def _unlike(
    columns: Sequence[Any], asked: list[Key], told: Mapping[Key, Any]
) -> list[tuple[Key, bool]]:
    """The asked keys that the database may have in another form, as 7 for "7".

    With each goes whether it is the only one, so that what was told is of it.
    """
    if not told:
        return []
    is_exact = told.keys() <= set(asked)
    missing = (key for key in asked if key not in told)
    return [(key, len(asked) == 1) for key in missing if not (is_exact and is_plain(columns, key))]


def _comparable(kind: Any) -> Any:
    """The type of the database's that a column has, if every database can compare it."""
    found = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    return found if isinstance(found, _COMPARABLE) else None


def _column(term: Term) -> Any:
    """Whether the caller may do a verb, as a column that is True, or False, or NULL."""
    return as_column(term) if isinstance(term, bool) else term


def _with(rows: Rows, answers: list[Any]) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """A statement for many rows, and one for a single row, which is cheaper to execute."""
    many, single = rows.selected
    if not answers:
        return many, single
    return many.add_columns(*answers), single.add_columns(*answers)
