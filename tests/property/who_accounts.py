"""Accounts with every attribute that generated callers have, kept as rows.

One value of each kind is a column, its claim another, and its collection a table of members.
"""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from operator import and_
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.property.condition_cases import _COLUMNS, _TO_MANY, Case, _Pools, cases, leaves
from tests.property.condition_models import Item
from tests.property.condition_rows import (
    ASKED_KINDS,
    KIND_NAMES,
    attribute_name,
    callers,
    operand_pools,
)

from licet.authz import Condition, attr, caller
from licet.authz.policies._in_sql._who.accounts import Accounts, read_accounts
from licet.authz.policies._models.mapping import can_hold
from licet.db.types import UTCDateTime

__all__ = ["Account", "AccountsBase", "KnownCase", "accounts_by_row", "known_cases", "rows_of"]

_TYPES: dict[str, Any] = {}
for _name, _kind in ASKED_KINDS["item"].items():  # the last is the widest
    if _name.endswith("_or_none"):
        _TYPES[_kind] = Item.__table__.c[_name].type
_TYPES |= {"moment": UTCDateTime(), "number": sa.Numeric(15, 6)}
KINDS = {attribute_name(kind): _TYPES[kind] for kind in KIND_NAMES}


class AccountsBase(DeclarativeBase):
    """Apart from the objects' metadata."""


def _member_model(name: str) -> type[Any]:
    columns = {
        "__tablename__": f"account_{name}s",
        "id": sa.Column(sa.Integer, primary_key=True),
        "account_id": sa.Column(sa.ForeignKey("account.id")),
        "value": sa.Column(KINDS[name]),
    }
    return type(f"Account{name.title()}s", (AccountsBase,), columns)


MEMBERS = {name: _member_model(name) for name in KINDS}


class Account(AccountsBase):
    """What a generated caller is when it is kept."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_active: Mapped[bool | None]
    locals().update({name: sa.Column(name, kind) for name, kind in KINDS.items()})
    locals().update(
        {f"claims_{name}": sa.Column(f"claims_{name}", kind) for name, kind in KINDS.items()}
    )
    locals().update({f"{name}s": relationship(MEMBERS[name]) for name in KINDS})


def accounts_by_row() -> Accounts:
    """How the rows stand for callers; every other collection is given by a SELECT."""
    said: dict[str, Any] = {name: name for name in KINDS}
    said |= {f"claims.{name}": f"claims_{name}" for name in KINDS}
    for number, (name, member) in enumerate(MEMBERS.items()):
        selected = sa.select(member.value).where(member.account_id == Account.id)
        said[f"{name}s"] = selected if number % 2 else f"{name}s.value"
    return read_accounts(
        Account,
        principal="id",
        roles=None,
        active=Account.is_active,
        attributes=said,
        live=None,
    )


class KnownCase:
    """Rows and conditions, and callers that all have accounts, some of them disabled."""

    def __init__(self, case: Case, callers: list[Any]) -> None:
        self.case = case
        self.callers = callers

    def __repr__(self) -> str:
        told = "\n".join(map(str, self.callers))
        return f"KnownCase({self.case!r}\n{told:.3000})"


@st.composite
def known_cases(draw: st.DrawFn, depth: int = 3) -> KnownCase:
    """A case of conditions, and five callers whose attributes have the columns' types."""
    case = draw(cases(depth=depth))
    del case.conditions[12:]
    pools = operand_pools(case.world)
    for _ in range(6):
        table = draw(st.sampled_from(sorted(name for name in _TO_MANY if _TO_MANY[name])))
        case.conditions.append(
            (table, draw(_of_related_rows(table, _Pools(case.world, pools, None))))
        )
    found = []
    for number in range(1, 6):
        identity = draw(callers(pools, may_be_wrong=False))
        _keep_storable(identity)
        identity.id, identity.is_active = number, draw(st.sampled_from([True, True, False, None]))
        found.append(identity)
    return KnownCase(case, found)


def _keep_storable(identity: SimpleNamespace) -> None:
    """Leave out what no column keeps as it is; nobody's row would say it."""
    for name, kind in KINDS.items():
        for one in (vars(identity), identity.claims):
            if name in one and one[name] is not None:
                one[name] = _stored(one[name], kind)
        members = vars(identity).get(f"{name}s")
        if members is not None:
            kept = {_stored(one, kind) for one in members if one is not None}
            setattr(identity, f"{name}s", frozenset(kept - {None}))


def _stored(value: Any, kind: Any) -> Any:
    """The value as its column gives it, or None when it keeps another."""
    if isinstance(kind, sa.Numeric):
        number = Decimal(value)
        fits = abs(number) < 10**9 and number == round(number, 6)
        return round(number, 6) if fits else None
    return value if can_hold(kind, value) else None


@st.composite
def _of_related_rows(draw: st.DrawFn, table: str, pools: _Pools) -> Condition:
    """What most policies say: a related row is the caller's, and something else of it holds."""
    path, target = draw(st.sampled_from(_TO_MANY[table]))
    paths = _COLUMNS[target][draw(st.sampled_from([0, 0, 1]))] or _COLUMNS[target][0]
    kind = draw(st.sampled_from([one for one in paths if attribute_name(one) in KINDS]))
    mine = attr(draw(st.sampled_from(paths[kind])), naive_as_utc=True) == getattr(
        caller, attribute_name(kind)
    )
    others = [draw(leaves(target, pools, 0)) for _ in range(draw(st.integers(0, 2)))]
    whole = attr(path).any(reduce(and_, draw(st.permutations([mine, *others]))))
    return ~whole if draw(st.integers(0, 3)) == 0 else whole


def rows_of(caller: SimpleNamespace) -> list[Any]:
    """The account and its members."""
    one, claims = vars(caller), caller.claims
    values = {name: one.get(name) for name in KINDS}
    values |= {f"claims_{name}": claims.get(name) for name in KINDS}
    rows = [Account(id=caller.id, is_active=caller.is_active, **values)]
    for name, member in MEMBERS.items():
        rows.extend(
            member(account_id=caller.id, value=value) for value in one.get(f"{name}s") or ()
        )
    return rows
