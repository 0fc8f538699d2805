"""The rows that one transaction of a session touches, each as it was before its first touch.

A flush is asked which rows it is about to write before it writes any; association tables tell by
their statements. What a savepoint takes back is forgotten. Nothing is decided here.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import InstanceState, Mapper, Session

from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import DELETE, UPDATE, VIEW, Verb
from licet.authz.writes._before import Before, batches, equals_one_of
from licet.authz.writes._guard import Cascade, Guard, Link, Rows, kept_columns
from licet.authz.writes._questions import Answered, Key, Questions

__all__ = ["Main", "Note", "RowKey", "Watch"]

RowKey = tuple[Mapper[Any], Key]
Partners = tuple[RowKey, ...]
_OLD: Final = "old_"  # how a flush marks the former values of a link that it moves


@dataclass(frozen=True, eq=False)
class Main:
    """What a block is about: the object, and the verb that its change stands for."""

    policy: Policy
    verb: Verb
    owner: Any
    keeps: bool = False  # DELETE changes the object, as soft deletion does

    @property
    def is_change(self) -> bool:
        """Whether the verb stands for the UPDATE of the object."""
        return self.keeps or self.verb.name not in ("CREATE", "DELETE")


@dataclass(eq=False)
class Note:
    """A touched row: whether it existed, what it was, and what the caller might do with it."""

    mapper: Mapper[Any]
    policy: Policy | None
    key: Key
    row: Key | None = None
    answers: dict[str, bool] = field(default_factory=dict)

    @property
    def existed(self) -> bool:
        """Whether the database had it before the transaction."""
        return self.row is not None


class Watch:
    """What a transaction of a session touches.

    Args:
        session: the session.
        guard: what is watched.
        identity: the caller.
        request: the request that the changes belong to.
        mains: what the block is about.
        is_narrow: only those objects are decided.
    """

    def __init__(
        self,
        session: Session,
        guard: Guard,
        identity: Any,
        *,
        request: Any,
        mains: list[Main],
        is_narrow: bool,
    ) -> None:
        self.session, self.guard, self.identity = session, guard, identity
        self.request, self.mains, self.is_narrow = request, mains, is_narrow
        self.before = Before()
        self.questions = Questions(session, guard, identity, self.before)
        self.touched: dict[RowKey, Note] = {}
        self.confirmed: dict[RowKey, None] = {}  # of the touched: a statement writes it
        # of the touched: links of theirs were written, each with the rows at its other ends
        self.ends: dict[tuple[RowKey, Partners], None] = {}
        # rights at their end may change
        self.linked: dict[tuple[Policy, Key, Partners], None] = {}
        self.is_settled = True
        self.is_committing = False
        self.is_refused = False
        self._known: dict[RowKey, Note] = {}
        self._marks: dict[Any, tuple[int, ...]] = {}
        self._pending: Any = None

    def widen(self, guard: Guard, identity: Any, main: Main) -> None:
        """A block begins in the transaction: watch for its sake, too, and for its caller."""
        if identity is not self.identity:
            for note in self._known.values():
                note.answers.clear()  # which were the former caller's
        self.guard, self.identity, self.is_narrow = guard, identity, False
        self.mains.append(main)
        self.questions = Questions(self.session, guard, identity, self.before)

    # --- what was ---

    def was_allowed(self, policy: Policy, verb: Verb, owner: Any, identity: Any) -> bool | None:
        """Whether the caller might do it before the transaction; None when it was not touched."""
        state = sa.inspect(owner)
        key = None if state.key is None else state.key[1]
        note = None if key is None else self.touched.get((state.mapper.base_mapper, key))
        if note is None or key is None or not note.existed or note.policy is not policy:
            return None
        if identity is self.identity and verb.name in note.answers:
            return note.answers[verb.name]
        questions = Questions(self.session, self.guard, identity, self.before)
        found = questions.read(note.mapper, [verb], [key], was=True)
        return key in found and found[key][0][verb.name]

    def was_visible(self, policy: Policy, owner: Any, identity: Any) -> bool:
        """Whether the caller could see the object before the transaction."""
        return self.was_allowed(policy, VIEW, owner, identity) is not False

    # --- savepoints ------------------------------------------------------------------------------

    def mark(self, savepoint: Any) -> None:
        """Remember what was touched before a savepoint."""
        self._marks[savepoint] = tuple(map(len, self._since()))

    def take_back(self, savepoint: Any) -> None:
        """Forget what was touched since the savepoint, which was rolled back."""
        since = self._since()
        for found, size in zip(since, self._marks.pop(savepoint, (0,) * len(since)), strict=True):
            while len(found) > size:
                found.popitem()

    def _since(self) -> tuple[dict[Any, Any], ...]:
        """What grows with each touch."""
        return self.touched, self.confirmed, self.ends, self.linked

    # --- flushes ---------------------------------------------------------------------------------

    def expect(self, flush_context: Any) -> None:
        """A flush begins; it knows what it writes when it asks for the first row."""
        self._pending = flush_context
        self.is_settled = False

    def prepare(self) -> None:
        """Note all that the flush is about to write, before its first statement."""
        context, self._pending = self._pending, None
        if context is None:
            return
        found: dict[tuple[Mapper[Any], Verb], list[Key]] = {}
        for state, (is_deleted, is_listed) in context.states.items():
            if is_listed or state.key is None or not self.guard.watches(state.mapper):
                continue
            verb = DELETE if is_deleted else UPDATE
            found.setdefault((state.mapper, verb), []).append(state.key[1])
        for (mapper, verb), keys in found.items():
            self.note(mapper, keys, verb)

    def written(self, mapper: Mapper[Any], target: Any, verb: Verb) -> None:
        """A flush is about to write a row, which a hook of the app may have added to it."""
        self.prepare()
        if self.guard.watches(mapper):
            state = sa.inspect(target)
            if state.key is not None:
                self.note(mapper, [state.key[1]], verb)

    def was_written(self, mapper: Mapper[Any], target: Any) -> None:
        """A flush has written a row: inserted it, changed it, or changed its primary key."""
        if not self.guard.watches(mapper):
            return
        key = tuple(mapper.primary_key_from_instance(target))
        row_key = (mapper.base_mapper, key)
        if row_key not in self._known:
            self._keep(self.guard.rows_of(mapper), [key], {})
        self._touch(row_key)
        self.confirmed.setdefault(row_key)

    def updates(self, mapper: Mapper[Any], table: Any, parameters: Iterable[Any]) -> None:
        """A flush is about to execute an UPDATE of a table, with the keys of rows in parameters."""
        columns = self.guard.rows_of(mapper).keys.get(table, ())
        labels = [str(column._label) for column in columns]
        for row in parameters:
            if labels and all(label in row for label in labels):
                key = tuple(row[label] for label in labels)
                self.note(mapper, [key], UPDATE)
                self.confirm(mapper, [key])

    def was_deleted(self, mapper: Mapper[Any], state: InstanceState[Any]) -> None:
        """A flush has deleted a row."""
        if self.guard.watches(mapper) and state.key is not None:
            self.confirmed.setdefault((mapper.base_mapper, state.key[1]))

    # --- rows ------------------------------------------------------------------------------------

    def note(self, mapper: Mapper[Any], keys: Iterable[Key], verb: Verb) -> None:
        """Note rows that are going to be touched, with what the caller may do now."""
        self.is_settled = False
        base = mapper.base_mapper
        keys = list(keys)
        new = [key for key in keys if (base, key) not in self._known]
        if new:
            self._read(mapper, new, verb)
        for key in keys:
            self._touch((base, key))
        if verb is DELETE:
            self._note_cascades(mapper, keys)

    def confirm(self, mapper: Mapper[Any], keys: Iterable[Key]) -> None:
        """Say of noted rows that a statement writes them."""
        for key in keys:
            self.confirmed.setdefault((mapper.base_mapper, key))

    def _touch(self, row_key: RowKey) -> None:
        self.touched.setdefault(row_key, self._known[row_key])

    def _read(self, mapper: Mapper[Any], keys: list[Key], verb: Verb) -> None:
        """Read rows as they are before the transaction touches them."""
        policy = self.guard.policy_of(mapper)
        verbs = [] if policy is None else [self.verb_of(policy, verb)]
        found = self.questions.read(mapper, verbs, keys, was=True, is_locked=True)
        self._keep(self.guard.rows_of(mapper), keys, found)

    def _keep(self, rows: Rows, keys: list[Key], found: Mapping[Key, Answered]) -> None:
        base, policy = rows.mapper.base_mapper, self.guard.policy_of(rows.mapper)
        for key in keys:
            answers, row = found.get(key, ({}, None))
            self._known[base, key] = Note(rows.mapper, policy, key, row, answers)
        start = 0
        for table, kept in rows.columns:
            end = start + len(kept)
            contents = [row[start:end] for _, row in found.values()]
            self.before.add(table, rows.keys[table], keys, contents)
            start = end

    def verb_of(self, policy: Policy | None, verb: Verb) -> Verb:
        """The verb that the change of a row most likely stands for."""
        if verb is UPDATE:
            for main in self.mains:
                if main.policy is policy and main.is_change:
                    return main.verb
        return verb

    def main_of(self, policy: Policy | None, key: Key) -> Main | None:
        """What the block is about, if that is this row."""
        for main in self.mains:
            if main.policy is policy and _key_of(main.owner) == key:
                return main
        return None

    # --- what comes with a row -------------------------------------------------------------------

    def _note_cascades(self, mapper: Mapper[Any], keys: list[Key]) -> None:
        """Note what the database changes or deletes together with rows."""
        for table in self.guard.rows_of(mapper).keys:
            for cascade in self.guard.cascades.get(table, ()):
                children = self._children(cascade, mapper, table, keys)
                if children:
                    self.note(cascade.mapper, children, DELETE if cascade.is_delete else UPDATE)
                    self.confirm(cascade.mapper, children)

    def _children(
        self, cascade: Cascade, mapper: Mapper[Any], table: Any, keys: list[Key]
    ) -> list[Key]:
        children = self.guard.rows_of(cascade.mapper)
        parent = table.alias()
        joined = sa.and_(*(own == parent.c[other.key] for own, other in cascade.pairs))
        of_key = [parent.c[column.key] for column in self.guard.rows_of(mapper).keys[table]]
        source = children.source.join(parent, joined)
        statement = sa.select(*children.key).select_from(source)
        base = cascade.mapper.base_mapper
        found: list[Key] = []
        for batch in batches(keys):
            of_batch = statement.where(equals_one_of(of_key, batch))
            found += map(tuple, self.questions.run(cascade.mapper, of_batch, None, was=False))
        return [key for key in found if (base, key) not in self.touched]

    def note_links(self, table: Any, parameters: Iterable[Mapping[str, Any]]) -> None:
        """Note rows of an association table that a flush is about to write, and their ends."""
        self.prepare()
        self.is_settled = False
        rows = _linked_rows(parameters)
        for row in rows:
            columns = tuple(column for column in table.c if column.key in row)
            self._keep_link(table, columns, tuple(row[column.key] for column in columns))
        links = self.guard.links[table]
        ends = [self._ends_of(link, rows) for link in links]
        for link, found in zip(links, ends, strict=True):
            if link.is_written:
                self.note(link.mapper, dict.fromkeys(chain.from_iterable(found)), UPDATE)
        for link, found in zip(links, ends, strict=True):
            others = [
                (other.mapper.base_mapper, those)
                for other, those in zip(links, ends, strict=True)
                if other.columns != link.columns
            ]
            for index, keys in enumerate(found):
                partners = tuple((base, key) for base, those in others for key in those[index])
                self._note_end(link, keys, partners)

    def _keep_link(self, table: Any, columns: tuple[Any, ...], key: Key) -> None:
        connection = self.session.connection()
        statement = sa.select(*kept_columns(table)).where(equals_one_of(columns, [key]))
        former = self.before.of(statement, [table], connection.dialect)
        self.before.add(table, columns, [key], connection.execute(former).all())

    def _note_end(self, link: Link, keys: list[Key], partners: Partners) -> None:
        for key in keys:
            if link.is_written:
                self.ends.setdefault(((link.mapper.base_mapper, key), partners))
            else:
                self.linked.setdefault((link.policy, key, partners))

    def _ends_of(self, link: Link, rows: list[dict[str, Any]]) -> list[list[Key]]:
        """The primary keys of the rows at an end, for each row of the association table."""
        values = [tuple(row[column.key] for column in link.columns) for row in rows]
        columns, key = tuple(own for own, _ in link.pairs), self.guard.rows_of(link.mapper).key
        if len(columns) == len(key) and all(map(operator.is_, columns, key)):
            return [[value] for value in values]
        source = self.guard.rows_of(link.mapper).source
        statement = sa.select(*columns, *key).select_from(source)
        statement = statement.where(equals_one_of(columns, list(dict.fromkeys(values))))
        found: dict[Key, list[Key]] = {}
        for row in self.questions.run(link.mapper, statement, None, was=False):
            found.setdefault(tuple(row[: len(columns)]), []).append(tuple(row[len(columns) :]))
        return [found.get(value, []) for value in values]


def _linked_rows(parameters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows that a flush inserts or deletes; both of a row that it moves."""
    found = []
    for row in parameters:
        former = {key: value for key, value in row.items() if key.startswith(_OLD)}
        if former:
            found.append({key.removeprefix(_OLD): value for key, value in former.items()})
        found.append({key: value for key, value in row.items() if key not in former})
    return found


def _key_of(owner: Any) -> Key | None:
    state = sa.inspect(owner)
    return None if state.key is None else state.key[1]
