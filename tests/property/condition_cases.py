"""Generated conditions, with rows and callers to try them on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from tests.property.condition_models import LINKS, MODELS
from tests.property.condition_oracle import World
from tests.property.condition_rows import (
    ASKED_KINDS,
    KIND_NAMES,
    Pools,
    attribute_name,
    callers,
    operand_pools,
    several,
    worlds,
)

from licet.authz.conditions import CallerPath, Condition, attr, caller

__all__ = ["CONDITIONS_A_CASE", "Case", "cases"]

CONDITIONS_A_CASE = 20
_ROOTS = [*MODELS, "item", "item", "item", "person", "person"]
_UNORDERED = ("flag", "enum Color", "enum Shade")


@dataclass(frozen=True)
class Case:
    """Rows, two callers, and conditions, each on a table."""

    world: World
    callers: tuple[Any, Any]
    conditions: list[tuple[str, Condition]]

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name}: {rows}" for name, rows in self.world.tables.items() if rows)
        asked = "\n".join(f"  on {table}: {condition}" for table, condition in self.conditions)
        return f"Case(\n{rows}\n  {self.callers}\n{asked})"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Rows, two callers, and conditions on them. One in eight pairs of callers may be denied."""
    world = draw(worlds())
    may_be_wrong = draw(st.integers(0, 7)) == 7
    pools = operand_pools(world)
    first, second = (draw(callers(pools, may_be_wrong=may_be_wrong)) for _ in range(2))
    asked = []
    for _ in range(CONDITIONS_A_CASE):
        table = draw(st.sampled_from(_ROOTS))
        asked.append((table, draw(conditions(table, pools))))
    return Case(world, (first, second), asked)


@st.composite
def conditions(
    draw: st.DrawFn, table: str, pools: Pools, depth: int = 3, related: int = 3
) -> Condition:
    """A condition on the rows of a table; `related` limits how often it goes to others."""
    choices = ["leaf", "leaf", "leaf", "caller" if related < 3 else "leaf"]
    if depth > 0:
        choices += ["and", "or", "not", "not", "named"]
    if related > 0:
        choices += ["any", "any", "all", "all"]
    smaller = conditions(table, pools, depth - 1, related)
    match draw(st.sampled_from(choices)):
        case "and":
            return draw(smaller) & draw(smaller)
        case "or":
            return draw(smaller) | draw(smaller)
        case "not":
            return ~draw(smaller)
        case "named":
            return draw(smaller).named("of a kind")
        case "caller":
            return draw(caller_tests(pools))
        case "any":
            path, target = draw(st.sampled_from(_TO_MANY[table]))
            return attr(path).any(draw(conditions(target, pools, max(0, depth - 1), related - 1)))
        case "all":
            path, target = draw(st.sampled_from(_TO_MANY[table]))
            return attr(path).all(draw(conditions(target, pools, max(0, depth - 1), related - 1)))
        case _:
            return draw(leaves(table, pools))


@st.composite
def leaves(draw: st.DrawFn, table: str, pools: Pools) -> Condition:
    """One attribute, or its absence, or that of a related object."""
    hops = draw(st.sampled_from([0, 0, 0, 1, 1, 2]))
    if draw(st.integers(0, 11)) == 0:
        return attr(draw(st.sampled_from(_TO_ONE[table] or _COLUMNS[table][0]))[0]).is_null()
    path, kind = draw(st.sampled_from(_COLUMNS[table][hops] or _COLUMNS[table][0]))
    return draw(comparisons(path, kind, pools[kind]))


@st.composite
def comparisons(draw: st.DrawFn, path: str, kind: str, pool: list[Any]) -> Condition:
    """Any operator that the attribute's type has, beside a constant or the caller's attribute."""
    attribute = attr(path)
    operators = ["==", "!=", "in", "in", "not in", "not in", "is null"]
    if kind not in _UNORDERED:
        operators += ["<", "<=", ">", ">="]
    if kind == "text":
        operators += ["contains", "startswith", "contains", "startswith"]
    operator = draw(st.sampled_from(operators))
    if operator == "is null":
        return attribute.is_null()
    is_of_caller = draw(st.booleans())
    if operator in ("in", "not in"):
        many = _asked(draw, kind, "s") if is_of_caller else draw(several(pool))
        return attribute.in_(many) if operator == "in" else attribute.not_in(many)
    operand = _asked(draw, kind) if is_of_caller else draw(st.sampled_from(pool))
    is_flipped = is_of_caller and draw(st.booleans())
    return _compared(attribute, operator, operand, is_flipped=is_flipped)


def _compared(left: Any, operator: str, right: Any, *, is_flipped: bool) -> Condition:
    if is_flipped and operator in _FLIPPED:
        left, right, operator = right, left, _FLIPPED[operator]
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "contains":
            return left.contains(right)
        case _:
            return left.startswith(right)


_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@st.composite
def caller_tests(draw: st.DrawFn, pools: Pools) -> Condition:
    """A condition on the caller alone."""
    kind = draw(st.sampled_from(KIND_NAMES))
    pool = pools[kind]
    one = _asked(draw, kind)
    match draw(st.sampled_from(["is null", "has", "in", "equal", "compared"])):
        case "is null":
            return one.is_null()
        case "has":
            return _asked(draw, kind, "s").contains(draw(st.sampled_from(pool)))
        case "in":
            return one.in_(draw(st.lists(st.sampled_from(pool), max_size=3)))
        case "compared" if kind not in _UNORDERED:
            operators = ["<", "<=", ">", ">="]
            operators += ["contains", "startswith"] * (kind == "text")
            operator = draw(st.sampled_from(operators))
            return _compared(one, operator, draw(st.sampled_from(pool)), is_flipped=False)
        case _:
            operator = draw(st.sampled_from(["==", "!="]))
            return _compared(one, operator, draw(st.sampled_from(pool)), is_flipped=False)


def _asked(draw: st.DrawFn, kind: str, suffix: str = "") -> CallerPath:
    """An attribute of the caller, or of their claims, of the kind."""
    name = attribute_name(kind) + suffix
    is_claim = not suffix and draw(st.integers(0, 3)) == 0
    return getattr(caller.claims if is_claim else caller, name)


# --- the paths that there are --------------------------------------------------------------------


def _walks(table: str, hops: int) -> Iterator[tuple[str, str]]:
    """Paths along so many to-one relationships, with a dot at the end, and where they lead."""
    if hops == 0:
        yield "", table
        return
    for path, reached in _walks(table, hops - 1):
        for name, link in LINKS[reached].items():
            if not link.is_many:
                yield f"{path}{name}.", link.target


_COLUMNS = {
    table: [
        [
            (path + name, kind)
            for path, reached in _walks(table, hops)
            for name, kind in ASKED_KINDS[reached].items()
        ]
        for hops in (0, 1, 2)
    ]
    for table in MODELS
}
_TO_ONE = {
    table: [(path[:-1], reached) for hops in (1, 2) for path, reached in _walks(table, hops)]
    for table in MODELS
}
_TO_MANY = {
    table: [
        (path + name, link.target)
        for hops in (0, 1)
        for path, reached in _walks(table, hops)
        for name, link in LINKS[reached].items()
        if link.is_many
    ]
    for table in MODELS
}
