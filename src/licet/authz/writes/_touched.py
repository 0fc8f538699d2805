"""The rows that one transaction of a session touches, each as it was before its first touch.

What a savepoint takes back is forgotten. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, Session

from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import DELETE, UPDATE, VIEW, Verb
from licet.authz.writes._before import Before
from licet.authz.writes._family import root_of
from licet.authz.writes._guard import Guard, Rows
from licet.authz.writes._questions import Answered, Key, Questions

__all__ = ["LinkRow", "Main", "Note", "Partners", "RowKey", "Touched"]

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
        self.linked, self.gone = {}, {}
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
            self.touched, self.confirmed, self.ends, self.linked, self.gone = since
            del self._former[n_former:]
            self.is_settled = False
        for found, size in zip(self._since(), sizes, strict=True):
            while len(found) > size:
                found.popitem()

    def _since(self) -> tuple[dict[Any, Any], ...]:
        """What grows with each touch."""
        return self.touched, self.confirmed, self.ends, self.linked, self.gone

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


def _key_of(owner: Any) -> Key | None:
    state = sa.inspect(owner)
    return None if state.key is None else state.key[1]
