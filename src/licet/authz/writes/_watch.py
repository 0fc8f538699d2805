"""What the flushes of one transaction write: its rows, links, and what the database adds.

A flush is asked which rows it is about to write before it writes any; association tables tell by
their statements.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import InstanceState, Mapper

from licet.authz.policies.verbs import DELETE, UPDATE, Verb
from licet.authz.writes._before import batches, equals_one_of
from licet.authz.writes._family import kept_columns, name_of, root_of
from licet.authz.writes._guard import Cascade, Link
from licet.authz.writes._questions import Key, writing_connection
from licet.authz.writes._touched import LinkRow, Note, Partners, RowKey, Touched, link_row
from licet.errors import UnguardedWrite

__all__ = ["Watch"]

_OLD: Final = "old_"  # how a flush marks the former values of a link that it moves


class Watch(Touched):
    """What a transaction of a session writes; its arguments are those of `Touched`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pending: Any = None
        self._flush: Any = None
        self.proposed: list[Any] = []  # what a flush was to store that a taken value ended
        self._cascading: list[tuple[Mapper[Any], list[Key]]] = []
        self._inserts: Counter[Any] = Counter()
        self.inserted: Counter[Any] = Counter()  # rows by table, as the flush's statements say

    # --- flushes ---------------------------------------------------------------------------------

    def expect(self, flush_context: Any) -> None:
        """A flush begins; it knows what it writes when it asks for the first row."""
        self._pending = self._flush = flush_context
        self.is_settled = False
        self.proposed = []
        self._inserts.clear()
        self.inserted.clear()

    def stored_objects(self) -> Iterator[Any]:
        """What the flush that is under way inserts or changes."""
        for state, (is_deleted, is_listed) in self._flush.states.items():
            if not (is_deleted or is_listed):
                yield state.obj()

    def written_rows(self) -> Iterator[RowKey]:
        """Every row that the transaction has written."""
        for confirmed in (self.confirmed, *(former[1] for former in self._former)):
            yield from confirmed

    def created_tables(self) -> set[Any]:
        """The tables of rows that the transaction has inserted."""
        notes = (self._known.get(row_key) for row_key in self.written_rows())
        created = (note.mapper for note in notes if note is not None and not note.existed)
        return {table for mapper in created for table in mapper.tables}

    def inserts(self, mapper: Mapper[Any]) -> None:
        """A flush is about to insert an object of the class."""
        self.prepare()
        if self.guard.watches(mapper):
            self._inserts.update(mapper.tables)

    def require_own_inserts(self) -> None:
        """Refuse rows that a hook inserted in bulk during the flush, which told of no object.

        Raises:
            UnguardedWrite: there are such.
        """
        for table in self.inserted:
            if name_of(table) in self.guard.closed and self.inserted[table] > self._inserts[table]:
                raise UnguardedWrite(
                    f"Rows of the guarded table {table} were inserted in bulk during a flush, and "
                    "no policy decides about them: add objects to a session instead."
                )

    def prepare(self) -> None:
        """Note all that the flush is about to write, before its first statement."""
        context, self._pending = self._pending, None
        if context is None:
            return
        found: dict[tuple[Mapper[Any], Verb], list[Key]] = {}
        for state, (is_deleted, is_listed) in context.states.items():
            verb = DELETE if is_deleted else UPDATE
            if is_listed or state.key is None or not self._is_noted(state.mapper, verb):
                continue
            found.setdefault((state.mapper, verb), []).append(state.key[1])
        for (mapper, verb), keys in found.items():
            self.note(mapper, keys, verb)

    def written(self, mapper: Mapper[Any], target: Any, verb: Verb) -> None:
        """A flush is about to write a row, which a hook of the app may have added to it."""
        self.prepare()
        state = sa.inspect(target)
        if state.key is not None:
            if self._is_noted(mapper, verb):
                self.note(mapper, [state.key[1]], verb)
            if verb is UPDATE and not self.guard.updates.keys().isdisjoint(mapper.tables):
                self._note_new_keys(mapper, target)

    def _is_noted(self, mapper: Mapper[Any], verb: Verb) -> bool:
        """Whether rows of the class are noted, or others that would be deleted with them."""
        if self.guard.watches(mapper):
            return True
        return verb is DELETE and not self.guard.cascades.keys().isdisjoint(mapper.tables)

    def was_written(self, mapper: Mapper[Any], target: Any) -> None:
        """A flush has written a row: inserted it, changed it, or changed its primary key."""
        if not self.guard.watches(mapper):
            return
        key = tuple(mapper.primary_key_from_instance(target))
        row_key = (root_of(mapper), key)
        if row_key not in self._known:
            self._keep(self.guard.rows_of(mapper), [key], {})
        self._touch(row_key)
        self.confirmed.setdefault(row_key)
        former = sa.inspect(target).key
        if former is not None and former[1] != key:
            self.gone.setdefault((root_of(mapper), former[1]))

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
        if state.key is not None and self._is_noted(mapper, DELETE):
            self.confirmed.setdefault((root_of(mapper), state.key[1]))
            self.gone.setdefault((root_of(mapper), state.key[1]))

    # --- what comes with a row -------------------------------------------------------------------

    def note_cascades(self, mapper: Mapper[Any], keys: list[Key]) -> None:
        """Note what the database changes or deletes together with rows."""
        self._cascading.append((mapper, keys))
        if len(self._cascading) > 1:  # of rows that go with others, which may be very far away
            return
        try:
            for one, of_class in self._cascading:
                for table in self.guard.rows_of(one).keys:
                    for cascade in self.guard.cascades.get(table, ()):
                        self._note_cascade(cascade, one, table, of_class)
        finally:
            self._cascading.clear()

    def _note_new_keys(self, mapper: Mapper[Any], target: Any) -> None:
        """Note what the database changes because a row gets another key."""
        state = sa.inspect(target)
        for table in self.guard.rows_of(mapper).keys:
            for cascade in self.guard.updates.get(table, ()):
                names = [mapper.get_property_by_column(other).key for _, other in cascade.pairs]
                if any(state.attrs[name].history.has_changes() for name in names):
                    self._note_cascade(cascade, mapper, table, [state.key[1]])

    def _note_cascade(
        self, cascade: Cascade, mapper: Mapper[Any], table: Any, keys: list[Key]
    ) -> None:
        if cascade.mapper is None:
            rows = self._linked_to(cascade, mapper, table, keys)
            _require_no_default(cascade, rows)
            self._note_rows(cascade.table, rows, is_delete=cascade.is_delete, is_gone=True)
            return
        children = self._children(cascade, cascade.mapper, mapper, table, keys)
        if not children:
            return
        if cascade.table in self.guard.links:
            _require_no_default(cascade, children)
        is_moved = any(own.primary_key for own, _ in cascade.pairs) and not cascade.is_delete
        if is_moved and self.guard.policies_of(cascade.mapper):
            raise UnguardedWrite(
                f"The database would give rows of {cascade.table} other primary keys, and no "
                "policy could decide about them: change the objects."
            )
        # first, so that rows which refer to each other come to an end
        self.confirm(cascade.mapper, children, is_gone=cascade.is_delete)
        self.note(cascade.mapper, children, DELETE if cascade.is_delete else UPDATE)

    def _children(
        self,
        cascade: Cascade,
        child: Mapper[Any],
        mapper: Mapper[Any],
        table: Any,
        keys: list[Key],
    ) -> list[Key]:
        rows, base = self.guard.rows_of(child), root_of(child)
        selected = self._joined(cascade, rows.source, rows.key, mapper, table, keys)
        known = self.gone if cascade.is_delete else self.confirmed
        return [key for key in map(tuple, selected) if (base, key) not in known]

    def _linked_to(
        self, cascade: Cascade, mapper: Mapper[Any], table: Any, keys: list[Key]
    ) -> list[dict[str, Any]]:
        columns = kept_columns(cascade.table)
        selected = self._joined(cascade, cascade.table, columns, mapper, table, keys)
        names = [column.key for column in columns]
        return [dict(zip(names, row, strict=True)) for row in selected]

    def _joined(
        self,
        cascade: Cascade,
        source: Any,
        columns: Iterable[Any],
        mapper: Mapper[Any],
        table: Any,
        keys: list[Key],
    ) -> list[Any]:
        """The rows that refer to these rows of the table."""
        parent = table.alias()
        joined = sa.and_(*(own == parent.c[other.key] for own, other in cascade.pairs))
        of_key = [parent.c[column.key] for column in self.guard.rows_of(mapper).keys[table]]
        statement = sa.select(*columns).select_from(source.join(parent, joined))
        found: list[Any] = []
        for batch in batches(keys):
            of_batch = statement.where(equals_one_of(of_key, batch))
            found += self.questions.run(mapper, of_batch, None, was=False)
        return found

    def note_links(
        self, table: Any, parameters: Iterable[Mapping[str, Any]], *, is_delete: bool
    ) -> None:
        """Note rows of an association table that a flush is about to write, and their ends."""
        self.prepare()
        self.is_settled = False
        former, rows = _linked_rows(table, parameters)
        self._note_rows(table, former, is_delete=False, is_gone=True)
        self._note_rows(table, rows, is_delete=is_delete, is_gone=is_delete)

    def _note_rows(
        self, table: Any, rows: list[dict[str, Any]], *, is_delete: bool, is_gone: bool
    ) -> None:
        """Note rows of an association table, which are gone or changed if `is_gone`."""
        if not rows:
            return
        for row in rows:
            self.note_link(link_row(table, row), is_gone=is_gone)
        owner = self.guard.owner_of(table)
        self._keep_links(table, rows)
        if owner is not None:
            own = [str(column.key) for column in owner.primary_key]
            named = (row for row in rows if all(name in row for name in own))
            keys = list(dict.fromkeys(tuple(row[name] for name in own) for row in named))
            self.note(owner, keys, DELETE if is_delete else UPDATE)
            self.confirm(owner, keys, is_gone=is_delete)
        self.note_ends(table, rows)

    def note_mapped_links(self) -> None:
        """Note the ends of rows of association tables that were written as objects."""
        if not self.guard.links:
            return
        written: dict[Mapper[Any], list[Note]] = {}
        for row_key in self.confirmed:
            note = self._known[row_key]
            if not self.guard.links.keys().isdisjoint(note.mapper.tables):
                written.setdefault(note.mapper, []).append(note)
        for mapper, notes in written.items():
            found = self.questions.read(mapper, [], [note.key for note in notes], was=False)
            rows = [note.row for note in notes if note.row]
            rows += [row for _, row in found.values() if row]
            for table in mapper.tables:
                if table in self.guard.links:
                    content = self.guard.rows_of(mapper).content
                    self.note_ends(table, [content(table, row) for row in rows])
                    for _, row in found.values():
                        self.note_link(link_row(table, content(table, row)), is_gone=False)
                    self._note_lost(mapper, table, [n for n in notes if n.key not in found])

    def _note_lost(self, mapper: Mapper[Any], table: Any, notes: list[Note]) -> None:
        """Of rows that were written as objects and are not there, which should be."""
        columns = self.guard.rows_of(mapper).keys.get(table)
        known = {row for _, row in self.link_writes}
        for note in notes:
            is_gone = (root_of(mapper), note.key) in self.gone
            if columns and (is_gone or (table, columns, note.key) not in known):
                self.note_link((table, columns, note.key), is_gone=is_gone)

    def note_ends(self, table: Any, rows: list[dict[str, Any]]) -> None:
        """Note the rows at the ends of rows of an association table."""
        links = self.guard.links[table]
        ends = [self._ends_of(link, rows) for link in links]
        for link, found in zip(links, ends, strict=True):
            if link.is_written:
                self.note(link.mapper, dict.fromkeys(chain.from_iterable(found)), UPDATE)
        for link, found in zip(links, ends, strict=True):
            others = [
                (root_of(other.mapper), those)
                for other, those in zip(links, ends, strict=True)
                if other.columns != link.columns
            ]
            for index, keys in enumerate(found):
                partners = tuple((base, key) for base, those in others for key in those[index])
                self._note_end(link, keys, partners, link_row(table, rows[index]))

    def _keep_links(self, table: Any, rows: list[dict[str, Any]]) -> None:
        """Keep rows of an association table as they are before they are touched first."""
        connection = writing_connection(self.session, self.guard.links[table][0].mapper)
        keys: dict[tuple[Any, ...], dict[Key, None]] = {}
        for row in rows:
            _, columns, key = link_row(table, row)
            keys.setdefault(columns, {})[key] = None
        for columns, of_columns in keys.items():
            new = self.before.unknown(table, columns, of_columns)
            statement = sa.select(*kept_columns(table))
            for batch in batches(new):
                asked = statement.where(equals_one_of(columns, batch))
                former = self.before.of(asked, [table], connection, {table: (columns, batch)})
                made, options = (asked, {}) if former is None else former
                found = connection.execute(made, execution_options=options).all()
                self.before.add(table, columns, batch, found)

    def _note_end(self, link: Link, keys: list[Key], partners: Partners, row: LinkRow) -> None:
        for key in keys:
            if link.is_written:
                self.ends.setdefault(((root_of(link.mapper), key), partners, row))
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
        found: dict[Key, list[Key]] = {}
        for batch in batches(dict.fromkeys(values)):
            of_batch = statement.where(equals_one_of(columns, batch))
            for row in self.questions.run(link.mapper, of_batch, None, was=False):
                found.setdefault(tuple(row[: len(columns)]), []).append(tuple(row[len(columns) :]))
        if len(set(values)) > 1 and not found.keys() >= set(values):  # "7" is 7 to the database
            return [self._ends_of(link, [row])[0] for row in rows]
        alone = [key for keys in found.values() for key in keys]
        return [found.get(value, alone if len(set(values)) == 1 else []) for value in values]


def _require_no_default(cascade: Cascade, rows: list[Any]) -> None:
    """Refuse what gives rows of an association table another end, which nobody asks about."""
    if rows and cascade.is_default:
        raise UnguardedWrite(
            f"The database would link rows of {cascade.table} to its default, and no policy could "
            "decide about that: remove the links first."
        )


def _linked_rows(
    table: Any, parameters: Iterable[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows that a flush moves, as they were; and those that it inserts or deletes, or moves."""
    moved, written = [], []
    for row in parameters:
        # the table may have columns whose own names begin so
        former = {key: row[key] for key in row if key.startswith(_OLD) and key not in table.c}
        if former:
            moved.append({key.removeprefix(_OLD): value for key, value in former.items()})
        written.append({key: value for key, value in row.items() if key not in former})
    return moved, written
