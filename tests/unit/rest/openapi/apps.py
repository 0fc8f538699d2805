"""Small apps whose documents are read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask
from pydantic import BaseModel, Field
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)

from licet import Licet
from licet.authz import ALL, LIST, VIEW, Policy, everyone, register_policies, registered
from licet.db.types import UTCDateTime
from licet.rest import (
    list_page,
    marshal_response,
    public,
    requires_auth,
    schema_for,
    unmarshal_request,
    use_args,
    use_args_with_pagination,
    with_lookup,
)
from licet.rest.jsonapi import JsonApi, Resource, ToMany, ToOne
from licet.rest.openapi import documented


class Base(DeclarativeBase):
    pass


class Boat(Base):
    __tablename__ = "boat"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    berth: Mapped[str | None]
    seal: Mapped[str | None]  # which nobody writes
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy has it


class Pier(Base):
    """With a trash, a version, and a column of every type that JSON:API shows."""

    __tablename__ = "pier"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(sa.String(12))
    kind: Mapped[str] = mapped_column(sa.Enum("wood", "stone", name="kind"))
    depth: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 2))
    length: Mapped[float | None] = mapped_column()
    is_open: Mapped[bool] = mapped_column(default=True)
    built_on: Mapped[date | None]
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    notes: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    n_steps: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    version: Mapped[int] = mapped_column(default=1)
    berths: Mapped[list[Berth]] = relationship(back_populates="pier")
    is_long: Mapped[bool] = column_property(length > 100)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy has it


def new_code() -> str:
    return uuid4().hex[:8]


class Berth(Base):
    """May be of no pier."""

    __tablename__ = "berth"
    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True, default=new_code)
    width: Mapped[float]
    pier_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("pier.id"))
    pier: Mapped[Pier | None] = relationship(back_populates="berths")


piers, berths = Policy(Pier, name="piers"), Policy(Berth, name="berths")
for policy in (piers, berths):
    policy.allow(registered, ALL)
    policy.allow(everyone, LIST | VIEW)
RESOURCES = [
    Resource(
        Pier,
        piers,
        name="pier",
        attributes=[
            "name",
            "kind",
            "depth",
            "length",
            "is_open",
            "built_on",
            "seen_at",
            "notes",
            "n_steps",
            "is_long",
        ],
        relationships={"berths": ToMany()},
        soft_delete="removed_at",
    ),
    Resource(Berth, berths, name="berth", attributes=["width"], relationships={"pier": ToOne()}),
]

boats = Policy(Boat, name="boats")
boats.allow(registered, ALL)
boats.allow(everyone, LIST | VIEW)
boats.readonly("seal")

BoatFields = schema_for(Boat, exclude=["version"])
BoatChanges = schema_for(Boat, exclude=["version"], partial=True)


class Tide(BaseModel):
    place: str
    metres: float = Field(ge=-20, le=20)


class Wanted(BaseModel):
    limit: int = 10
    name: str | None = None


class Session004:
    """A schema that loads and dumps, and tells no fields."""

    def load(self, data: Any) -> Any:
        return data

    def dump(self, data: Any) -> Any:
        return dict(data)


def harbour(folder: Path, **config: Any) -> Flask:
    """An app with an endpoint of every kind of decorator, and plain views."""
    app = Flask("harbour", instance_path=str(folder))
    app.config.update(config)
    Licet(app)
    engine = sa.create_engine(f"sqlite:///{folder / 'boats.sqlite3'}")
    Base.metadata.create_all(engine)
    sessions = sa.orm.scoped_session(sa.orm.sessionmaker(engine))
    app.teardown_appcontext(lambda _error: sessions.remove())
    app.extensions["boats"] = engine
    register_policies(app, boats, piers, berths, session=sessions)
    JsonApi(app, url_prefix="/v1", resources=RESOURCES)
    _add_decorated(app, sessions)
    _add_plain(app)
    return app


def _add_decorated(app: Flask, sessions: Any) -> None:
    @app.get("/boats")
    @public
    @use_args_with_pagination({}, Boat)
    @marshal_response(BoatFields)
    def boats_listed(args, pagination_args):
        return list_page(Boat, pagination_args)

    @app.post("/boats")
    @requires_auth("boats", ["harbourmaster"])
    @unmarshal_request(BoatFields, "boat")
    @marshal_response(BoatFields, 201)
    def boat_added(boat):
        sessions().add(boat)
        sessions().commit()
        return boat

    @app.patch("/boats/<int:boat>")
    @requires_auth("boats_item")
    @with_lookup(Boat, "boat", check_etag=True)
    @unmarshal_request(BoatChanges, "changes", load_sqla=False)
    @marshal_response(BoatFields)
    def boat_changed(boat, changes):
        for name, value in changes.items():
            setattr(boat, name, value)
        sessions().commit()
        return boat

    @app.get("/boats/<int:boat>")
    @public
    @with_lookup(Boat, "boat")
    @marshal_response(BoatFields)
    def boat_shown(boat):
        return boat

    @app.get("/search")
    @public
    @use_args(Wanted)
    @marshal_response(Session004())
    def search(args):
        return args


def _add_plain(app: Flask) -> None:
    @app.get("/tides/<place>")
    @public
    @documented(
        "The next high tide.",
        answer=Tide,
        query=Wanted,
        refusals={404: "There is no such place."},
    )
    def tide(place):
        return {"place": place, "metres": 2.5}

    @app.get("/log/<path:file>")
    @requires_auth("log")
    def log(file):
        """Lines of the harbour's log.

        They are kept for a year.
        """
        return file


def add_boat(app: Flask, **values: Any) -> int:
    with Session(app.extensions["boats"]) as session:
        boat = Boat(**values)
        session.add(boat)
        session.commit()
        return boat.id
