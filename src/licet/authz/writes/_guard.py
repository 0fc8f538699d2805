"""Which tables a set of policies watches, and which rows another row's change concerns.

Everything here follows from the mappings and from the policies' conditions, and is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty

from licet.authz.policies._models.kept import KeptStatements
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import UPDATE
from licet.authz.writes._family import (
    GRANTS,
    TableName,
    kept_columns,
    name_of,
    reads_alike,
    root_of,
)
from licet.authz.writes._plans import asked_tables, checks, first_relations, require_sql
from licet.errors import UnguardedWrite

__all__ = [
    "SINGLE",
    "Cascade",
    "Guard",
    "Link",
    "Member",
    "Rows",
    "classes_of",
]

SINGLE: Final = "licet_key_"  # the parameters of a single row's key
_STATEMENTS: Final = 128  # which callers come again soon
_ACTIONS: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a mapped class: what they are selected from, their key, and their tables.

    `keys` has the columns of each table that hold the primary key.
    """

    mapper: Mapper[Any]
    source: Any
    key: tuple[Any, ...]
    keys: dict[Any, tuple[Any, ...]]

    @cached_property
    def selected(self) -> tuple[Any, Any]:
        """The keys and the columns of many rows; of one row, whose key is in parameters."""
        columns = [column for _, kept in self.columns for column in kept]
        statement = sa.select(*self.key, *columns).select_from(self.source)
        is_it = (
            column == sa.bindparam(f"{SINGLE}{index}", type_=column.type)
            for index, column in enumerate(self.key)
        )
        return statement, statement.where(*is_it)

    @cached_property
    def is_kept_whole(self) -> bool:
        """Whether each column is kept."""
        return all(len(kept) == len(table.c) for table, kept in self.columns)

    @cached_property
    def width(self) -> int:
        """How many columns are selected."""
        return len(self.key) + sum(len(kept) for _, kept in self.columns)

    @cached_property
    def alike(self) -> list[tuple[int, Any]]:
        """The kept columns of which different stored values may be read as equal; their places."""
        columns = [column for _, kept in self.columns for column in kept]
        return [(place, one) for place, one in enumerate(columns) if reads_alike(one)]

    def content(self, table: Any, row: tuple[Any, ...]) -> dict[str, Any]:
        """The kept columns of one of the tables, of a row that has those of all."""
        start = 0
        for one, kept in self.columns:
            if one is table:
                values = row[start : start + len(kept)]
                return dict(zip((column.key for column in kept), values, strict=True))
            start += len(kept)
        return {}

    @cached_property
    def columns(self) -> list[tuple[Any, list[Any]]]:
        """For each table, its columns that are kept as they were before a change."""
        return [(table, kept_columns(table)) for table in self.keys]


@dataclass(frozen=True, eq=False)
class Link:
    """An end of an association table: rows of a policy's class that a row of the table links.

    `pairs` are a column of the class and the one of the table that has its value. A link that
    `is_written` is a change of the rows at its end; another one can change what they allow.
    """

    policy: Policy
    mapper: Mapper[Any]
    pairs: tuple[tuple[Any, Any], ...]
    is_written: bool

    @property
    def columns(self) -> tuple[Any, ...]:
        """The columns of the association table that name the row."""
        return tuple(column for _, column in self.pairs)


@dataclass(frozen=True, eq=False)
class Member:
    """A relationship of a policy's class to rows with the foreign key, which its UPDATE asks."""

    policy: Policy
    prop: RelationshipProperty[Any]


@dataclass(frozen=True, eq=False)
class Cascade:
    """A foreign key whose rows the database changes or deletes with the row that they refer to.

    Without a class they are rows of an association table.
    """

    mapper: Mapper[Any] | None
    table: Any
    pairs: tuple[tuple[Any, Any], ...]  # the child's column, and the one that it refers to
    is_delete: bool
    is_default: bool = False


