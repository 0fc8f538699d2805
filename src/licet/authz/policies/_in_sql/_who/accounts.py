"""What an account row says of the caller that it stands for, as SQL on the accounts' table.

A caller's attribute is one value (a column or an expression), a collection (rows of another table,
or columns that each stand for one member), or a constant that all accounts share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased

from licet.authz._places import invalid
from licet.authz.policies._in_sql._entities import rows_alone
from licet.authz.policies._in_sql._terms import Term
from licet.authz.policies._models.mapping import shape_of
from licet.authz.policies._models.shape import Column
from licet.authz.policies._models.types import column_of
from licet.errors import ConfigurationError
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = [
    "Accounts",
    "Constant",
    "Members",
    "Said",
    "Scalar",
    "accounts_of",
    "read_accounts",
    "set_accounts",
]

_KEY: Final = "authz.accounts"

Path = tuple[str, ...]
MakeTerm: TypeAlias = Callable[[Any], Term]


@dataclass(frozen=True, eq=False)
class Scalar:
    """One value: an expression on the account's row, and how it compares."""

    expression: Any
    column: Column


@dataclass(frozen=True, eq=False)
class Constant:
    """The same for all accounts."""

    value: Any


@dataclass(frozen=True, eq=False)
class Members:
    """A collection.

    `some` makes the term that some member fulfils what it is given; `lists` are SELECTs that
    together give the members of every account, to be restricted to one.
    """

    some: Callable[[MakeTerm], Term]
    column: Column
    lists: tuple[sa.Select[Any], ...]


Said = Scalar | Constant | Members


@dataclass(frozen=True, eq=False, kw_only=True)
class Accounts:
    """The accounts of an app.

    Args:
        model: the mapped class whose rows are accounts.
        principal: the caller's principal, by which accounts are told.
        active: whether the account may be used; True where every account may.
        said: by the path of each attribute of the caller, what the row says of it.
        live: the caller that requests of an account have, for the doctor.
    """

    model: type[Any]
    principal: Scalar
    active: Term
    said: Mapping[Path, Said]
    live: Callable[[Any], Any] | None = None

    @property
    def tables(self) -> tuple[Any, ...]:
        """The tables that a row of the model is of."""
        return tuple(sa.inspect(self.model).tables)

    def statement(self) -> sa.Select[Any]:
        """All accounts that may be used."""
        found = sa.select(self.model)
        return found if isinstance(self.active, bool) else found.where(self.active)


def set_accounts(app: Flask, accounts: Accounts) -> None:
    """Make them the app's.

    Raises:
        InvalidCondition: the app has accounts already.
    """
    state = app_state(app)
    if state.has(_KEY):
        raise invalid(f"The app {app.name!r} has accounts already: register them once.")
    state.put(_KEY, accounts)


def accounts_of(app: Flask) -> Accounts:
    """The app's accounts.

    Raises:
        ConfigurationError: it has none.
    """

    def refuse(_settings: Settings) -> Accounts:
        raise ConfigurationError(
            f"The app {app.name!r} does not say what its accounts are: call register_accounts(app, "
            "Account, principal=…, active=…)."
        )

    return app_state(app).get_or_build(_KEY, refuse)


def read_accounts(
    model: type[Any],
    *,
    principal: Any,
    roles: Any,
    active: Any,
    attributes: Mapping[str, Any],
    live: Callable[[Any], Any] | None,
) -> Accounts:
    """What `register_accounts` was told.

    Raises:
        InvalidCondition: the model is not mapped, or something does not fit it.
    """
    shape_of(model)
    read = _Reader(model)
    told = {"is_authenticated": True, "principal": principal, **attributes}
    if roles is not None:
        told["roles"] = roles
    said = {tuple(name.split(".")): read.said(name, given) for name, given in told.items()}
    by_principal = said[("principal",)]
    if not isinstance(by_principal, Scalar):
        raise invalid(f"The principal of {model.__name__} rows is a column, not {principal!r}.")
    is_active = active is True or read.scalar("active", active).expression
    return Accounts(
        model=model,
        principal=by_principal,
        active=is_active,
        said=said,
        live=live,
    )


_CONSTANTS: Final = (bool, int, type(None))


