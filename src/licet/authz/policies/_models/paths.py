"""What the names in a condition lead to, and whether it can be compared as the condition says.

Whatever does not fit is refused with the place of its declaration.
"""

from __future__ import annotations

from typing import NoReturn

from licet.authz.policies._models.shape import Column, Kind, Relation, Shape, misfit, too_many
from licet.authz.policies.conditions import Comparison, Condition, Op, path_of
from licet.errors import UntranslatableCondition

__all__ = ["refuse", "require_fitting", "require_same", "require_time", "resolve_path"]


def resolve_path(
    condition: Condition, path: tuple[str, ...], shape: Shape
) -> tuple[tuple[Relation, ...], Column | Relation]:
    """The to-one relationships on the way, and what the path ends at.

    Raises:
        UntranslatableCondition: there is no such path.
    """
    hops: list[Relation] = []
    for name in path[:-1]:
        hop = _member(condition, name, shape)
        if not isinstance(hop, Relation):
            refuse(condition, f"{shape.name}.{name} is an attribute, so nothing can follow it")
        if hop.is_many:
            refuse(
                condition,
                f"{shape.name}.{name} is a to-many relationship: write attr({name!r}).any(…)",
            )
        hops.append(hop)
        shape = hop.target
    return tuple(hops), _member(condition, path[-1], shape)


def _member(condition: Condition, name: str, shape: Shape) -> Column | Relation:
    found = shape.columns.get(name) or shape.relations.get(name)
    if found is not None:
        return found
    if name in shape.unsupported:
        refuse(condition, f"{shape.name}.{name} {shape.unsupported[name].reason}")
    return refuse(condition, f"{shape.name} has no {name!r}; it has {shape.known}")


def require_fitting(condition: Comparison, column: Column) -> None:
    values = condition.operand if condition.op is Op.IN else (condition.operand,)
    if condition.op is Op.IN and (reason := too_many(column, values)) is not None:
        refuse(condition, f"what {'.'.join(condition.path)} is compared with {reason}")
    for value in values:
        if value is None:
            refuse(condition, "a comparison with None is never True: write is_null()")
        reason = misfit(column, value)
        if reason is None and column.choices and value not in column.choices:
            reason = f"is not {column.type_name}"
        if reason is not None:
            refuse(condition, f"{value!r} beside {'.'.join(condition.path)} {reason}")


def require_same(condition: Comparison, left: Column, right: Column) -> None:
    """Refuse two attributes whose values are never equal, or are kept in two ways."""
    name, other = ".".join(condition.path), ".".join(path_of(condition.operand))
    if left.kind is not right.kind or left.enum_class is not right.enum_class:
        refuse(
            condition,
            f"{name} is {left.type_name} and {other} is {right.type_name}: only attributes of one "
            "type are compared with each other",
        )
    if bool(left.choices) is not bool(right.choices) or left.storage != right.storage:
        refuse(
            condition,
            f"{name} and {other} are kept in two ways, which SQL does not compare: give their "
            "columns the same type",
        )


def require_time(condition: Comparison, column: Column) -> None:
    if column.kind not in (Kind.MOMENT, Kind.DATE):
        refuse(
            condition,
            f"{'.'.join(condition.path)} is {column.type_name}, and {condition.operand} a moment: "
            "compare it with a DateTime or a Date",
        )


def refuse(condition: Condition, reason: str) -> NoReturn:
    raise UntranslatableCondition(
        f"The condition `{condition}` cannot be used: {reason}. Declared at {condition.declared}"
    )
