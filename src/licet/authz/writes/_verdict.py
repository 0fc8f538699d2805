"""Whether everything that a transaction wrote is allowed, row by row, before and after.

A row that is new is asked CREATE as it was written; one that is gone, DELETE as it was; one that
was changed, UPDATE both as it was and as it is. A row that others belong to, and whose own UPDATE
is decided by them, must allow the caller as much as before; but what such rows gave may go with
them, where their own policy allows their DELETE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, aliased

from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import CREATE, DELETE, UPDATE, VIEW, Verb
from licet.authz.writes._before import batches, equals_one_of
from licet.authz.writes._family import root_of
from licet.authz.writes._guard import Link, Member
from licet.authz.writes._questions import Key
from licet.authz.writes._touched import Note, RowKey
from licet.authz.writes._watch import Watch

__all__ = ["Refusal", "first_refusal"]


@dataclass(frozen=True)
class Refusal:
    """A row whose change is denied, by which verb, and at which moment."""

    policy: Policy
    verb: Verb
    key: Key
    visible: bool
    reason: str


def first_refusal(watch: Watch) -> Refusal | None:
    """The first denied change of a transaction: the block's own object, then the others."""
    refused = _Asked(watch).refused()
    first = next((one for one in refused if watch.main_of(*one[1:3]) is not None), None)
    found = first or next(iter(refused), None)
    if found is None:
        return None
    _, policy, key, verb, reason = found
    visible = verb is CREATE or _was_visible(watch, policy, key)
    return Refusal(policy, verb, key, visible, reason)


Refused = tuple[Mapper[Any], Policy, Key, Verb, str]