@dataclass(frozen=True)
class _Reader:
    model: type[Any]

    def said(self, name: str, given: Any) -> Said:
        if isinstance(given, _CONSTANTS):
            return Constant(given)
        if isinstance(given, sa.Select):
            return self._selected(name, given)
        if isinstance(given, Mapping):
            return self._flags(name, given)
        if isinstance(given, str) and "." in given:
            return self._related(name, given)
        return self.scalar(name, given)

    def scalar(self, name: str, given: Any) -> Scalar:
        found = getattr(self.model, given, None) if isinstance(given, str) else given
        expression = getattr(found, "expression", found)
        if not isinstance(expression, ColumnElement):
            raise invalid(
                f"{name!r} of {self.model.__name__} rows is a column of {self.model.__name__} or "
                f"its name, an expression, a SELECT of one column, a dotted path or a mapping of "
                f"members to columns, not {given!r}."
            )
        return Scalar(rows_alone(expression), self._column(name, expression))

    def _column(self, name: str, expression: Any) -> Column:
        is_nullable = bool(getattr(expression, "nullable", True))
        found = column_of(name, sa.Column(name, expression.type, nullable=is_nullable))
        if found.incomparable:
            of = f"{name!r} of {self.model.__name__} rows"
            raise invalid(f"{of} {found.incomparable}: it cannot be compared.")
        return found

    def _selected(self, name: str, given: sa.Select[Any]) -> Members:
        """Of a SELECT of one column, which refers to the account."""
        if len(given.selected_columns) != 1:
            raise invalid(f"{name!r} is a SELECT of one column, not of several: {given}")
        (member,) = given.selected_columns
        tables = set(sa.inspect(self.model).tables)
        own = [one for one in given.get_final_froms() if one not in tables]
        rows = rows_alone(given.correlate_except(*own))
        plain = rows_alone(member)

        def some(make: MakeTerm) -> Term:
            return _exists(rows, make(plain))

        return Members(some, self._column(name, member), (given,))

    def _related(self, name: str, path: str) -> Members:
        """Of ``relationship.attribute``."""
        shape = shape_of(self.model)
        first, _, last = path.partition(".")
        relation = shape.relations.get(first)
        column = None if relation is None else relation.target.columns.get(last)
        if relation is None or column is None or not relation.is_many:
            raise invalid(
                f"{name!r} is {path!r}, and that is no attribute at the end of a to-many "
                f"relationship of {self.model.__name__}."
            )
        target = relation.target.model

        def some(make: MakeTerm) -> Term:
            other = aliased(target)
            related: Any = rows_alone(getattr(self.model, first).of_type(other).any())
            term = make(rows_alone(getattr(other, last).expression))
            if isinstance(term, bool):
                return related if term else False
            found: ColumnElement[bool] = related.where(term)
            return found

        other = aliased(target)
        joined = getattr(self.model, first).of_type(other)
        listed = sa.select(getattr(other, last)).select_from(self.model).join(joined)
        return Members(some, column, (listed,))

    def _flags(self, name: str, given: Mapping[Any, Any]) -> Members:
        """Of columns that each say whether one member is there."""
        flags = {member: self.scalar(name, column) for member, column in given.items()}
        kinds = {type(member) for member in flags}
        if kinds != {str}:
            raise invalid(f"{name!r} is a mapping of texts to columns, not {given!r}.")

        def some(make: MakeTerm) -> Term:
            terms = [
                _both(flag.expression, make(sa.literal(member, sa.Text())))
                for member, flag in flags.items()
            ]
            return sa.or_(sa.false(), *(one for one in terms if not isinstance(one, bool)))

        lists = (
            sa.select(sa.literal(member)).select_from(self.model).where(flag.expression)
            for member, flag in flags.items()
        )
        return Members(some, self._column(name, sa.literal("", sa.Text())), tuple(lists))


def _both(flag: Any, term: Term) -> Term:
    if isinstance(term, bool):
        return flag if term else False
    return sa.and_(flag, term)


def _exists(rows: Any, term: Term) -> Term:
    if term is False:
        return False
    found: ColumnElement[bool] = (rows if term is True else rows.where(term)).exists()
    return found
