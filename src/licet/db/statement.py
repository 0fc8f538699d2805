"""SQL that is compiled once for each kind of database and handed to the driver as it is.

Decision 0002 has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

__all__ = ["Params", "Statement"]

Params = Mapping[str, Any]


class Statement:
    """One SQL statement with named parameters, compiled once for each kind of database.

    Args:
        construct: the statement, or a function that makes it for a dialect.
        columns: for INSERT and UPDATE, the columns that parameters of the same names set.

    Results come as the driver gives them: select columns that need no conversion.
    """

    def __init__(
        self,
        construct: ClauseElement | Callable[[str], ClauseElement],
        *,
        columns: Iterable[str] | None = None,
    ) -> None:
        self._construct = construct
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: Dialect) -> _Compiled:
        """The statement as the driver of `dialect` takes it."""
        found = self._compiled.get(dialect.name)
        if found is None:
            construct = self._construct
            if not isinstance(construct, ClauseElement):
                construct = construct(dialect.name)
            found = self._compiled[dialect.name] = _Compiled(construct, dialect, self._columns)
        return found


class _Compiled:
    """SQL text, and how to put parameters in the order and form that the driver wants."""

    def __init__(
        self, construct: ClauseElement, dialect: Dialect, columns: list[str] | None
    ) -> None:
        self.writes: bool = construct.is_dml
        compiled: Any = construct.compile(dialect=dialect, column_keys=columns)
        self.sql: str = compiled.string
        names: list[str] = compiled.positiontup
        binds = [compiled.binds[name] for name in names]
        self._fixed = [(at, bind.value) for at, bind in enumerate(binds) if _is_fixed(bind)]
        self._in_order = _getter([n for n, b in zip(names, binds, strict=True) if not _is_fixed(b)])
        processors = (bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in binds)
        self._converters = [(at, found) for at, found in enumerate(processors) if found is not None]

    def arguments(self, params: Params) -> list[Any]:
        """The parameters for the driver."""
        found = list(self._in_order(params))
        for at, value in self._fixed:
            found.insert(at, value)
        last = converted = by = None
        for at, convert in self._converters:
            value = found[at]
            if value is not last or convert is not by:  # one moment stands in several columns
                last, converted, by = value, convert(value), convert
            found[at] = converted
        return found


def _is_fixed(bind: Any) -> bool:
    """Whether the statement says the parameter's value itself."""
    return not bind.required and bind.value is not None


def _getter(names: Sequence[str]) -> Callable[[Params], Iterable[Any]]:
    """What gives the values of these names, in their order, out of a mapping."""
    if len(names) > 1:  # itemgetter is a third of the time of a list comprehension
        return itemgetter(*names)
    return lambda params: [params[name] for name in names]
