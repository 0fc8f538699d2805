"""A condition's readings, put together from licet's parts here and nowhere else in these tests."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.authz.policies._check import Check
from licet.authz.policies._in_sql import _terms as _sql
from licet.authz.policies._in_sql._filter import restrict
from licet.authz.policies._models.mapping import shape_of
from licet.authz.policies.conditions import Condition

__all__ = ["Asked"]


class Asked:
    """A condition on a model."""

    def __init__(self, model: type[Any], condition: Condition) -> None:
        self.model = model
        self._check = Check(condition, shape_of(model))

    def decide(self, owner: Any, identity: Any = None) -> bool:
        """The decision about an object."""
        return self._check.holds(owner, identity)

    def decide_as_stored(self, owner: Any, identity: Any = None) -> bool:
        """The decision by what is loaded, whatever is not flushed."""
        return self._check.holds_as_stored(owner, identity)

    def explain(self, owner: Any, identity: Any = None) -> bool:
        """The outcome that the explanation tells."""
        return self._check.explain(owner, identity).holds

    def where(self, identity: Any = None, entity: Any = None) -> sa.ColumnElement[bool]:
        """The criterion on the model, or on an alias of it."""
        return _sql.as_where(self._check.criterion(identity, entity))

    def page(self, statement: sa.Select[Any], identity: Any = None) -> sa.Select[Any]:
        """The statement, restricted to rows that fulfil it."""
        return restrict(statement, self.model, self._check.criterion(identity))

    def column(self, identity: Any = None) -> sa.ColumnElement[bool]:
        """The outcome as a column."""
        return _sql.as_column(self._check.column(identity))
