"""A conference over JSON:API, with rows and fields that some callers do not see."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import Flask, g, request
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)
from sqlalchemy.pool import StaticPool

from licet import Licet
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
    caller,
    everyone,
    register_policies,
    registered,
)
from licet.db.types import UTCDateTime
from licet.rest.jsonapi import JsonApi, Resource, ToMany, ToOne

TYPE = "application/vnd.api+json"


class Base(DeclarativeBase):
    pass


class State(enum.StrEnum):
    DRAFT = "draft"
    SHOWN = "shown"


speaking = sa.Table(
    "speaking",
    Base.metadata,
    sa.Column("talk_id", sa.ForeignKey("talk.id"), primary_key=True),
    sa.Column("speaker_id", sa.ForeignKey("speaker.id"), primary_key=True),
)


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    owner: Mapped[str] = mapped_column(default="nobody")
    is_open: Mapped[bool] = mapped_column(default=True)
    budget: Mapped[int | None]
    starts_on: Mapped[date | None]
    starts_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 2))
    rating: Mapped[float | None] = mapped_column(sa.Float)
    extra: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    talks: Mapped[list[Talk]] = relationship(back_populates="event")
    parent: Mapped[Event | None] = relationship(remote_side="Event.id", back_populates="parts")
    parts: Mapped[list[Event]] = relationship(back_populates="parent")


class Talk(Base):
    __tablename__ = "talk"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    title: Mapped[str] = mapped_column(sa.String(80))
    state: Mapped[State] = mapped_column(
        sa.Enum(State, native_enum=False, values_callable=lambda e: [m.value for m in e]),
        default=State.DRAFT,
    )
    creator: Mapped[str | None]
    note: Mapped[str | None]
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    version: Mapped[int] = mapped_column(server_default="1")
    event: Mapped[Event] = relationship(back_populates="talks")
    speakers: Mapped[list[Speaker]] = relationship(secondary=speaking, back_populates="talks")
    files: Mapped[list[File]] = relationship(back_populates="talk")
    loud = column_property(title + "!")
    __mapper_args__: ClassVar = {"version_id_col": version}


class Speaker(Base):
    __tablename__ = "speaker"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    email: Mapped[str | None]
    is_public: Mapped[bool] = mapped_column(default=True)
    talks: Mapped[list[Talk]] = relationship(secondary=speaking, back_populates="speakers")


class File(Base):
    __tablename__ = "file"
    id: Mapped[int] = mapped_column(primary_key=True)
    talk_id: Mapped[int | None] = mapped_column(sa.ForeignKey("talk.id"))
    path: Mapped[str]
    talk: Mapped[Talk | None] = relationship(back_populates="files")


class Caller:
    """Anybody by name; "root" is staff."""

    def __init__(self, principal: str) -> None:
        self.principal, self.is_authenticated = principal, principal != "nobody"
        self.roles = frozenset({"staff"} if principal == "root" else ())


class Policies:
    """Made anew for each app."""

    def __init__(self) -> None:
        staff = Role("staff", caller.roles.contains("staff"), implies=[registered])
        is_open = attr("is_open").is_true()
        own_event = attr("owner") == caller.principal
        self.events = Policy(Event, name="events")
        self.events.allow(staff, ALL).allow(registered, CREATE)
        self.events.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own_event)
        self.events.allow(everyone, LIST | VIEW, when=is_open)
        self.events.hide("budget", unless=[staff, own_event]).hide("rating", unless=[staff])
        self.events.readonly("id", "owner")

        shown = attr("event.is_open").is_true() & (attr("state") == State.SHOWN)
        own = attr("creator") == caller.principal
        runs = attr("event.owner") == caller.principal
        self.talks = Policy(Talk, name="talks")
        self.talks.allow(staff, ALL)
        self.talks.allow(registered, LIST | VIEW | UPDATE | DELETE, when=own | runs)
        self.talks.allow(registered, CREATE, when=attr("event.is_open").is_true())
        self.talks.allow(everyone, LIST | VIEW, when=shown)
        self.talks.hide("note", unless=[staff, own]).readonly("id", "creator", "deleted_at")
        self.talks.readonly("state", unless=[staff, runs])

        self.speakers = Policy(Speaker, name="speakers")
        is_public = attr("is_public").is_true()
        self.speakers.allow(staff, ALL).allow(registered, CREATE)
        self.speakers.allow(registered, UPDATE, when=is_public)
        self.speakers.allow(everyone, LIST | VIEW, when=is_public)
        self.speakers.hide("email", unless=[staff]).readonly("id")

        self.files = Policy(File, name="files").allow(staff, ALL)
        self.files.allow(
            registered, LIST | VIEW | UPDATE, when=attr("talk.creator") == caller.principal
        )
        self.files.hide("path", unless=[staff])

    @property
    def all(self) -> list[Policy]:
        return [self.events, self.talks, self.speakers, self.files]


def resources_of(policies: Policies) -> dict[str, Resource]:
    """The resources, by type."""
    event_fields = [
        *("name", "owner", "is_open", "budget", "starts_on", "starts_at"),
        *("price", "rating", "extra"),
    ]
    found = [
        Resource(
            Event,
            policies.events,
            name="event",
            attributes=event_fields,
            relationships={"talks": ToMany(), "parent": ToOne(), "parts": ToMany()},
        ),
        Resource(
            Talk,
            policies.talks,
            name="talk",
            attributes=["title", "state", "note", "loud", "deleted_at"],
            relationships={
                "event": ToOne(required=True),
                "speakers": ToMany(),
                "files": ToMany(),
            },
            soft_delete="deleted_at",
        ),
        Resource(
            Speaker,
            policies.speakers,
            name="speaker",
            attributes=["name", "email", "is_public"],
            relationships={"talks": ToMany()},
        ),
        Resource(
            File,
            policies.files,
            name="talk-file",
            attributes=["path"],
            relationships={"talk": ToOne()},
        ),
    ]
    return {one.type: one for one in found}


class Conference:
    """The app, its database, and requests of callers by name."""

    def __init__(
        self,
        url: str = "sqlite://",
        policies: Policies | None = None,
        *,
        instance: Any = None,  # the folder of licet's own database
        **options: Any,
    ) -> None:
        if url == "sqlite://":
            options["poolclass"] = StaticPool
        self.engine = sa.create_engine(url, **options)
        Base.metadata.create_all(self.engine)
        self.policies = policies or Policies()
        self.resources = resources_of(self.policies)
        self.app = Flask("conference")
        if instance is not None:
            self.app.config["LICET_INSTANCE_PATH"] = str(instance)
        Licet(self.app)
        register_policies(self.app, *self.policies.all, session=self._session, caller=self._caller)
        self.app.teardown_appcontext(self._close)
        self.resources["talk"].before_create(self._set_creator)
        self.resources["event"].before_create(self._set_owner)
        self.api = JsonApi(self.app, url_prefix="/v1", resources=self.resources.values())
        self.client = self.app.test_client()
        self.statements: list[str] = []

    def _session(self) -> Session:
        if "session" not in g:
            g.session = Session(self.engine)
        return g.session

    def _close(self, _error: Any) -> None:
        if "session" in g:
            g.pop("session").close()

    def _caller(self) -> Caller:
        return Caller(request.headers.get("Caller", "nobody"))

    def _set_creator(self, talk: Talk) -> None:
        talk.creator = self._caller().principal

    def _set_owner(self, event: Event) -> None:
        event.owner = self._caller().principal

    def ask(self, method: str, path: str, by: str = "nobody", **options: Any) -> Any:
        """The response to a request of somebody's; `data` is the document's."""
        headers = {"Caller": by, **options.pop("headers", {})}
        if "document" in options:
            options["data"] = json.dumps(options.pop("document"))
        if "data" in options:
            headers.setdefault("Content-Type", TYPE)
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def get(self, path: str, by: str = "nobody", **query: str) -> Any:
        """The document, of which the status is 200."""
        response = self.ask("GET", path, by, query_string=query)
        assert response.status_code == 200, response.text
        return response.json

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements of the block."""
        found: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_others: Any) -> None:
            found.append(statement)

        sa.event.listen(self.engine, "before_cursor_execute", note)
        yield found
        sa.event.remove(self.engine, "before_cursor_execute", note)

    def rows(self, model: type[Any]) -> list[dict[str, Any]]:
        """What is committed of a table."""
        table: Any = sa.inspect(model).local_table
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(table).order_by(*table.primary_key))
            return [dict(row) for row in found.mappings()]

    def add(self, *objects: Any) -> None:
        with Session(self.engine) as session:
            session.add_all(objects)
            session.commit()

    def close(self) -> None:
        self.engine.dispose()


