"""What a condition says of a row, worked out from rows alone.

A question is a tuple: ``("cmp", path, column, op, operand)``, ``("null", path, name)``,
``("any" | "all", path, relation, inner)``, ``("and" | "or", parts)``, ``("not", inner)``. An
operand is ``("is", value)`` or ``("caller", name)``.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from tests.property.schemas.spec import Relation, Row, Rows

__all__ = ["Question", "holds"]

Question = tuple[Any, ...]
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(question: Question, row: Row, rows: Rows, caller: Mapping[str, Any]) -> bool:
    """Whether it holds of the row, for the caller."""
    match question:
        case ("and", parts):
            return all(holds(part, row, rows, caller) for part in parts)
        case ("or", parts):
            return any(holds(part, row, rows, caller) for part in parts)
        case ("not", inner):
            return not holds(inner, row, rows, caller)
        case ("null", path, name):
            last = _walked(row, path, rows)
            if isinstance(name, Relation):
                return last is None or not rows.related(last, name)
            return last is None or last[name] is None
        case ("any" | "all" as kind, path, relation, inner):
            last = _walked(row, path, rows)
            related = [] if last is None else rows.related(last, relation)
            outcomes = [holds(inner, one, rows, caller) for one in related]
            return any(outcomes) if kind == "any" else all(outcomes)
        case ("cmp", path, name, op, (source, operand)):
            last = _walked(row, path, rows)
            value = None if last is None else last[name]
            return _compares(op, value, caller[operand] if source == "caller" else operand)
    raise TypeError(question)


def _walked(row: Row | None, path: tuple[Relation, ...], rows: Rows) -> Row | None:
    for relation in path:
        if row is not None:
            row = next(iter(rows.related(row, relation)), None)
    return row


def _compares(op: str, value: Any, operand: Any) -> bool:
    """False with a missing value; but ``!=``, which is False only for two of them."""
    if op == "!=":
        return bool(value != operand)
    if value is None or operand is None:
        return False
    match op:
        case "==":
            return bool(value == operand)
        case "in":
            return value in operand
        case "contains":
            return operand in value
        case "startswith":
            return bool(value.startswith(operand))
    return bool(_ORDERS[op](value, operand))
