"""Generated schemas, rows, callers, and questions about them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from tests.property.schemas.mapped import OTHER_NAMES
from tests.property.schemas.oracle import Question
from tests.property.schemas.spec import (
    CLASS,
    Association,
    Column,
    Entity,
    Relation,
    Row,
    Rows,
    Schema,
    key_of,
)

from licet.authz.policies.conditions import Condition, attr, caller

__all__ = ["QUESTIONS_A_CASE", "Case", "cases", "is_refused", "row_of", "said"]

QUESTIONS_A_CASE = 20
_POOLS: dict[str, list[Any]] = {
    "int": [0, 1, 2, 3, 4],
    "text": ["", "a", "A", "b", "ab", "%", "_"],
    "bool": [False, True],
}
_OPS = {
    "int": ["==", "!=", "<", ">=", "in"],
    "text": ["==", "!=", "<=", ">", "in", "contains", "startswith"],
    "bool": ["==", "!="],
}


@dataclass(eq=False, repr=False)
class Case:
    """A schema with rows, a caller, and questions, each about an entity."""

    schema: Schema
    rows: Rows
    caller: dict[str, Any]
    questions: list[tuple[Entity, Question]]

    def __repr__(self) -> str:
        entities = (
            f"{one.name}({one.parent.name if one.parent else ''}{' single' * one.is_single})"
            for one in self.schema.entities
        )
        relations = (
            f"  {one.owner.name}.{one.name} → {one.target.name}: {one.kind}"
            for one in self.schema.relations
        )
        rows = (f"  {row}" for of_base in self.rows.of_base.values() for row in of_base)
        asked = (f"  {entity.name}: {said(question)}" for entity, question in self.questions)
        parts = [", ".join(entities), *relations, *rows, str(self.rows.pairs), *asked]
        return "\n".join([*parts, str(self.caller)])


# --- schemas -------------------------------------------------------------------------------------


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Two or three families of classes, and relationships of every kind between them."""
    entities: list[Entity] = []
    for index in range(draw(st.integers(2, 3))):
        base = Entity(f"E{index}", [*draw(keys()), *draw(plain_columns(f"e{index}"))])
        entities.append(base)
        for number in range(draw(st.sampled_from([0, 0, 1, 2]))):
            name = f"E{index}s{number}"
            is_single = draw(st.booleans())
            entities.append(Entity(name, draw(plain_columns(name.lower())), base, is_single))
    schema = Schema(entities, [], [])
    for index in range(draw(st.integers(2, 6))):
        _relate(draw, schema, index)
    return schema


@st.composite
def keys(draw: st.DrawFn) -> list[Column]:
    """A primary key of one column or two."""
    kinds = draw(st.sampled_from([("int",), ("int",), ("text",), ("int", "text"), ("int", "int")]))
    return [
        Column(f"id{number}", kind, is_nullable=False, is_key=True)
        for number, kind in enumerate(kinds)
    ]


@st.composite
def plain_columns(draw: st.DrawFn, prefix: str) -> list[Column]:
    """Some columns, with or without NULLs; always a number, a text and a flag."""
    kinds = ["int", "text", "bool", *draw(st.lists(st.sampled_from(list(_POOLS)), max_size=1))]
    return [
        Column(f"{prefix}_{kind}{number}", kind, is_nullable=draw(st.booleans()))
        for number, kind in enumerate(kinds)
    ]