def fill(conference: Conference) -> Conference:
    """An open event of ann's, a closed one of ben's, and what belongs to them."""
    ada = Speaker(id=1, name="Ada", email="ada@example.org")
    bob = Speaker(id=2, name="Bob", is_public=False)
    chi = Speaker(id=3, name="Chi_%")
    now = datetime(2030, 1, 31, 12, tzinfo=UTC)
    conference.add(
        Event(
            id=1,
            name="Open",
            owner="ann",
            budget=100,
            starts_on=date(2030, 1, 31),
            starts_at=now,
            price=Decimal("12.50"),
            extra={"a": [1]},
        ),
        Event(id=2, name="Closed", owner="ben", is_open=False, budget=7),
        Event(id=3, name="Part", owner="ann", parent_id=1),
        Event(id=4, name="Hidden part", owner="ben", parent_id=1, is_open=False),
        Event(id=5, name="Part of hidden", owner="ann", parent_id=2),
        Talk(id=1, event_id=1, title="One", state=State.SHOWN, creator="cid", speakers=[ada, bob]),
        Talk(id=2, event_id=1, title="Two", state=State.DRAFT, creator="cid", note="secret"),
        Talk(id=3, event_id=2, title="Three", state=State.SHOWN, creator="dan", speakers=[chi]),
        Talk(id=4, event_id=1, title="Four", state=State.SHOWN, creator="eve", deleted_at=now),
        Talk(id=5, event_id=1, title="Five", state=State.SHOWN, creator="ann", speakers=[chi]),
        File(id=1, talk_id=1, path="/one"),
        File(id=2, talk_id=3, path="/three"),
    )
    return conference
