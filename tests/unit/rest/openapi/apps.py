"""Small apps whose documents are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from pydantic import BaseModel, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from licet import Licet
from licet.authz import ALL, LIST, VIEW, Policy, everyone, register_policies, registered
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
from licet.rest.openapi import documented


class Base(DeclarativeBase):
    pass


class Boat(Base):
    __tablename__ = "boat"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    berth: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as SQLAlchemy has it


boats = Policy(Boat, name="boats")
boats.allow(registered, ALL)
boats.allow(everyone, LIST | VIEW)

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
    register_policies(app, boats, session=sessions)
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