def _relate(draw: st.DrawFn, schema: Schema, index: int) -> None:
    kinds = ["key", "key", "key", "association", "association", "expression", "criterion", "alias"]
    kind = draw(st.sampled_from(kinds))
    owner, target = (draw(st.sampled_from(schema.entities)) for _ in range(2))
    if kind == "association":
        _associate(draw, schema, owner, target, index)
        return
    if kind == "expression":
        target = target.base
        of_kind = [one for one in owner.columns if one.kind == target.key[0].kind]
        usable = [one for one in of_kind if not one.is_key and one.refers_to is None]
        if len(target.key) > 1 or not usable:
            return
        found = _by_expression(f"r{index}", owner, target, usable[0])
        schema.relations.append(found)
        return
    columns = [Column(f"r{index}_{key.name}", key.kind) for key in target.key]
    owner.columns.extend(columns)
    names = [column.name for column in columns]
    many = draw(st.integers(0, 3)) > 0
    if kind == "key":
        _by_key(draw, schema, f"r{index}", owner, target, names, is_many=many)
    elif kind == "criterion":
        schema.relations.extend(_by_criterion(f"r{index}", owner, target, names))
    else:
        joins = _key_joins(owner, target, names)
        detail = {"from": names}
        schema.relations.append(Relation(f"r{index}", owner, target, False, "alias", joins, detail))


def _key_joins(owner: Entity, target: Entity, names: list[str]) -> Any:
    def joins(row: Row, other: Row, _rows: Rows) -> bool:
        own = tuple(row[name] for name in names)
        return None not in own and own == key_of(other, target)

    return joins


def _by_key(
    draw: st.DrawFn,
    schema: Schema,
    name: str,
    owner: Entity,
    target: Entity,
    names: list[str],
    *,
    is_many: bool,
) -> None:
    """A many-to-one, and perhaps its reverse: to many, or to one where the key is unique."""
    joins = _key_joins(owner, target, names)
    has_reverse = draw(st.booleans()) or not is_many
    back = {"back": f"{name}_back"} if has_reverse and draw(st.booleans()) else {}
    detail = {"from": names, "unique": not is_many, **back}
    schema.relations.append(Relation(name, owner, target, False, "key", joins, detail))
    if has_reverse:

        def back_joins(row: Row, other: Row, rows: Rows) -> bool:
            return bool(joins(other, row, rows))

        detail = {"from": names, **({"back": name} if back else {})}
        found = Relation(f"{name}_back", target, owner, is_many, "reverse", back_joins, detail)
        schema.relations.append(found)


def _by_criterion(name: str, owner: Entity, target: Entity, names: list[str]) -> list[Relation]:
    """Relationships that lead to flagged rows only, in both directions."""
    flags = {one: next(c.name for c in one.columns if c.kind == "bool") for one in (owner, target)}
    by_key = _key_joins(owner, target, names)

    def to_one(row: Row, other: Row, rows: Rows) -> bool:
        return by_key(row, other, rows) and other[flags[target]] is True

    def to_many(row: Row, other: Row, rows: Rows) -> bool:
        return by_key(other, row, rows) and other[flags[owner]] is True

    one, many = ({"from": names, "flag": flags[entity]} for entity in (target, owner))
    return [
        Relation(name, owner, target, False, "criterion", to_one, one),
        Relation(f"{name}_back", target, owner, True, "criterion", to_many, many),
    ]


def _by_expression(name: str, owner: Entity, target: Entity, column: Column) -> Relation:
    def joins(row: Row, other: Row, _rows: Rows) -> bool:
        value = row[column.name]
        if value is None:
            return False
        return (value + 1 if column.kind == "int" else value.lower()) == key_of(other, target)[0]

    return Relation(name, owner, target, False, "expression", joins, {"from": column.name})


def _associate(draw: st.DrawFn, schema: Schema, left: Entity, right: Entity, index: int) -> None:
    between = Association(f"between{index}", left, right, draw(st.booleans()))
    schema.associations.append(between)
    for is_left in (True, False)[: draw(st.integers(1, 2))]:
        owner, target = (left, right) if is_left else (right, left)

        def joins(
            row: Row,
            other: Row,
            rows: Rows,
            is_left: bool = is_left,
            owner: Entity = owner,
            target: Entity = target,
        ) -> bool:
            pair = key_of(row, owner), key_of(other, target)
            return (pair if is_left else pair[::-1]) in rows.pairs[between.name]

        detail = {"association": between, "is_left": is_left}
        name = f"r{index}" if is_left else f"r{index}_back"
        schema.relations.append(Relation(name, owner, target, True, "association", joins, detail))


