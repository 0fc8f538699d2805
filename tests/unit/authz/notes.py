"""A small app with one policy: notes in folders, for the tests of everything around policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask, jsonify, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    authorize,
    caller,
    everyone,
    guarded_by,
    list_objects,
    register_policies,
    registered,
    with_object,
)
from licet.authz.flask import current_caller, current_session


class Base(DeclarativeBase):
    pass


class Folder(Base):
    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_open: Mapped[bool]


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(sa.ForeignKey("folder.id"))
    owner: Mapped[str] = mapped_column(sa.String(50))
    text: Mapped[str] = mapped_column(sa.String(200), default="")
    secret: Mapped[str | None] = mapped_column(sa.String(50))
    folder: Mapped[Folder | None] = relationship()


@dataclass(frozen=True)
class User:
    name: str | None = None
    is_admin: bool = False

    @property
    def is_authenticated(self) -> bool:
        return self.name is not None


admin = Role("admin", caller.is_admin.is_true(), implies=[registered])


def make_policy() -> Policy:
    """Admins everything, owners their own, everybody what lies in an open folder."""
    own = (attr("owner") == caller.name).named("Only own notes")
    is_open = attr("folder.is_open").is_true().named("Only in open folders")
    notes = Policy(Note, name="notes")
    notes.allow(admin, ALL)
    notes.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own)
    notes.allow(registered, CREATE, when=is_open)
    notes.allow(everyone, LIST | VIEW, when=is_open)
    notes.hide("secret", unless=[admin, own])
    notes.readonly("id", "owner")
    return notes


def fill(session: Session) -> None:
    """Ann's and Ben's notes, in an open folder, a closed one, and none."""
    session.rollback()
    session.expunge_all()
    for table in reversed(Base.metadata.sorted_tables):
        session.execute(table.delete())
    session.add_all([Folder(id=1, is_open=True), Folder(id=2, is_open=False)])
    session.flush()
    for number, (owner, folder) in enumerate(
        [("ann", 1), ("ann", 2), ("ben", 1), ("ben", None)], start=1
    ):
        session.add(Note(id=number, owner=owner, folder_id=folder, secret=f"s{number}"))
    session.commit()


def make_app(
    policy: Policy | None = None, config: dict[str, Any] | None = None, **faults: Any
) -> Flask:
    """The app; `faults` leave something out of it, or do it wrongly."""
    app = Flask("notes")
    app.config.update(config or {})
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    session = Session(engine)
    fill(session)
    app.extensions["notes"] = session
    notes = policy or make_policy()
    register_policies(app, notes, session=lambda: session, caller=_caller)
    _add_views(app, notes, faults)
    return app


def _caller() -> User:
    name = request.headers.get("X-User")
    return User(name, is_admin=name == "root")


def _add_views(app: Flask, notes: Policy, faults: dict[str, Any]) -> None:
    @app.get("/notes")
    @guarded_by(notes, LIST)
    def index():
        statement = sa.select(Note).order_by(Note.id)
        if faults.get("list") == "unfiltered":
            return jsonify([{"id": note.id} for note in current_session().scalars(statement)])
        rows = list_objects(notes, current_session(), statement, current_caller())
        return jsonify([{"id": row.object.id} for row in rows])

    @app.post("/notes")
    @guarded_by(notes, CREATE)
    def create():
        draft = Note(owner=current_caller().name or "", **request.get_json())
        authorize(notes, CREATE, draft)
        current_session().add(draft)
        current_session().commit()
        return {"id": draft.id}, 201

    @app.get("/notes/<int:key>")
    @with_object(notes, VIEW, "key")
    def view(note: Note):
        return {"id": note.id, "text": note.text}

    @app.patch("/notes/<int:key>")
    @with_object(notes, faults.get("update", UPDATE), "key")
    def update(note: Note):
        note.text = request.get_json()["text"]
        current_session().commit()
        return {"id": note.id}

    @app.delete("/notes/<int:key>")
    @with_object(notes, DELETE, "key")
    def delete(note: Note):
        current_session().delete(note)
        current_session().commit()
        return "", 204

    if faults.get("missing") == "told":

        @app.errorhandler(404)
        def missing(_error: Exception):
            exists = current_session().get(Note, request.view_args["key"]) is not None
            return {"hint": "hidden" if exists else "absent"}, 404