class Guard:
    """What is watched for the sake of some policies.

    Raises:
        UntranslatableCondition: a Python function decides about a write.
    """

    def __init__(self, policies: Iterable[Policy], *, is_narrow: bool = False) -> None:
        self._is_narrow: Final = is_narrow
        self.policies: Final = tuple(policies)
        self._of_mapper: dict[Mapper[Any], tuple[Policy, ...]] = {}
        self._watched: dict[Mapper[Any], bool] = {}
        self._mixed: dict[Mapper[Any], bool] = {}
        self._rows: dict[Mapper[Any], Rows] = {}
        self.flushed: Final[dict[Any, Mapper[Any]]] = {}  # by table, the class that wrote it last
        self.statements: Final = KeptStatements(_STATEMENTS)
        self.asked: Final = {policy: frozenset(asked_tables(policy)) for policy in self.policies}
        self.members: Final = [one for policy in self.policies for one in _members(policy)]
        self.links: Final = self._find_links()
        for policy in self.policies:
            require_sql(policy)

    def policies_of(self, mapper: Mapper[Any]) -> tuple[Policy, ...]:
        """The policies of a class, or of the nearest of its bases that has any."""
        if mapper not in self._of_mapper:
            found: tuple[Policy, ...] = ()
            for one in mapper.iterate_to_root():
                found = tuple(policy for policy in self.policies if policy.model is one.class_)
                if found or root_of(mapper) is one:
                    break
            self._of_mapper[mapper] = found
        return self._of_mapper[mapper]

    def policy_of(self, mapper: Mapper[Any]) -> Policy | None:
        """The first of them."""
        return next(iter(self.policies_of(mapper)), None)

    def is_mixed(self, mapper: Mapper[Any]) -> bool:
        """Whether it depends on a row's class which policies decide about it."""
        root = root_of(mapper)
        if root not in self._mixed:
            found = {self.policies_of(one) for one in classes_of(root)}
            self._mixed[root] = len(found) > 1
        return self._mixed[root]

    @cached_property
    def guarded(self) -> frozenset[Any]:
        """The tables of the policies' classes."""
        return frozenset(
            table
            for policy in self.policies
            for mapper in sa.inspect(policy.model).self_and_descendants
            for table in mapper.tables
        )

    @cached_property
    def noted(self) -> frozenset[Any]:
        """The tables whose rows are noted before they change."""
        return self.guarded.union(self.links, *self.asked.values())

    @cached_property
    def _related(self) -> frozenset[Any]:
        """The tables of rows that give rights."""
        return frozenset(table for one in self.members for table in one.prop.mapper.tables)

    @cached_property
    def closed(self) -> frozenset[TableName]:
        """The tables that no statement writes unasked: guarded ones, and those that give rights."""
        tables = self.guarded.union(self.links, self._related)
        return frozenset({*map(name_of, tables), GRANTS})

    @cached_property
    def owners(self) -> tuple[dict[TableName, set[Any]], dict[TableName, set[Any]]]:
        """Which classes' policies decide about each table, and whose rows give rights."""
        decided: dict[TableName, set[Any]] = {}
        related: dict[TableName, set[Any]] = {}
        for policy in self.policies:
            for mapper in sa.inspect(policy.model).self_and_descendants:
                for table in mapper.tables:
                    decided.setdefault(name_of(table), set()).add(root_of(mapper))
        for member in self.members:
            for mapper in member.prop.mapper.self_and_descendants:
                for table in mapper.tables:
                    related.setdefault(name_of(table), set()).add(root_of(mapper))
        return decided, related

    def owner_of(self, table: Any) -> Mapper[Any] | None:
        """The class whose policy decides about the rows of an association table, if one does."""
        mappers = (sa.inspect(policy.model) for policy in self.policies)
        return next((one for one in mappers if one.local_table is table), None)

    def rows_of(self, mapper: Mapper[Any]) -> Rows:
        """How the rows of a class are selected."""
        if mapper not in self._rows:
            key = tuple(mapper.primary_key)
            self._rows[mapper] = Rows(mapper, mapper.persist_selectable, key, _keys(mapper))
        return self._rows[mapper]

    def watches(self, mapper: Mapper[Any]) -> bool:
        """Whether rows of the class are noted.

        Raises:
            UnguardedWrite: they are in a guarded table, and the class is none of its policies'.
        """
        if mapper not in self._watched:
            if not self._is_narrow:
                self._require_known(mapper)
            self._watched[mapper] = not self.noted.isdisjoint(mapper.tables)
        return self._watched[mapper]

    def _require_known(self, mapper: Mapper[Any]) -> None:
        root, (decided, related) = root_of(mapper), self.owners
        tables = self.guarded.union(self.links, self._related)
        for table in mapper.tables:
            name = name_of(table)
            owners = decided.get(name) or related.get(name) or {root}
            is_other = bool(decided.get(name, {root}) - {root}) or root not in owners
            if is_other or (name in self.closed and table not in tables):
                raise UnguardedWrite(
                    f"{mapper.class_.__name__} is another class for rows of the guarded table "
                    f"{table}, about which no policy of it decides: write them as objects of "
                    "the class that the table's policy is for."
                )
        if mapper.inherits is not None and not self.policies_of(mapper):
            bases = (self.policies_of(one) for one in mapper.iterate_to_root())
            if root.concrete and any(bases):
                raise UnguardedWrite(
                    f"{mapper.class_.__name__} has a table of its own, and only its base has a "
                    f"policy, which cannot decide about that: register one for it."
                )

    def _find_links(self) -> dict[Any, list[Link]]:
        found: dict[Any, list[Link]] = {}
        for policy in self.policies:
            asked = {member.prop for member in self.members if member.policy is policy}
            own = sa.inspect(policy.model)
            for mapper in own.self_and_descendants:
                for prop in mapper.relationships:
                    if prop.secondary is None or (prop.parent is not mapper and mapper is not own):
                        continue
                    if not prop.viewonly or prop in asked:
                        pairs = tuple(prop.synchronize_pairs)
                        link = Link(policy, mapper, pairs, not prop.viewonly)
                        found.setdefault(prop.secondary, []).append(link)
        return found

    @cached_property
    def reaching(self) -> frozenset[Any]:
        """The tables from which the database changes or deletes noted rows, also by others."""
        found: set[Any] = set(self.noted)
        constraints = list(_acting_constraints(self.policies))
        while more := {
            one.referred_table
            for one in constraints
            if one.table in found and one.referred_table not in found
        }:
            found |= more
        return frozenset(found)

    @cached_property
    def cascades(self) -> dict[Any, list[Cascade]]:
        """For each table, what the database does to rows that refer to a deleted row."""
        return self._cascades("ondelete")

    @cached_property
    def updates(self) -> dict[Any, list[Cascade]]:
        """For each table, what it does to rows that refer to a row with another key."""
        return self._cascades("onupdate")

    def _cascades(self, event: str) -> dict[Any, list[Cascade]]:
        found: dict[Any, list[Cascade]] = {}
        mapped = {mapper.local_table: mapper for mapper in self._mappers()}
        for constraint in _acting_constraints(self.policies):
            action = _action(constraint, event)
            mapper = mapped.get(constraint.table)
            if action and (mapper is not None or constraint.table in self.links):
                pairs = tuple((one.parent, one.column) for one in constraint.elements)
                is_delete = (event, action) == ("ondelete", "CASCADE")
                is_default = action == "SET DEFAULT"
                cascade = Cascade(mapper, constraint.table, pairs, is_delete, is_default)
                found.setdefault(constraint.referred_table, []).append(cascade)
        return found

    @cached_property
    def undeletable(self) -> frozenset[TableName]:
        """The tables from which no statement deletes unasked, as noted rows go with theirs."""
        return frozenset(map(name_of, self.cascades))

    @cached_property
    def referred(self) -> Mapping[TableName, frozenset[str]]:
        """For each table, the columns that no statement sets unasked, as noted rows follow."""
        found: dict[TableName, frozenset[str]] = {}
        for table, cascades in self.updates.items():
            found[name_of(table)] = frozenset(to.name for it in cascades for _, to in it.pairs)
        return found

    def _mappers(self) -> Iterator[Mapper[Any]]:
        """The classes whose own table is noted, or reaches one that is."""
        registries = {sa.inspect(policy.model).registry for policy in self.policies}
        for registry in registries:
            for mapper in registry.mappers:
                table = mapper.local_table
                if isinstance(table, sa.Table) and table in self.reaching and not mapper.single:
                    yield mapper