# --- rows ----------------------------------------------------------------------------------------


@st.composite
def rows_of(draw: st.DrawFn, schema: Schema) -> Rows:
    """Up to five rows of each family; foreign keys lead somewhere, nowhere, or to nothing."""
    rows = Rows(schema)
    for base in schema.entities:
        if base.parent is None:
            rows.of_base[base.name] = [
                {column.name: value for column, value in zip(base.key, key, strict=True)}
                for key in draw(st.lists(_keys_of(base), min_size=1, max_size=5, unique=True))
            ]
    for base_name, of_base in rows.of_base.items():
        family = [one for one in schema.entities if one.base.name == base_name]
        for row in of_base:
            row[CLASS] = draw(st.sampled_from(family)).name
    for of_base in rows.of_base.values():
        for row in of_base:
            draw_values(draw, row, rows)
    for between in schema.associations:
        sides = [list(rows.of(one)) for one in (between.left, between.right)]
        pairs = [
            (key_of(a, between.left), key_of(b, between.right)) for a in sides[0] for b in sides[1]
        ]
        chosen = st.lists(st.sampled_from(pairs), max_size=4, unique=between.has_key)
        rows.pairs[between.name] = draw(chosen) if pairs else []
    return rows


def _keys_of(entity: Entity) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(st.sampled_from(_POOLS[column.kind]) for column in entity.key))


def draw_values(draw: st.DrawFn, row: Row, rows: Rows) -> None:
    """Give a row that has its key and class all its other values."""
    schema = rows.schema
    entity = schema.entity(row[CLASS])
    by_key = {
        name: one
        for one in schema.relations
        if one.kind in ("key", "criterion", "alias") and not one.is_many
        for name in one.detail["from"]
    }
    for column in entity.all_columns:
        if column.name in row:
            continue
        if column.name in by_key:
            relation = by_key[column.name]
            taken = [
                tuple(other.get(name) for name in relation.detail["from"])
                for other in rows.of(relation.owner)
                if relation.detail.get("unique")
            ]
            keys = [key_of(other, relation.target) for other in rows.of(relation.target)]
            free = [key for key in keys if key not in taken]
            nothing = (None,) * len(relation.target.key)
            key = draw(st.sampled_from([nothing, *free, *free]))
            row |= dict(zip(relation.detail["from"], key, strict=True))
        else:
            values = _POOLS[column.kind]
            row[column.name] = draw(
                st.sampled_from([None, *values] if column.is_nullable else values)
            )


@st.composite
def row_of(draw: st.DrawFn, entity: Entity, rows: Rows) -> Row:
    """One more row, whose key no row has and none refers to."""
    row: Row = {CLASS: entity.name}
    row |= {one.name: {"int": 77, "text": "new"}[one.kind] for one in entity.key}
    draw_values(draw, row, rows)
    return row


# --- questions -----------------------------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A schema, rows, a caller, and questions about the rows."""
    schema = draw(schemas())
    asking: dict[str, Any] = {
        f"{kind}_{number}": draw(st.sampled_from([None, *values]))
        for kind, values in _POOLS.items()
        for number in range(2)
    }
    asking |= {f"{kind}_many": values[::2] for kind, values in _POOLS.items()}
    questions = []
    for _ in range(QUESTIONS_A_CASE):
        entity = draw(st.sampled_from(schema.entities))
        questions.append((entity, draw(questions_about(entity, schema, 3, 2))))
    return Case(schema, draw(rows_of(schema)), asking, questions)


