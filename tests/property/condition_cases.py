"""Generated conditions, with rows and callers to try them on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from tests.property.condition_models import LINKS, MODELS
from tests.property.condition_oracle import World
from tests.property.condition_rows import (
    ASKED_KINDS,
    KIND_NAMES,
    OTHER,
    Pools,
    attribute_name,
    callers,
    operand_pools,
    several,
    worlds,
)

from licet.authz import now
from licet.authz.policies.conditions import CallerPath, Condition, attr, caller

__all__ = ["CONDITIONS_A_CASE", "Case", "cases"]

CONDITIONS_A_CASE = 20
_ROOTS = [*MODELS, *["item"] * 6, *["person"] * 2]
_UNORDERED = ("flag", "enum Color", "enum Shade", "enum Planet", "choice one", "choice two")
_OFFSETS = [
    *(timedelta(), timedelta(microseconds=1), timedelta(days=-1), timedelta(hours=36)),
    *(timedelta(hours=-1, microseconds=-1), timedelta(days=4000), timedelta(days=-4000)),
]


class Case:
    """Rows, two callers, and conditions, each on a table."""

    def __init__(
        self, world: World, callers: tuple[Any, Any], conditions: list[tuple[str, Condition]]
    ) -> None:
        self.world = world
        self.callers = callers
        self.conditions = conditions

    def __repr__(self) -> str:  # hypothesis warns of long ones
        rows = "\n".join(f"  {name}: {rows}" for name, rows in self.world.tables.items() if rows)
        asked = "\n".join(f"  on {table}: {condition}" for table, condition in self.conditions)
        return f"Case(\n{asked[:3000]}\n  {self.callers!s:.3000}\n{rows[:3000]})"


@dataclass(frozen=True)
class _Pools:
    world: World
    values: Pools
    only: str | None


@st.composite
def cases(draw: st.DrawFn, depth: int = 3, only: str | None = None) -> Case:
    """Rows, two callers, and conditions on them. One in eight pairs of callers may be denied.

    Conditions are as deep as that, and about attributes of any kind, or mostly of `only` one.
    """
    world = draw(worlds())
    may_be_wrong = draw(st.integers(0, 7)) == 7
    pools = _Pools(world, operand_pools(world), only)
    first, second = (draw(callers(pools.values, may_be_wrong=may_be_wrong)) for _ in range(2))
    asked = []
    for _ in range(CONDITIONS_A_CASE):
        table = draw(st.sampled_from(_ROOTS)) if only is None else "item"  # which has every kind
        asked.append((table, draw(conditions(table, pools, depth, depth))))
    return Case(world, (first, second), asked)


@st.composite
def conditions(draw: st.DrawFn, table: str, pools: _Pools, depth: int, related: int) -> Condition:
    """A condition on the rows of a table; `related` limits how often it goes to others."""
    choices = ["leaf", "leaf", "leaf", "caller"]
    if depth > 0:
        choices += ["and", "or", "not", "not", "named"]
    if related > 0:
        choices += ["any", "any", "all", "all", "two", "two"]
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
        case "leaf":
            return draw(leaves(table, pools, related))
        case quantifier:
            path, target = draw(st.sampled_from(_TO_MANY[table]))
            if quantifier == "two":  # of which each may be fulfilled by another row
                one = st.one_of(leaves(target, pools, related - 1), _of_one_row(target, pools))
                return attr(path).any(draw(one)) & attr(path).any(draw(one))
            inner = conditions(target, pools, max(0, depth - 1), related - 1)
            return getattr(attr(path), quantifier)(draw(inner))


def _of_one_row(table: str, pools: _Pools) -> st.SearchStrategy[Condition]:
    ids = [row["id"] for row in pools.world.tables[table]] or [0]
    return st.sampled_from(ids).map(lambda key: attr("id") == key)


@st.composite
def leaves(draw: st.DrawFn, table: str, pools: _Pools, related: int) -> Condition:
    """One attribute, or its absence, or that of a related object."""
    if _TO_ONE[table] and draw(st.integers(0, 11)) == 0:
        return attr(draw(st.sampled_from(_TO_ONE[table]))).is_null()
    hops = draw(st.sampled_from([0, 0, 0, 1, 1, 2 if related else 1]))
    paths = _COLUMNS[table][hops] or _COLUMNS[table][0]
    kind = pools.only if pools.only in paths else draw(st.sampled_from(list(paths)))
    path = draw(st.sampled_from(paths[kind]))
    if kind == OTHER:
        return attr(path).is_null()
    if draw(st.integers(0, 3)) == 0:
        return draw(_of_two(path, kind, _beside(table, kind, 2 if related else 1)))
    return draw(comparisons(path, kind, pools.values[kind]))


def _beside(table: str, kind: str, hops: int) -> list[str]:
    """The paths whose values can be compared with those of a kind."""
    kinds = ["choice one", "choice two"] if kind.startswith("choice") else [kind]
    found = (paths.get(one, []) for paths in _COLUMNS[table][: hops + 1] for one in kinds)
    return [path for paths in found for path in paths]


@st.composite
def _of_two(draw: st.DrawFn, path: str, kind: str, others: list[str]) -> Condition:
    """One attribute beside another, or a moment or day beside the moment of the decision."""
    operators = ["==", "!="] if kind in _UNORDERED else ["==", "!=", "<", "<=", ">", ">="]
    operator = draw(st.sampled_from(operators))
    is_flipped = draw(st.booleans())
    if kind in ("moment", "day") and draw(st.booleans()):
        other: Any = now() + draw(st.sampled_from(_OFFSETS))
    else:
        other = attr(draw(st.sampled_from(others)), naive_as_utc=True)
    return _compared(attr(path, naive_as_utc=True), operator, other, is_flipped=is_flipped)


@st.composite
def comparisons(draw: st.DrawFn, path: str, kind: str, pool: list[Any]) -> Condition:
    """Any operator that the attribute's type has, beside a constant or the caller's attribute."""
    attribute = attr(path, naive_as_utc=True)
    operators = ["==", "==", "!=", "!=", "in", "in", "not in", "not in", "is null"]
    if kind not in _UNORDERED:
        operators += ["<", "<=", ">", ">="]
    if kind == "text":
        operators += ["contains", "startswith"] * 4
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
def caller_tests(draw: st.DrawFn, pools: _Pools) -> Condition:
    """A condition on the caller alone."""
    kind = draw(st.sampled_from(KIND_NAMES))
    pool = pools.values[kind]
    one = _asked(draw, kind)
    match draw(st.sampled_from(["is null", "has", "in", "equal", "compared"])):
        case "is null":
            return one.is_null()
        case "compared" if kind == "moment" and draw(st.booleans()):
            operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
            moment = now() + draw(st.sampled_from(_OFFSETS))
            return _compared(one, operator, moment, is_flipped=draw(st.booleans()))
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


def _columns(table: str, hops: int) -> dict[str, list[str]]:
    """For each kind of attribute that there is so many steps away, the paths to them."""
    paths: dict[str, list[str]] = {}
    for path, reached in _walks(table, hops):
        for name, kind in ASKED_KINDS[reached].items():
            paths.setdefault(kind, []).append(path + name)
    return paths


_COLUMNS = {table: [_columns(table, hops) for hops in (0, 1, 2)] for table in MODELS}
_TO_ONE = {
    table: [path[:-1] for hops in (1, 2) for path, _ in _walks(table, hops)] for table in MODELS
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