def _acting_constraints(policies: Iterable[Policy]) -> Iterator[Any]:
    """The foreign keys by which the database changes or deletes rows."""
    registries = {sa.inspect(policy.model).registry for policy in policies}
    known = {registry.metadata for registry in registries}
    for metadata in known:
        for table in metadata.tables.values():
            for constraint in table.foreign_key_constraints:
                if _action(constraint, "ondelete") or _action(constraint, "onupdate"):
                    yield constraint


def _action(constraint: Any, event: str) -> str:
    """What the database does, unless that is nothing."""
    action = (getattr(constraint, event) or "").upper()
    return action if action in _ACTIONS else ""


def classes_of(root: Mapper[Any]) -> list[Mapper[Any]]:
    """The classes that a row of a base can be of."""
    return [one for one in root.self_and_descendants if root_of(one) is root]


def _keys(mapper: Mapper[Any]) -> dict[Any, tuple[Any, ...]]:
    found = {}
    for table in mapper.tables:
        columns = [_of_table(mapper, column, table) for column in mapper.primary_key]
        if all(column is not None for column in columns):
            found[table] = tuple(columns)
    return found


def _of_table(mapper: Mapper[Any], key: Any, table: Any) -> Any:
    """The column of the table that has the value of a column of the primary key."""
    equal = [key, *mapper.get_property_by_column(key).columns]
    equal += mapper._equivalent_columns.get(key, ())
    return next((column for column in equal if column.table is table), None)


def _members(policy: Policy) -> Iterator[Member]:
    mapper = sa.inspect(policy.model)
    found = {
        relation.name
        for name, plan in checks(policy)
        if name == UPDATE.name
        for relation in first_relations(plan)
    }
    for name in sorted(found):
        prop = mapper.relationships[name]
        if prop.direction is not RelationshipDirection.MANYTOONE:
            yield Member(policy, prop)
