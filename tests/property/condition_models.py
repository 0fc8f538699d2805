"""Mapped classes with every type and every kind of relationship that conditions may use.

`LINKS` says the same relationships again, in plain words and independent of SQLAlchemy, for the
oracle.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from licet.db.types import UTCDateTime


class Base(DeclarativeBase):
    """One metadata for all."""


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"
    BLUE = "b"


class Shade(enum.StrEnum):
    LIGHT = "LIGHT"
    DARK = "DARK"
    NONE = "none at all"


class Planet(enum.Enum):
    """More members than a list has before it becomes one parameter; one has two names."""

    MERCURY = "mercury"
    VENUS = "Venus"
    EARTH = "earth"
    MARS = "MARS"
    JUPITER = "jupiter"
    SATURN = "saturn"
    URANUS = "a%"
    GAIA = "earth"  # noqa: PIE796 - another name of one member


class Backwards(sa.types.TypeDecorator[str]):
    """A type of the app's own, which no condition can compare."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else value[::-1]


ONE = ("draft", "Draft", "DRAFT", "done", "a", "é", "%")
TWO = ("done", "DONE", "draft", "zz", "")
_one = sa.Enum(*ONE, name="condition_one")
_two = sa.Enum(*TWO, native_enum=False, length=8)
_planet = sa.Enum(
    Planet, name="condition_planet", values_callable=lambda kind: [one.value for one in kind]
)
_color = sa.Enum(Color, name="condition_color")
_shade = sa.Enum(Shade, native_enum=False, create_constraint=False, length=16)

