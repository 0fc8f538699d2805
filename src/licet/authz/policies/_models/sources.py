"""What the fields of a model are made of, so that a rule holds for every name of a value.

A rule on a column holds for its synonym, composite, hybrid, column_property, association proxy and
for a second relationship over the same key. A source is a column of a table, what related rows are
found by, or the name of a field that is nothing but itself. What cannot be derived is told by
`unknown`.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import CodeType, FunctionType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import AssociationProxy
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import (
    ColumnProperty,
    CompositeProperty,
    Mapper,
    RelationshipDirection,
    RelationshipProperty,
    SynonymProperty,
)
from sqlalchemy.sql.visitors import iterate

from licet.errors.names import with_article

__all__ = ["Sources", "sources_of"]

Source = Any
_NOTHING: Final[frozenset[Source]] = frozenset()
_PLAIN: Final = frozenset(dir(object))
_TAKES_ANY: Final = 0x04 | 0x08  # flags of code with *args or **kwargs
_READS: Final = ("LOAD_ATTR", "LOAD_METHOD")


@dataclass(eq=False)
class Sources:
    """The sources of each field.

    `values` has what a field shows or writes; `own` what it is, by which others show or write it;
    `unknown` the fields whose sources cannot be derived, each with the reason.
    """

    values: dict[str, frozenset[Source]] = field(default_factory=dict)
    own: dict[str, frozenset[Source]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def touching(self, names: Iterable[str]) -> frozenset[str]:
        """The names, and every field that shows or writes something of theirs."""
        named = frozenset(names)
        theirs = self._owned(named)
        return named.union(name for name, of in self.values.items() if of & theirs)

    def within(self, names: Iterable[str]) -> frozenset[str]:
        """The names, and every field that shows or writes nothing but theirs."""
        named = frozenset(names)
        theirs = self._owned(named)
        return named.union(name for name, of in self.own.items() if of and of <= theirs)

    def _owned(self, names: Iterable[str]) -> frozenset[Source]:
        return _NOTHING.union(*(self.own.get(name, _NOTHING) for name in names))


def sources_of(mapper: Mapper[Any], said: Mapping[str, Iterable[str]]) -> Sources:
    """The sources of all fields of a class; `said` names those of some fields, as the app says."""
    return _Finder(mapper, said).find()


class _Finder:
    """Finds the sources of one class, each field's once."""

    def __init__(self, mapper: Mapper[Any], said: Mapping[str, Iterable[str]]) -> None:
        self._mapper = mapper
        self._descriptors: Mapping[str, Any] = dict(mapper.all_orm_descriptors.items())
        self._said = said
        self._found = Sources()
        self._keys = {
            name: frozenset(prop.local_columns)
            for name, prop in mapper.relationships.items()
            if prop.direction is RelationshipDirection.MANYTOONE
        }
        self._pending: set[str] = set()

    def find(self) -> Sources:
        for name, descriptor in self._descriptors.items():
            if not self._is_no_field(name, descriptor):
                self._values(name)
        return self._found

    def _is_no_field(self, name: str, descriptor: Any) -> bool:
        """Whether it is asked something, or the function that ``inplace`` made of a hybrid."""
        if not isinstance(descriptor, hybrid_property):  # a synonym would be looked through
            return isinstance(descriptor, hybrid_method)
        own_name = getattr(descriptor, "__name__", name)
        return own_name != name and self._descriptors.get(own_name) is descriptor

    def _values(self, name: str) -> frozenset[Source]:
        """The sources of one field; none of one that is being looked at, or is unknown."""
        found = self._found
        if name not in found.values and name not in self._pending:
            self._pending.add(name)
            own, derived = self._look(name)
            found.own[name], found.values[name] = own, own | derived
            self._pending.discard(name)
        return found.values.get(name, _NOTHING)

    def _look(self, name: str) -> tuple[frozenset[Source], frozenset[Source]]:
        """What the field is, and what else it shows."""
        itself = frozenset({name})
        if name in self._said:
            return itself, self._all(self._said[name])
        match self._mapper.attrs.get(name):
            case ColumnProperty(strategy_key=(("query_expression", True),)):
                return itself, self._give_up(name, "is a query_expression, which statements fill")
            case ColumnProperty(columns=columns):
                if all(isinstance(column, sa.Column) for column in columns):
                    computed = [one.computed.sqltext for one in columns if one.computed]
                    return frozenset(columns), self._read_by(name, computed)
                return itself, self._read_by(name, columns)
            case RelationshipProperty():
                return self._of_relation(name)
            case SynonymProperty() as synonym:
                values = self._values(synonym.name)
                return self._found.own.get(synonym.name, itself), values
            case CompositeProperty(props=parts):  # by whatever they were given
                return _NOTHING.union(*(part.columns for part in parts)), _NOTHING
        return itself, self._of_descriptor(name, self._descriptors[name])

    def _of_relation(self, name: str) -> tuple[frozenset[Source], frozenset[Source]]:
        """A many-to-one is its key. Columns that other relationships share are not it alone.

        Another is the key by which the related rows are found, or the table between; the columns
        that its join reads, if they are no primary key, are shown with them.
        """
        key = self._keys.get(name)
        if not key:
            return self._of_many(self._mapper.relationships[name])
        shared = _NOTHING.union(*(of for other, of in self._keys.items() if not of <= key))
        return (key - shared - set(self._mapper.primary_key)) or key, key

    def _of_many(
        self, prop: RelationshipProperty[Any]
    ) -> tuple[frozenset[Source], frozenset[Source]]:
        pairs = prop.local_remote_pairs or ()
        found_by = [prop.secondary] if prop.secondary is not None else [one for _, one in pairs]
        own = frozenset(map(_of_related, found_by))
        beside = [] if prop.secondaryjoin is None else _columns_in([prop.secondaryjoin])
        others = {*prop.mapper.tables, prop.secondary}
        read = prop.local_columns.union(one for one in beside if one.table not in others)
        return own, own | (frozenset(read) - set(self._mapper.primary_key))

    def _read_by(self, name: str, expressions: Iterable[Any]) -> frozenset[Source]:
        """What expressions of SQL read; text among them may read whatever it likes."""
        listed = list(expressions)
        if any(_is_text(part) for one in listed for part in iterate(one)):
            return self._give_up(name, "is made of text of SQL")
        columns = frozenset(_columns_in(listed))
        tables = {column.table for column in columns}
        return columns.union(map(_of_related, (*columns, *tables)))

    def _of_descriptor(self, name: str, descriptor: Any) -> frozenset[Source]:
        if isinstance(descriptor, AssociationProxy):
            return self._values(descriptor.target_collection)
        if isinstance(descriptor, hybrid_property):
            return self._of_hybrid(name, descriptor)
        self._found.unknown[name] = f"is {with_article(type(descriptor).__name__)}"
        return _NOTHING

    def _of_hybrid(self, name: str, hybrid: Any) -> frozenset[Source]:
        """What its expression reads, and every field that its Python function names."""
        try:
            expression = getattr(self._mapper.class_, name).__clause_element__()
        except Exception as error:  # noqa: BLE001 - an app's function, called with the class
            return self._give_up(
                name, f"is a hybrid whose expression raises {type(error).__name__}"
            )
        named = _names_in(hybrid.fget)
        is_beside = hybrid.expr is not None or hybrid.custom_comparator is not None
        if is_beside:  # else the function itself has made the expression
            if called := sorted(self._others(named, hybrid.fget)):
                return self._give_up(name, f"is a hybrid whose function uses {', '.join(called)}")
            if not _is_read_by_name(hybrid.fget):
                return self._give_up(name, "is a hybrid whose function gives the object to others")
        return self._read_by(name, [expression]) | self._all(named & self._fields())

    def _give_up(self, name: str, reason: str) -> frozenset[Source]:
        self._found.unknown[name] = reason
        return _NOTHING

    def _others(self, names: frozenset[str], function: Any) -> Iterator[str]:
        """Methods of the class and functions beside it, which may read whatever they like."""
        known = self._fields() | _PLAIN
        beside = getattr(function, "__globals__", {})
        return (
            name
            for name in names - known
            if hasattr(self._mapper.class_, name) or isinstance(beside.get(name), FunctionType)
        )

    def _fields(self) -> frozenset[str]:
        return frozenset(self._descriptors)

    def _all(self, names: Iterable[str]) -> frozenset[Source]:
        return _NOTHING.union(*(self._values(name) for name in names if name in self._descriptors))


