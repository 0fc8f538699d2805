"""What a column can hold: types and ranges, before a database is asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, UserDefinedType
from tests.unit.authz.conference import Membership, Speaker

from licet.authz.policies._models.mapping import can_hold, key_names
from licet.db.types import UTCDateTime


class Point(UserDefinedType[Any]):
    """A database's own type, of which nothing is known."""

    def get_col_spec(self) -> str:
        return "POINT"


class Half(TypeDecorator[int]):
    impl = sa.SmallInteger

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value // 2


class Name(TypeDecorator[str]):
    impl = sa.String


NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column_type", "value", "holds"),
    [
        (sa.Integer(), 2**31 - 1, True),
        (sa.Integer(), -(2**31), True),
        (sa.Integer(), 2**31, False),
        (sa.SmallInteger(), 2**15, False),
        (sa.BigInteger(), 2**63 - 1, True),
        (sa.BigInteger(), 2**63, False),
        (sa.Integer(), True, False),
        (sa.Integer(), "1", False),
        (sa.Integer(), None, False),
        (sa.Boolean(), True, True),
        (sa.Boolean(), 1, False),
        (sa.String(), "a", True),
        (sa.String(), "a\x00", False),
        (sa.Text(), "\udc80", False),
        (sa.Text(), "é😀", True),
        (sa.String(), b"a", False),
        (sa.Uuid(), UUID(int=1), True),
        (sa.Uuid(), str(UUID(int=1)), False),
        (sa.Uuid(as_uuid=False), str(UUID(int=1)), True),
        (sa.Uuid(as_uuid=False), "x", False),
        (sa.Uuid(as_uuid=False), 1, False),
        (sa.Enum("a", "b"), "a", True),
        (sa.Enum("a", "b"), "c", False),
        (sa.Enum("a", "b"), 1, False),
        (sa.Numeric(), Decimal(1), True),
        (sa.Numeric(), 1, False),
        (sa.DateTime(), NOW, True),
        (sa.Date(), "2030-01-01", False),
        (UTCDateTime(), NOW, True),
        (UTCDateTime(), NOW.replace(tzinfo=None), False),
        (UTCDateTime(), "2030-01-01", False),
        (Half(), 2**15, True),
        (Half(), 2**16, False),
        (Half(), "x", False),
        (Name(), "x", True),
        (Name(), 3, False),
        (Name(), None, False),
        (Point(), "(1,2)", True),
        (Point(), None, False),
    ],
)
def test_what_a_column_holds(column_type: Any, value: Any, holds: bool):
    """Of an app's own type, what it makes of the value counts."""
    assert can_hold(column_type, value) is holds


def test_the_names_of_keys():
    """The attributes, in the key's order."""
    assert key_names(Speaker) == ("id",)
    assert key_names(Membership) == ("event_id", "account_id")
