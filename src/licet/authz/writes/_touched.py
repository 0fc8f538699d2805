"""The rows that one transaction of a session touches, each as it was before its first touch.

What a savepoint takes back is forgotten. Nothing is decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, Session

from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import DELETE, UPDATE, VIEW, Verb
from licet.authz.writes._before import Before, batches, equals_one_of, is_plain
from licet.authz.writes._family import kept_columns, reads_alike, root_of
from licet.authz.writes._guard import Guard, Link, Rows
from licet.authz.writes._questions import Answered, Key, Questions, writing_connection

__all__ = ["LinkRow", "Main", "Note", "Partners", "RowKey", "Touched", "link_row"]

_RAW: Final = sa.types.NullType()
_MANY: Final = 20  # keys of which a question about former rows reads the rows
RowKey = tuple[Mapper[Any], Key]
Partners = tuple[RowKey, ...]
# a row of an association table by some of its columns and their values
LinkRow = tuple[Any, tuple[Any, ...], Key]


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

    @property
    def stands_for_update(self) -> bool:
        """Whether the object's change is asked another verb than others' changes are."""
        return self.is_change and self.verb.name != UPDATE.name


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


class Touched:
    """The rows that a transaction of a session touches.

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
        self.ends: dict[tuple[RowKey, Partners, LinkRow], None] = {}
        # rights at their end may change
        self.linked: dict[tuple[Policy, Key, Partners], None] = {}
        self.gone: dict[RowKey, None] = {}  # of the touched: it was deleted, or has another key
        # rows of association tables in the order of their writes, and whether each is gone by it
        self.link_writes: dict[tuple[int, LinkRow], bool] = {}
        self.is_settled = True
        self.is_refused = False
        self._known: dict[RowKey, Note] = {}
        self._marks: dict[Any, tuple[int, ...]] = {}
        self._former: list[tuple[dict[Any, Any], ...]] = []  # what was set aside

    @property
    def is_in_use(self) -> bool:
        """Whether it knows anything of rows."""
        return bool(self._known or self._former)

    def enter(self, guard: Guard, identity: Any, mains: list[Main]) -> None:
        """A block begins or ends in the transaction: watch for its sake, and for its caller."""
        if identity is not self.identity:
            for note in self._known.values():
                note.answers.clear()  # which were the former caller's
        self.guard, self.identity, self.mains, self.is_narrow = guard, identity, mains, False
        self.questions = Questions(self.session, guard, identity, self.before)

    def set_aside(self) -> None:
        """What was touched is decided; what is touched from now on is decided for itself."""
        self._former.append(self._since())
        self.touched, self.confirmed, self.ends = {}, {}, {}
        self.linked, self.gone, self.link_writes = {}, {}, {}
        self.is_settled = True

    # --- what was ---

    def was_allowed(self, policy: Policy, verb: Verb, owner: Any, identity: Any) -> bool | None:
        """Whether the caller might do it before the transaction; None when it was not touched."""
        state = sa.inspect(owner)
        key = None if state.key is None else state.key[1]
        note = None if key is None else self._known.get((root_of(state.mapper), key))
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
        self._marks[savepoint] = (len(self._former), *map(len, self._since()))

    def take_back(self, savepoint: Any) -> None:
        """Forget what was touched since the savepoint, which was rolled back."""
        n_former, *sizes = self._marks.pop(savepoint, (0,) * (1 + len(self._since())))
        if len(self._former) > n_former:
            since = self._former[n_former]
            self.touched, self.confirmed, self.ends, self.linked, self.gone, self.link_writes = (
                since
            )
            del self._former[n_former:]
            self.is_settled = False
        for found, size in zip(self._since(), sizes, strict=True):
            while len(found) > size:
                found.popitem()

    def _since(self) -> tuple[dict[Any, Any], ...]:
        """What grows with each touch."""
        return (
            self.touched,
            self.confirmed,
            self.ends,
            self.linked,
            self.gone,
            self.link_writes,
        )

    # --- rows ------------------------------------------------------------------------------------

    def note(self, mapper: Mapper[Any], keys: Iterable[Key], verb: Verb) -> None:
        """Note rows that are going to be touched, with what the caller may do now."""
        self.is_settled = False
        base = root_of(mapper)
        keys = list(keys)
        new = [key for key in keys if (base, key) not in self._known]
        for stored, of_class in self._by_class(mapper, new).items():
            self._read(stored, of_class, verb)
        for key in keys:
            self._touch((base, key))
        if verb is DELETE:
            self.note_cascades(mapper, keys)

    def note_cascades(self, mapper: Mapper[Any], keys: list[Key]) -> None:
        """Note what the database changes or deletes together with rows."""

    def unchanged_links(self) -> set[LinkRow]:
        """The rows of association tables at written links that are as they were, or never were.

        A row by values that the database may have in another form is not known to be unchanged.
        """
        asked: dict[tuple[Any, tuple[Any, ...]], dict[Key, None]] = {}
        for *_, (table, columns, key) in self.ends:
            if len(kept_columns(table)) == len(table.c) and is_plain(columns, key):
                asked.setdefault((table, columns), {})[key] = None
        return {
            (table, columns, key)
            for (table, columns), keys in asked.items()
            for key in self._unchanged(table, columns, keys)
        }

    def _unchanged(self, table: Any, columns: tuple[Any, ...], keys: Iterable[Key]) -> set[Key]:
        connection = writing_connection(self.session, self.guard.links[table][0].mapper)
        found = set[Key]()
        # what an app's own type reads as equal may be stored as different
        selected = [sa.type_coerce(one, _RAW) if reads_alike(one) else one for one in table.c]
        statement = sa.select(*selected)
        places = [list(table.c).index(column) for column in columns]

        def counted(rows: Iterable[Any]) -> Counter[tuple[Key, str]]:
            return Counter((tuple(row[at] for at in places), repr(tuple(row))) for row in rows)

        for batch in batches(keys):
            now = statement.where(equals_one_of(columns, batch))
            former = self.before.of(now, [table], connection, {table: (columns, batch)})
            was, options = (now, {}) if former is None else former
            rows = counted(connection.execute(now))
            former_rows = counted(connection.execute(was, execution_options=options))
            changed = {key for key, _ in (rows - former_rows) + (former_rows - rows)}
            found.update(key for key in batch if key not in changed)
        return found

    def present_links(self) -> dict[Any, dict[tuple[Any, ...], list[Key]]]:
        """The rows of association tables that were written last, not deleted: by table, columns."""
        last: dict[LinkRow, bool] = {}
        for (_, row), is_gone in self.link_writes.items():
            last[row] = is_gone
        found: dict[Any, dict[tuple[Any, ...], list[Key]]] = {}
        for (table, columns, key), is_gone in last.items():
            if not is_gone:
                found.setdefault(table, {}).setdefault(columns, []).append(key)
        return found

    def absent_links(self, table: Any, columns: tuple[Any, ...], keys: list[Key]) -> Iterator[Key]:
        """Those of the written rows that the table does not have: a trigger changed them."""
        connection = writing_connection(self.session, self.guard.links[table][0].mapper)
        statement = sa.select(*columns)
        for batch in batches(keys):
            of_batch = statement.where(equals_one_of(columns, batch))
            there = set(map(tuple, connection.execute(of_batch)))
            for key in batch:
                if key not in there:  # perhaps in another form
                    one = statement.where(equals_one_of(columns, [key])).limit(1)
                    if connection.execute(one).first() is None:
                        yield key

    def dangling_links(
        self, table: Any, columns: tuple[Any, ...], keys: list[Key]
    ) -> Iterator[tuple[Link, Key]]:
        """Those that name a row which is not there, and the end where it should be."""
        for link in self.guard.links[table]:
            connection = writing_connection(self.session, link.mapper)
            if connection.dialect.name != "sqlite" and all(c.foreign_keys for c in link.columns):
                continue  # the database sees to it
            source = self.guard.rows_of(link.mapper).source
            is_it = sa.and_(*(own == other for own, other in link.pairs))
            end = sa.select(sa.literal(1)).select_from(source).where(is_it).correlate(table)
            statement = sa.select(*columns).where(
                ~sa.exists(end), *(column.is_not(None) for column in link.columns)
            )
            for batch in batches(keys):
                of_batch = statement.where(equals_one_of(columns, batch))
                yield from ((link, tuple(row)) for row in connection.execute(of_batch))

    def _by_class(self, mapper: Mapper[Any], keys: list[Key]) -> dict[Mapper[Any], list[Key]]:
        """The keys by the class of the stored row, where policies depend on that."""
        if not keys or not self.guard.is_mixed(mapper):
            return {mapper: keys} if keys else {}
        found: dict[Mapper[Any], list[Key]] = {}
        classes = self.questions.classes(mapper, keys)
        for key in keys:
            found.setdefault(classes.get(key, mapper), []).append(key)
        return found

    def confirm(self, mapper: Mapper[Any], keys: Iterable[Key], *, is_gone: bool = False) -> None:
        """Say of noted rows that a statement writes them, or deletes them."""
        for key in keys:
            self.confirmed.setdefault((root_of(mapper), key))
            if is_gone:
                self.gone.setdefault((root_of(mapper), key))

    def note_link(self, row: LinkRow, *, is_gone: bool) -> None:
        """A row of an association table is written, or does not stay as it is."""
        self.link_writes[len(self.link_writes), row] = is_gone

    def _touch(self, row_key: RowKey) -> None:
        self.touched.setdefault(row_key, self._known[row_key])

    def _read(self, mapper: Mapper[Any], keys: list[Key], verb: Verb) -> None:
        """Read rows as they are before the transaction touches them."""
        policy = self.guard.policy_of(mapper)
        verbs = [] if policy is None else [self.verb_of(policy, verb)]
        if policy is not None and self.before.size(self.guard.asked[policy]) > _MANY:
            verbs = []  # each of many flushes would read them all; asked once for all at the end
        found = self.questions.read(mapper, verbs, keys, was=True, is_locked=True)
        self._keep(self.guard.rows_of(mapper), keys, found)

    def _keep(self, rows: Rows, keys: list[Key], found: Mapping[Key, Answered]) -> None:
        base, policy = root_of(rows.mapper), self.guard.policy_of(rows.mapper)
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


def link_row(table: Any, row: Mapping[str, Any]) -> LinkRow:
    """A row by its primary key, or by its values; those that Python cannot hash are left out."""
    key = tuple(table.primary_key.columns)
    if not key or any(column.key not in row for column in key):
        key = tuple(c for c in table.c if c.key in row and isinstance(row[c.key], Hashable))
    return table, key, tuple(row[column.key] for column in key)


def _key_of(owner: Any) -> Key | None:
    state = sa.inspect(owner)
    return None if state.key is None else state.key[1]