friendship = sa.Table(
    "friendship",
    Base.metadata,
    sa.Column("person_id", sa.ForeignKey("person.id"), primary_key=True),
    sa.Column("friend_id", sa.ForeignKey("person.id"), primary_key=True),
)
item_tag = sa.Table(
    "item_tag",
    Base.metadata,
    sa.Column("item_id", sa.ForeignKey("item.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(2))
    level: Mapped[int] = mapped_column(sa.SmallInteger)
    born: Mapped[date | None]
    seen: Mapped[datetime | None] = mapped_column(sa.DateTime)
    owes: Mapped[Decimal | None] = mapped_column(sa.Numeric(15, 6))
    owned: Mapped[list[Item]] = relationship(
        back_populates="owner", foreign_keys="Item.owner_id", order_by="Item.id"
    )
    reviewed: Mapped[list[Item]] = relationship(
        back_populates="reviewer", foreign_keys="Item.reviewer_id"
    )
    friends: Mapped[set[Person]] = relationship(
        secondary=friendship,
        primaryjoin=lambda: Person.id == friendship.c.person_id,
        secondaryjoin=lambda: Person.id == friendship.c.friend_id,
    )
    passport: Mapped[Passport | None] = relationship(back_populates="person")


class Passport(Base):
    """One to one: `Person.passport` has no foreign key of its own."""

    __tablename__ = "passport"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), unique=True)
    number: Mapped[str | None] = mapped_column(sa.Text)
    person: Mapped[Person] = relationship(back_populates="passport")


class Place(Base):
    """A key that is no integer, and a column that is called otherwise than its attribute."""

    __tablename__ = "place"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column("heading", sa.Text)
    opened: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    stage: Mapped[str] = mapped_column(_two)
    items: Mapped[list[Item]] = relationship(back_populates="place")


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    label: Mapped[str | None] = mapped_column(sa.Unicode)
    weight: Mapped[int | None] = mapped_column(sa.BigInteger)
    items: Mapped[list[Item]] = relationship(secondary=item_tag, back_populates="tags")


class Item(Base):
    """Every type, required and nullable."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    small: Mapped[int] = mapped_column(sa.SmallInteger)
    small_or_none: Mapped[int | None] = mapped_column(sa.SmallInteger)
    number: Mapped[int]
    number_or_none: Mapped[int | None]
    big: Mapped[int] = mapped_column(sa.BigInteger)
    big_or_none: Mapped[int | None] = mapped_column(sa.BigInteger)
    short: Mapped[str] = mapped_column(sa.String(2))
    short_or_none: Mapped[str | None] = mapped_column(sa.String(2))
    text: Mapped[str] = mapped_column(sa.Text)
    text_or_none: Mapped[str | None] = mapped_column(sa.Text)
    flag: Mapped[bool]
    flag_or_none: Mapped[bool | None]
    key: Mapped[UUID]
    key_or_none: Mapped[UUID | None]
    day: Mapped[date]
    day_or_none: Mapped[date | None]
    moment: Mapped[datetime] = mapped_column(UTCDateTime)
    moment_or_none: Mapped[datetime | None] = mapped_column(UTCDateTime)
    color: Mapped[Color] = mapped_column(_color)
    color_or_none: Mapped[Color | None] = mapped_column(_color)
    shade: Mapped[Shade] = mapped_column(_shade)
    shade_or_none: Mapped[Shade | None] = mapped_column(_shade)
    due: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    due_or_none: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    began: Mapped[datetime] = mapped_column(sa.DateTime)
    began_or_none: Mapped[datetime | None] = mapped_column(sa.DateTime)
    price: Mapped[Decimal] = mapped_column(sa.Numeric(9, 2))
    price_or_none: Mapped[Decimal | None] = mapped_column(sa.Numeric(9, 2))
    ratio_or_none: Mapped[Decimal | None] = mapped_column(sa.Numeric(15, 6))
    planet: Mapped[Planet] = mapped_column(_planet)
    planet_or_none: Mapped[Planet | None] = mapped_column(_planet)
    one: Mapped[str] = mapped_column(_one)
    one_or_none: Mapped[str | None] = mapped_column(_one)
    two_or_none: Mapped[str | None] = mapped_column(_two)
    json_of_either: Mapped[Any] = mapped_column(sa.JSON(none_as_null=True), nullable=True)
    json_of_own: Mapped[Any] = mapped_column(
        sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
    )
    blob: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    pickled: Mapped[Any] = mapped_column(sa.PickleType, nullable=True)
    rough: Mapped[float | None] = mapped_column(sa.Float)
    many: Mapped[Any] = mapped_column(
        sa.JSON(none_as_null=True).with_variant(postgresql.ARRAY(sa.Integer), "postgresql"),
        nullable=True,
    )
    backwards: Mapped[str | None] = mapped_column(Backwards)
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    reviewer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    place_id: Mapped[UUID] = mapped_column(sa.ForeignKey("place.id"))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("item.id"))
    owner: Mapped[Person | None] = relationship(back_populates="owned", foreign_keys=[owner_id])
    reviewer: Mapped[Person | None] = relationship(
        back_populates="reviewed", foreign_keys=[reviewer_id]
    )
    place: Mapped[Place] = relationship(back_populates="items")
    parent: Mapped[Item | None] = relationship(back_populates="children", remote_side="Item.id")
    children: Mapped[list[Item]] = relationship(back_populates="parent")
    tags: Mapped[list[Tag]] = relationship(secondary=item_tag, back_populates="items")


class Shelf(Base):
    """A key of two columns."""

    __tablename__ = "shelf"
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(sa.String(2), primary_key=True)
    note: Mapped[str | None] = mapped_column(sa.Text)
    boxes: Mapped[list[Box]] = relationship(back_populates="shelf")


class Box(Base):
    __tablename__ = "box"
    __table_args__ = (
        sa.ForeignKeyConstraint(["shelf_row", "shelf_code"], ["shelf.row", "shelf.code"]),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_row: Mapped[int | None]
    shelf_code: Mapped[str | None] = mapped_column(sa.String(2))
    weight: Mapped[int | None]
    shelf: Mapped[Shelf | None] = relationship(back_populates="boxes")


@dataclass(frozen=True)
class Link:
    """A relationship: own columns and the target's that must be equal, perhaps through a table."""

    target: str
    pairs: tuple[tuple[str, str], ...]
    is_many: bool = False
    through: str | None = None


MODELS = {model.__tablename__: model for model in (Person, Passport, Place, Tag, Item, Shelf, Box)}
LINKS: dict[str, dict[str, Link]] = {
    "person": {
        "owned": Link("item", (("id", "owner_id"),), is_many=True),
        "reviewed": Link("item", (("id", "reviewer_id"),), is_many=True),
        "friends": Link(
            "person", (("id", "person_id"), ("friend_id", "id")), is_many=True, through="friendship"
        ),
        "passport": Link("passport", (("id", "person_id"),)),
    },
    "passport": {"person": Link("person", (("person_id", "id"),))},
    "place": {"items": Link("item", (("id", "place_id"),), is_many=True)},
    "tag": {
        "items": Link(
            "item", (("id", "tag_id"), ("item_id", "id")), is_many=True, through="item_tag"
        )
    },
    "item": {
        "owner": Link("person", (("owner_id", "id"),)),
        "reviewer": Link("person", (("reviewer_id", "id"),)),
        "place": Link("place", (("place_id", "id"),)),
        "parent": Link("item", (("parent_id", "id"),)),
        "children": Link("item", (("id", "parent_id"),), is_many=True),
        "tags": Link(
            "tag", (("id", "item_id"), ("tag_id", "id")), is_many=True, through="item_tag"
        ),
    },
    "shelf": {"boxes": Link("box", (("row", "shelf_row"), ("code", "shelf_code")), is_many=True)},
    "box": {"shelf": Link("shelf", (("shelf_row", "row"), ("shelf_code", "code")))},
}
