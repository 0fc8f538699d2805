"""Decisions about objects in memory, as Python functions generated from plans.

In the manner of dataclasses, but as a syntax tree instead of text: no value ever becomes code.
Attributes are read where SQLAlchemy keeps loaded ones, in the object's ``__dict__``; that is five
times as fast as its descriptors. What is not there, and every relationship of a changed object, is
asked of an `ObjectReader`.

For ``(attr("event.state") == "published") & attr("sessions").any(attr("owner") == caller.id)``:

    def any_1(rows, v, identity):
        v0 = v[0]
        for o in rows:
            d = o.__dict__
            if v0 is not None and (d["owner"] if "owner" in d else value(o, k3)) == v0:
                return True
        return False

    def decide(o, v, identity):
        d = o.__dict__
        return (
            (o2 := r if (r := d.get("event", missing)) is not None
                   and r.__dict__.get("id", missing) == d.get("event_id", unknown)
                   else one(o, k0)) is not None
            and (d2 := o2.__dict__) is not None
            and (d2["state"] if "state" in d2 else value(o2, k1)) == k2
        ) and (
            any_1(d["sessions"], v, identity)
            if "sessions" in d and u  # u = "info" not in d["_sa_instance_state"].__dict__
            else k4(o, any_1, v, identity)
        )

`k4` is `Membership.holds`, which asks the database where the rows are not known to be all.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Final

from licet.authz._moment import in_utc
from licet.authz.policies._in_memory._syntax import (
    attribute,
    call,
    got,
    is_not_none,
    item,
    name_of,
    negated,
    stored_in,
)
from licet.authz.policies._in_sql._membership import Membership, is_linked
from licet.authz.policies._models.callers import fitting, read_predicate
from licet.authz.policies._models.nodes import (
    AllOf,
    AnyOf,
    CallerLeaf,
    Exists,
    Leaf,
    LinkLeaf,
    Pair,
    Place,
    Plan,
    PredicateLeaf,
    Slot,
    Test,
    Truth,
)
from licet.authz.policies._models.shape import Column, Kind, ObjectReader, Relation

__all__ = ["Decide", "compile_decision"]

Decide = Callable[[Any, Sequence[Any], Any], bool]
_STATE: Final = "_sa_instance_state"
_FEW: Final = 4
_COMPARE: Final[dict[Test, ast.cmpop]] = {
    Test.EQ: ast.Eq(),
    Test.NE: ast.NotEq(),
    Test.LT: ast.Lt(),
    Test.LE: ast.LtE(),
    Test.GT: ast.Gt(),
    Test.GE: ast.GtE(),
    Test.IN: ast.In(),
    Test.CONTAINS: ast.In(),
}


def _if_both(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: one is not None and other is not None and compare(one, other)


_COMPARE_BOTH: Final[dict[Test, Callable[[Any, Any], bool]]] = {
    Test.EQ: _if_both(operator.eq),
    Test.NE: operator.ne,
    Test.LT: _if_both(operator.lt),
    Test.LE: _if_both(operator.le),
    Test.GT: _if_both(operator.gt),
    Test.GE: _if_both(operator.ge),
}


def compile_decision(plan: Plan, reader: ObjectReader) -> Decide:
    """A function of (object, the caller's values, identity) that says whether the plan holds."""
    writer = _Writer(reader)
    test, operands = writer.test_with_operands(plan, "o")
    body = [*operands, *writer.beginning("o"), ast.Return(test)]
    decide = writer.function("decide", ["o", "v", "identity"], body)
    module = ast.Module(body=[*writer.functions, decide], type_ignores=[])
    ast.fix_missing_locations(module)
    exec(compile(module, "<licet condition>", "exec"), writer.names)  # noqa: S102 - built as a tree from checked names
    return writer.names["decide"]  # type: ignore[no-any-return]  # what exec put there


class _Missing:
    """Stands for a related object that is not loaded; its key equals no key."""


class _Writer:
    """Writes expressions; objects and constants are referred to by made-up global names."""

    def __init__(self, reader: ObjectReader) -> None:
        self.reader = reader
        self.names: dict[str, Any] = {
            "value": reader.value,
            "one": reader.one,
            "fitting": fitting,
            "in_utc": in_utc,
            "type_of": type,
            "predicate": read_predicate,
            "is_linked": is_linked,
            "missing": _Missing(),
            "unknown": object(),
        }
        self.functions: list[ast.stmt] = []
        self._is_negated = False  # what is now being written, by something around it
        self._on_the_way: set[str] = set()  # names of objects at the end of relationships
        self._asks_notes: set[str] = set()  # names of others of which notes are asked for
        self._slots: set[int] = set()  # that the function now being written reads
        self._count = 0

    def function(self, name: str, parameters: list[str], body: list[ast.stmt]) -> ast.stmt:
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(p) for p in parameters],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        made = ast.FunctionDef(name=name, args=arguments, body=body, decorator_list=[])
        made.type_params = []  # type: ignore[attr-defined]  # required since Python 3.12
        return made

    def test_with_operands(self, plan: Plan, owner: str) -> tuple[ast.expr, list[ast.stmt]]:
        """The test of a function of its own, and what comes before: each caller's value once."""
        outer, self._slots = self._slots, set()
        test = self.test(plan, owner)
        slots, self._slots = sorted(self._slots), outer
        return test, [ast.Assign([stored_in(f"v{n}")], item("v", n)) for n in slots]

    def beginning(self, owner: str) -> list[ast.stmt]:
        """What is looked up once of the object that a test is about, when the test is written."""
        unnoted = [ast.Assign([stored_in(f"u_{owner}")], _is_unnoted(owner))]
        return [_assign_dict(owner), *(unnoted if owner in self._asks_notes else ())]

    def test(self, plan: Plan, owner: str) -> ast.expr:  # noqa: PLR0911 - one for each kind
        """An expression that is True or False; `owner` names the object."""
        match plan:
            case Truth():
                return ast.Constant(plan.holds)
            case AllOf():
                return ast.BoolOp(ast.And(), [self.test(part, owner) for part in plan.parts])
            case AnyOf():
                return ast.BoolOp(ast.Or(), [self.test(part, owner) for part in plan.parts])
            case CallerLeaf():
                return negated(self._operand(plan.slot), plan.is_negated)
            case PredicateLeaf():
                function = self._constant(plan.function)
                called = call(name_of("predicate"), function, name_of(owner), name_of("identity"))
                return negated(called, plan.is_negated)
            case Leaf():
                return negated(self._leaf(plan, owner), plan.is_negated)
            case Pair():
                compare = self._constant(_COMPARE_BOTH[plan.test])
                values = (self._fit_value(one, owner) for one in (plan.left, plan.right))
                return negated(call(compare, *values), plan.is_negated)
            case LinkLeaf():
                present, last = self._hops(plan.hops, owner)
                link, operand = self._constant(plan.link), self._operand(plan.slot)
                linked = call(name_of("is_linked"), name_of(last), link, operand)
                found = ast.BoolOp(ast.And(), [*present, linked]) if present else linked
                return negated(found, plan.is_negated)
            case _:
                return negated(self._exists(plan, owner), plan.is_negated)

    def _leaf(self, leaf: Leaf, owner: str) -> ast.expr:
        if not leaf.hops:
            return self._compared(leaf, owner)
        present, last = self._hops(leaf.hops, owner)
        found = ast.BoolOp(ast.And(), [*present, self._compared(leaf, last)])
        if leaf.test is not Test.NE:
            return found
        # no related object is a missing value, which differs from every value that the caller has
        return ast.IfExp(
            ast.BoolOp(ast.And(), present),
            self._compared(leaf, last),
            is_not_none(self._operand(leaf.operand)),
        )

    def _fit_value(self, place: Place, owner: str) -> ast.expr:
        """The attribute's value as it is compared; None where an object on the way is missing."""
        present, last = self._hops(place.hops, owner)
        value = self._fitting(place.column, self._value(place.column, last), last)
        if not present:
            return value
        return ast.IfExp(ast.BoolOp(ast.And(), present), value, ast.Constant(None))

    def _hops(self, hops: tuple[Relation, ...], owner: str) -> tuple[list[ast.expr], str]:
        """Tests that walk along to-one relationships, and the name of the object at the end."""
        present: list[ast.expr] = []
        for hop in hops:
            name = self._new("o")
            self._on_the_way.add(name)
            present.append(is_not_none(ast.NamedExpr(stored_in(name), self._one(hop, owner))))
            as_dict = ast.NamedExpr(stored_in(f"d_{name}"), attribute(name, "__dict__"))
            present.append(is_not_none(as_dict))
            owner = name
        return present, owner

    def _exists(self, plan: Exists, owner: str) -> ast.expr:
        present, last = self._hops(plan.hops, owner)
        if plan.relation.is_many:
            name, row = self._new("any_"), self._new("o")
            outside, self._is_negated = self._is_negated, self._is_negated or plan.is_negated
            test, operands = self.test_with_operands(plan.inner, row)
            self._is_negated = outside
            found_one = ast.If(test, [ast.Return(ast.Constant(value=True))], [])
            loop = ast.For(stored_in(row), name_of("rows"), [*self.beginning(row), found_one], [])
            body = [*operands, loop, ast.Return(ast.Constant(value=False))]
            self.functions.append(self.function(name, ["rows", "v", "identity"], body))
            found: ast.expr = self._any(plan, last, name)
        else:
            found = is_not_none(self._one(plan.relation, last))
        return ast.BoolOp(ast.And(), [*present, found]) if present else found

    def _compared(self, leaf: Leaf, owner: str) -> ast.expr:
        value = self._value(leaf.column, owner)
        if leaf.test is Test.PRESENT:
            if leaf.column.is_inspected:
                value = self._refused_unless_fit(leaf.column, value, owner)
            return is_not_none(value)
        is_positive = not (leaf.is_negated or self._is_negated)
        operand = self._operand(_quickest(leaf.operand) if is_positive else leaf.operand)
        # what equals nothing that is asked for need not fit, if it can be compared as it is
        is_quick = is_positive and leaf.test in (Test.EQ, Test.IN) and not leaf.column.is_converted
        if not is_quick:
            value = self._fitting(leaf.column, value, owner)
        parts: list[ast.expr] = []
        if isinstance(leaf.operand, Slot) and leaf.test not in (Test.NE, Test.IN):
            parts.append(is_not_none(operand))
        if leaf.test not in (Test.EQ, Test.NE, Test.IN):
            name = self._new("x")
            parts.append(is_not_none(ast.NamedExpr(stored_in(name), value)))
            value = name_of(name)
        if leaf.test is Test.STARTSWITH:
            parts.append(call(ast.Attribute(value, "startswith", ast.Load()), operand))
        elif leaf.test is Test.CONTAINS:
            parts.append(ast.Compare(operand, [ast.In()], [value]))
        elif is_quick:
            parts.extend(self._is_equal(leaf, value, operand, owner))
        else:
            parts.append(ast.Compare(value, [_COMPARE[leaf.test]], [operand]))
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def _is_equal(
        self, leaf: Leaf, value: ast.expr, operand: ast.expr, owner: str
    ) -> Iterator[ast.expr]:
        """Whether the value equals, or is among; one of another type is told when it seems so."""
        name = self._new("x")
        yield ast.Compare(ast.NamedExpr(stored_in(name), value), [_COMPARE[leaf.test]], [operand])
        yield is_not_none(self._fitting(leaf.column, name_of(name), owner))

    def _fitting(self, column: Column, value: ast.expr, owner: str) -> ast.expr:
        """The value, if it is None or of the column's very type; else an error that denies."""
        name = self._new("x")
        kept = ast.NamedExpr(stored_in(name), value)
        if column.is_converted or column.kind is Kind.MOMENT:  # whose type is not all
            return self._refused_unless_fit(column, value, owner)
        is_of_type = ast.Compare(
            call(name_of("type_of"), kept), [ast.Is()], [self._constant(column.value_type)]
        )
        refused = self._refused_unless_fit(column, name_of(name), owner)
        return ast.IfExp(is_of_type, name_of(name), refused)

    def _refused_unless_fit(self, column: Column, value: ast.expr, owner: str) -> ast.expr:
        return call(name_of("fitting"), value, self._constant(column), name_of(owner))

    def _value(self, column: Column, owner: str) -> ast.expr:
        value = _if_loaded(
            owner, column.name, call(name_of("value"), name_of(owner), self._constant(column))
        )
        is_moment = column.kind is Kind.MOMENT and not column.is_converted
        return call(name_of("in_utc"), value) if is_moment else value

    def _one(self, relation: Relation, owner: str) -> ast.expr:
        """The related object if it is loaded and still the one that the key names, else asked."""
        asked = call(name_of("one"), name_of(owner), self._constant(relation))
        if relation.is_asked_by_join or len(relation.foreign_keys) > 1:
            return asked
        if not relation.foreign_keys:
            state = item(f"d_{owner}", _STATE)
            unchanged = ast.UnaryOp(ast.Not(), ast.Attribute(state, "modified", ast.Load()))
            return _if_loaded(owner, relation.name, asked, unchanged, self._unnoted(owner))
        ((own, other),) = relation.foreign_keys
        name = self._new("r")
        own_related = got(name_of(f"d_{owner}"), relation.name, "missing")
        loaded = ast.NamedExpr(stored_in(name), own_related)
        its_key = got(ast.Attribute(name_of(name), "__dict__", ast.Load()), other, "missing")
        own_key = got(name_of(f"d_{owner}"), own, "unknown")
        is_current = ast.BoolOp(
            ast.And(), [is_not_none(loaded), ast.Compare(its_key, [ast.Eq()], [own_key])]
        )
        return ast.IfExp(is_current, name_of(name), asked)

    def _any(self, plan: Exists, owner: str, loop: str) -> ast.expr:
        """Whether the loop finds one of the loaded rows; asked, unless they are known to be all."""
        member = self._constant(Membership(plan, self.reader).holds)
        rest = name_of("v"), name_of("identity")
        asked = call(member, name_of(owner), name_of(loop), *rest)
        if not plan.relation.is_iterable:
            return asked
        name = plan.relation.name
        found = call(name_of(loop), item(f"d_{owner}", name), *rest)
        return ast.IfExp(_is_loaded(owner, name, self._unnoted(owner)), found, asked)

    def _unnoted(self, owner: str) -> ast.expr:
        """Whether nothing is noted of the object; of one that is reached on the way, looked up."""
        if owner in self._on_the_way:
            return _is_unnoted(owner)
        self._asks_notes.add(owner)
        return name_of(f"u_{owner}")

    def _operand(self, operand: Any) -> ast.expr:
        if isinstance(operand, Slot):
            self._slots.add(operand.index)
            return name_of(f"v{operand.index}")
        return self._constant(operand)

    def _constant(self, value: Any) -> ast.expr:
        name = self._new("k")
        self.names[name] = value
        return name_of(name)

    def _new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"


