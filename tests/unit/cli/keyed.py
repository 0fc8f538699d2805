"""An app whose objects have keys that are neither text nor numbers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import UserDefinedType

from licet import Licet
from licet.authz import VIEW, Policy, everyone, register_policies


class Place(UserDefinedType[Any]):
    """A database's own type, of which nothing is known."""

    cache_ok = True

    def get_col_spec(self) -> str:
        return "TEXT"


class Base(DeclarativeBase):
    pass


class Day(Base):
    __tablename__ = "day"

    on: Mapped[dt.date] = mapped_column(primary_key=True)


class Stone(Base):
    __tablename__ = "stone"

    at: Mapped[Any] = mapped_column(Place, primary_key=True)


def app() -> Flask:
    made = Flask(__name__)
    Licet(made)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    session = Session(engine)
    session.add_all([Day(on=dt.date(2030, 1, 31)), Stone(at="(1,2)")])
    session.flush()
    days, stones = (Policy(model).allow(everyone, VIEW) for model in (Day, Stone))
    register_policies(made, days, stones, session=lambda: session)
    return made


def without_tables() -> Flask:
    made = Flask(__name__)
    Licet(made)
    session = Session(sa.create_engine("sqlite://"))
    register_policies(made, Policy(Stone).allow(everyone, VIEW), session=lambda: session)
    return made