class _Asked:
    """The questions about what a transaction touched."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._is_there: dict[RowKey, bool] = {}  # now, of touched rows that were looked for
        self._were: dict[Policy, list[Note]] = {}  # the rows whose former class it decides about
        self._are: dict[Policy, list[Note]] = {}  # those of the class that the rows have now
        for note in watch.touched.values():
            former = watch.guard.policies_of(note.mapper) if note.existed else ()
            for found, policies in ((self._were, former), (self._are, self._present(note))):
                for policy in policies:
                    if self._counts(policy, note.key):
                        found.setdefault(policy, []).append(note)

    @cached_property
    def _classes(self) -> dict[RowKey, Mapper[Any]]:
        """The class that each touched row has now, where policies depend on it."""
        watch, keys = self._watch, dict[Mapper[Any], list[Key]]()
        for note in watch.touched.values():
            if watch.guard.is_mixed(note.mapper):
                keys.setdefault(root_of(note.mapper), []).append(note.key)
        return {
            (root, key): mapper
            for root, of_root in keys.items()
            for key, mapper in watch.questions.classes(root, of_root).items()
        }

    def _present(self, note: Note) -> tuple[Policy, ...]:
        guard = self._watch.guard
        if not guard.is_mixed(note.mapper):
            return guard.policies_of(note.mapper)
        return guard.policies_of(self._classes.get(_row_key(note), note.mapper))

    def _counts(self, policy: Policy, key: Key) -> bool:
        watch = self._watch
        return not watch.is_narrow or watch.main_of(policy, key) is not None

    def refused(self) -> list[Refused]:
        """Every denied change."""
        found: list[Refused] = []
        present = {policy: self._now(policy, notes) for policy, notes in self._are.items()}
        for policy, notes in self._are.items():
            found += self._created_and_changed(policy, notes, present[policy])
        for policy, notes in self._were.items():
            found += self._before(policy, notes, present.get(policy, {}))
        found += self._parents()
        found += self._links()
        return found

    # --- the touched rows ------------------------------------------------------------------------

    def _now(self, policy: Policy, notes: list[Note]) -> dict[Key, dict[str, bool]]:
        """For each row that there is, what the caller may do with it as it was written."""
        verbs = {verb.name: verb for verb in (self._verb(policy, note) for note in notes)}
        now = _answers(self._watch, policy, [note.key for note in notes], verbs.values())
        self._is_there.update((_row_key(note), note.key in now) for note in notes)
        return now

    def _is_deleted(self, row_key: RowKey) -> bool:
        """Whether a row is gone, and its own policy was asked for that."""
        note = self._watch.touched.get(row_key)
        if note is None or note.policy is None:
            return False
        if row_key not in self._is_there:
            there = self._watch.questions.read(note.mapper, [], [note.key], was=False)
            self._is_there[row_key] = note.key in there
        return not self._is_there[row_key]

    @cached_property
    def _ends(self) -> set[RowKey]:
        """The ends of changed links, but for those that went with the row at their other end."""
        ends = self._watch.ends
        unchanged = self._watch.unchanged_links() if ends else set()
        return {
            row_key
            for row_key, partners, link in ends
            if link not in unchanged and not any(map(self._is_deleted, partners))
        }

    def _verb(self, policy: Policy, note: Note) -> Verb:
        if not note.existed or policy not in self._watch.guard.policies_of(note.mapper):
            return CREATE  # of a row of another class, too
        main = self._watch.main_of(policy, note.key)
        return main.verb if main is not None and main.is_change else UPDATE

    def _created_and_changed(
        self, policy: Policy, notes: list[Note], now: dict[Key, dict[str, bool]]
    ) -> Iterator[Refused]:
        for note in notes:
            answers, verb = now.get(note.key), self._verb(policy, note)
            if answers is None:
                if not note.existed and self._is_lost(note):
                    reason = "the written row is not found by its key"
                    yield note.mapper, policy, note.key, verb, reason
                continue
            if answers[verb.name] or self._is_same(note):
                continue
            when = "as it was written" if verb is CREATE else "after the change"
            yield note.mapper, policy, note.key, verb, f"{verb} is denied {when}"

    def _is_lost(self, note: Note) -> bool:
        """Whether a statement wrote a row that is not found, though none deleted it."""
        row_key = _row_key(note)
        if row_key not in self._watch.confirmed or row_key in self._watch.gone:
            return False
        written = (row_key[0], _as_texts(note.key))
        return not any(written == (root, _as_texts(key)) for root, key in self._watch.gone)

    def _before(
        self, policy: Policy, notes: list[Note], now: dict[Key, dict[str, bool]]
    ) -> Iterator[Refused]:
        asked: dict[str, list[Note]] = {}
        verbs: dict[str, Verb] = {}
        for note in notes:
            if note.existed:
                verb = self._verb(policy, note) if note.key in now else DELETE
                verbs[verb.name] = verb
                asked.setdefault(verb.name, []).append(note)
        for name, those in asked.items():
            keys = [note.key for note in those if not self._is_answered(policy, note, name)]
            former = _answers(self._watch, policy, keys, [verbs[name]], was=True) if keys else {}
            for note in those:
                if self._is_answered(policy, note, name):
                    answer = note.answers[name]
                else:
                    answer = former.get(note.key, {}).get(name, False)
                if not answer and not self._is_same(note):
                    reason = f"{name} is denied before the change"
                    yield note.mapper, policy, note.key, verbs[name], reason

    def _is_answered(self, policy: Policy, note: Note, name: str) -> bool:
        """Whether it was asked when the row was touched first."""
        return note.policy is policy and name in note.answers

    def _is_same(self, note: Note) -> bool:
        """Whether the row is as it was, whatever was written in between.

        One that was written and has columns that are not kept is not known to be the same.
        """
        watch, row_key = self._watch, _row_key(note)
        if note.row is None or row_key in self._ends:
            return False
        if row_key not in watch.confirmed:  # an object that only seemed to be changed
            return True
        if not watch.guard.rows_of(note.mapper).is_kept_whole:
            return False
        found = watch.questions.read(note.mapper, [], [note.key], was=False)
        if note.key not in found or found[note.key][1] != note.row:
            return False
        return watch.questions.is_stored_as(note.mapper, note.key, note.row)

    # --- rows of association tables --------------------------------------------------------------

    def _links(self) -> Iterator[Refused]:
        """Written links that are not as they were written, or to rows that are not there.

        Who links a row that does not exist would have planted a right for the one that will.
        """
        watch = self._watch
        for table, by_columns in watch.present_links().items():
            for columns, keys in by_columns.items():
                if not columns:
                    continue
                first = watch.guard.links[table][0]
                for key in watch.absent_links(table, columns, keys):
                    reason = "the written link is not found by its values"
                    yield from self._of_link(first, columns, key, reason)
                for link, key in watch.dangling_links(table, columns, keys):
                    reason = "the row that a written link names is not there"
                    yield from self._of_link(link, columns, key, reason)

    def _of_link(
        self, link: Link, columns: tuple[Any, ...], key: Key, reason: str
    ) -> Iterator[Refused]:
        named = dict(zip(columns, key, strict=True))
        end = tuple(named.get(column) for column in link.columns)
        if self._counts(link.policy, end):
            yield link.mapper, link.policy, end, UPDATE, reason

    # --- those that they belong to ---------------------------------------------------------------

    def _parents(self) -> Iterator[Refused]:
        """Rows whose UPDATE answer was changed by other rows."""
        watch = self._watch
        touched: dict[tuple[Mapper[Any], bool], list[Key]] = {}
        for row_key, note in watch.touched.items() if watch.guard.members else ():
            if row_key not in watch.confirmed:  # an object that only seemed to be changed
                continue
            touched.setdefault((note.mapper, self._is_deleted(row_key)), []).append(note.key)
        for member in watch.guard.members:
            found: dict[Key, bool] = {}  # and whether the caller may lose the right
            for policy, key, partners in watch.linked:
                if policy is member.policy:
                    may_lose = any(map(self._is_deleted, partners))
                    found[key] = found.get(key, True) and may_lose
            for (mapper, is_deleted), of_mapper in touched.items():
                if mapper.isa(member.prop.mapper):
                    for key in _owners(watch, member, of_mapper):
                        found[key] = found.get(key, True) and is_deleted
            yield from self._changed(member.policy, found)

    def _changed(self, policy: Policy, found: dict[Key, bool]) -> Iterator[Refused]:
        watch, mapper = self._watch, sa.inspect(policy.model)
        keys = [
            key
            for key in found
            if (root_of(mapper), key) not in self._ends and self._counts(policy, key)
        ]
        if not keys:
            return
        former = _answers(watch, policy, keys, [UPDATE], was=True)
        now = _answers(watch, policy, keys, [UPDATE])
        for key in keys:
            if key not in former or key not in now or former[key] == now[key]:
                continue
            is_given = now[key][UPDATE.name]
            if is_given or not found[key]:
                word = "given" if is_given else "taken away"
                yield mapper, policy, key, UPDATE, f"UPDATE would be {word} by the change of others"


def _as_texts(key: Key) -> tuple[str, ...]:
    """A key that is the same for "7" and 7, as which SQLite stores it."""
    return tuple(map(str, key))


def _row_key(note: Note) -> RowKey:
    return root_of(note.mapper), note.key


def _owners(watch: Watch, member: Member, keys: list[Key]) -> Iterator[Key]:
    """The rows that the touched ones belong to, or belonged to."""
    model, prop = member.policy.model, member.prop
    rows = watch.guard.rows_of(sa.inspect(model))
    target = aliased(prop.mapper.class_)
    attribute = getattr(model, prop.key).of_type(target)
    columns = [
        getattr(target, prop.mapper.get_property_by_column(one).key)
        for one in prop.mapper.primary_key
    ]
    for batch in batches(keys):
        related = equals_one_of(columns, batch)
        is_owner = attribute.any(related) if prop.uselist else attribute.has(related)
        statement = sa.select(*rows.key).select_from(rows.source).where(is_owner)
        for was in (True, False):
            yield from map(
                tuple, watch.questions.run(rows.mapper, statement, member.policy, was=was)
            )


def _answers(
    watch: Watch, policy: Policy, keys: Iterable[Key], verbs: Iterable[Verb], *, was: bool = False
) -> dict[Key, dict[str, bool]]:
    """What the caller may do with each of the rows that there are, or that there were."""
    mapper = sa.inspect(policy.model)
    found = watch.questions.read(mapper, list(verbs), keys, was=was)
    return {key: answers for key, (answers, _) in found.items()}


def _was_visible(watch: Watch, policy: Policy, key: Key) -> bool:
    """Whether the caller could see the row before the transaction."""
    if policy.check(VIEW).has_predicate:
        return False
    return _answers(watch, policy, [key], [VIEW], was=True).get(key, {}).get(VIEW.name, False)