def _of_related(found_by: Any) -> Source:
    """The source that a relationship is whose rows are found by a column or a table of theirs."""
    return "of", found_by


def _is_text(part: Any) -> bool:
    if isinstance(part, sa.ColumnClause):
        harmless = str(part.name).isdigit() or part.name == "*"  # of EXISTS and COUNT
        return part.is_literal and not harmless
    return isinstance(part, sa.TextClause)


def _columns_in(expressions: Iterable[Any]) -> Iterator[sa.Column[Any]]:
    """The columns of tables in expressions, those in subqueries and of aliases included."""
    for expression in expressions:
        for part in iterate(expression):
            for column in getattr(part, "base_columns", ()):
                if isinstance(column, sa.Column):
                    yield column


def _names_in(function: Callable[..., Any]) -> frozenset[str]:
    """The attributes that a function names, in functions within it as well."""
    found: set[str] = set()
    for code in _codes_of(function):
        found.update(code.co_names)
        found.update(const for const in code.co_consts if isinstance(const, str))  # for getattr
    return frozenset(found)


def _is_read_by_name(function: Callable[..., Any]) -> bool:
    """Whether all that a function does with its first argument is to read attributes of it.

    What it gives to another function may be read there, whatever that is.
    """
    codes = list(_codes_of(function))
    if not codes or not codes[0].co_argcount or codes[0].co_flags & _TAKES_ANY:
        return False
    return all(_is_only_read(codes[0].co_varnames[0], code) for code in codes)


def _codes_of(function: Callable[..., Any]) -> Iterator[CodeType]:
    """A function's code and that of functions within it."""
    while isinstance(function, partial) and not function.args:
        function = function.func
    code = getattr(function, "__code__", None)
    pending = [code] if isinstance(code, CodeType) else []
    for one in pending:
        yield one
        pending.extend(const for const in one.co_consts if isinstance(const, CodeType))


def _is_only_read(name: str, code: CodeType) -> bool:
    """Whether an attribute is read wherever the code loads the variable of that name."""
    steps = [one for one in dis.get_instructions(code) if one.opname != "CACHE"]
    for step, following in pairwise(steps):
        is_load = "LOAD_FAST" in step.opname or step.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF")
        loaded = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if is_load and name in loaded:
            is_last = name not in loaded[:-1]  # Python 3.13 loads two variables at once
            if not (is_last and following.opname.startswith(_READS)):
                return False
    return True