@st.composite
def questions_about(
    draw: st.DrawFn, entity: Entity, schema: Schema, depth: int, related: int
) -> Question:
    """A question about rows of an entity, mostly by way of related ones."""
    choices = ["leaf"]
    path, last = draw(paths_from(entity, schema, related))
    many = [one for one in schema.relations_of(last) if one.is_many]
    to_one = [one for one in schema.relations_of(last) if not one.is_many]
    choices += ["and", "or", "not", "not"] * (depth > 0)
    choices += ["any", "any", "any", "all", "all"] * (bool(many) and related > 0)
    choices += ["none"] * bool(to_one)
    smaller = questions_about(entity, schema, depth - 1, related)
    match draw(st.sampled_from(choices)):
        case "and" | "or" as kind:
            return kind, [draw(smaller), draw(smaller)]
        case "not":
            return "not", draw(smaller)
        case "any" | "all" as kind:
            relation = draw(st.sampled_from(many))
            inner = questions_about(relation.target, schema, max(0, depth - 1), related - 1)
            return kind, path, relation, draw(inner)
        case "none":
            return "null", path, draw(st.sampled_from(to_one))
    if draw(st.integers(0, 40)) == 40:
        return "cmp", (), draw(st.sampled_from(OTHER_NAMES)), "==", ("is", 1)
    return draw(comparisons(path, draw(st.sampled_from(last.all_columns))))


@st.composite
def paths_from(
    draw: st.DrawFn, entity: Entity, schema: Schema, related: int
) -> tuple[tuple[Relation, ...], Entity]:
    """Some relationships to one, and where they lead."""
    path: list[Relation] = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2])) if related else 0):
        to_one = [one for one in schema.relations_of(entity) if not one.is_many]
        if to_one:
            path.append(draw(st.sampled_from(to_one)))
            entity = path[-1].target
    return tuple(path), entity


@st.composite
def comparisons(draw: st.DrawFn, path: tuple[Relation, ...], column: Column) -> Question:
    """A column beside a value, the caller's, or nothing."""
    if draw(st.integers(0, 7)) == 0:
        return "null", path, column.name
    op = draw(st.sampled_from(_OPS[column.kind]))
    values = _POOLS[column.kind]
    if op == "in":
        listed = ("is", tuple(draw(st.lists(st.sampled_from(values), max_size=6))))
        return (
            "cmp",
            path,
            column.name,
            op,
            draw(st.sampled_from([listed, ("caller", f"{column.kind}_many")])),
        )
    of_caller = ("caller", f"{column.kind}_{draw(st.integers(0, 1))}")
    operand = draw(st.sampled_from([("is", draw(st.sampled_from(values))), of_caller]))
    return "cmp", path, column.name, op, operand


def said(question: Question) -> Condition:
    """The question as licet's users write it."""
    match question:
        case ("and", (one, other)):
            return said(one) & said(other)
        case ("or", (one, other)):
            return said(one) | said(other)
        case ("not", inner):
            return ~said(inner)
        case ("null", path, name):
            return _at(path, getattr(name, "name", name)).is_null()
        case ("any" | "all" as kind, path, relation, inner):
            return getattr(_at(path, relation.name), kind)(said(inner))
        case ("cmp", path, name, op, (source, operand)):
            value = getattr(caller, operand) if source == "caller" else operand
            return _COMPARES[op](_at(path, name), value)
    raise TypeError(question)


_COMPARES: dict[str, Any] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda left, value: left.in_(value),
    "contains": lambda left, value: left.contains(value),
    "startswith": lambda left, value: left.startswith(value),
}


def _at(path: tuple[Relation, ...], name: str) -> Any:
    return attr(".".join([*(one.name for one in path), name]))


def is_refused(question: Question) -> bool:
    """Whether it asks by way of what no condition may use, and has to be refused when built."""
    match question:
        case ("and" | "or", parts):
            return any(map(is_refused, parts))
        case ("not", inner):
            return is_refused(inner)
        case ("any" | "all", path, relation, inner):
            return any(map(_is_odd, (*path, relation))) or is_refused(inner)
        case (_, path, name, *_rest):
            named = [name] if isinstance(name, Relation) else []
            return name in OTHER_NAMES or any(map(_is_odd, (*path, *named)))
    raise TypeError(question)


def _is_odd(relation: Relation) -> bool:
    return relation.kind == "alias" or relation.target.is_single