def _quickest(operand: Any) -> Any:
    """Of few members of an enum a tuple, which finds one by identity; their hash is slow.

    What has no hash is just not among them: an error only with the set, as is right where a test is
    negated, which that would fulfil.
    """
    is_few = isinstance(operand, frozenset) and len(operand) <= _FEW
    return tuple(operand) if is_few and all(isinstance(v, Enum) for v in operand) else operand


def _if_loaded(owner: str, key: str, asked: ast.expr, *also: ast.expr) -> ast.expr:
    return ast.IfExp(_is_loaded(owner, key, *also), item(f"d_{owner}", key), asked)


def _is_loaded(owner: str, key: str, *also: ast.expr) -> ast.expr:
    is_there = ast.Compare(ast.Constant(key), [ast.In()], [name_of(f"d_{owner}")])
    return ast.BoolOp(ast.And(), [is_there, *also]) if also else is_there


def _is_unnoted(owner: str) -> ast.expr:
    """Whether nothing is noted of the object, such as what was loaded in part."""
    noted = ast.Attribute(item(f"d_{owner}", _STATE), "__dict__", ast.Load())
    is_noted = ast.Compare(ast.Constant("info"), [ast.In()], [noted])
    return ast.UnaryOp(ast.Not(), is_noted)


def _assign_dict(owner: str) -> ast.stmt:
    return ast.Assign([stored_in(f"d_{owner}")], attribute(owner, "__dict__"))
