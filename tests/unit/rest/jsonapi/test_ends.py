"""Both ends of a relationship: what one hides or keeps, the other does not tell or change."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask, g, request
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool
from tests.unit.rest.jsonapi.conference import TYPE, Caller

from licet import Licet
from licet.authz import (
    ALL,
    CREATE,
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


class Base(DeclarativeBase):
    pass


TAGGING = sa.Table(
    "tagging",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("book.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_open: Mapped[bool] = mapped_column(default=True)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    part_of_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    parts: Mapped[list["Shelf"]] = relationship(back_populates="part_of")
    part_of: Mapped["Shelf | None"] = relationship(remote_side="Shelf.id", back_populates="parts")
    books: Mapped[list["Book"]] = relationship(back_populates="shelf", foreign_keys="Book.shelf_id")
    fixed: Mapped[list["Book"]] = relationship(foreign_keys="Book.fixed_id")
    anns: Mapped[list["Book"]] = relationship(
        viewonly=True, primaryjoin="and_(Book.shelf_id == Shelf.id, Book.owner == 'ann')"
    )
    label: Mapped["Label | None"] = relationship(uselist=False)
    notes: Mapped[list["Note"]] = relationship(back_populates="shelf")


class Label(Base):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_public: Mapped[bool] = mapped_column(default=False)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None]
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    fixed_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    lent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books", foreign_keys=[shelf_id])
    secret: Mapped[Shelf | None] = relationship(foreign_keys=[fixed_id], viewonly=True)
    lent: Mapped[Shelf | None] = relationship(foreign_keys=[lent_id])
    tags: Mapped[list["Tag"]] = relationship(secondary=TAGGING, back_populates="books")
    marks: Mapped[list["Tag"]] = relationship(secondary=TAGGING, viewonly=True)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_listed: Mapped[bool] = mapped_column(default=True)
    books: Mapped[list[Book]] = relationship(secondary=TAGGING, back_populates="tags")


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="notes")


def resources():
    staff = Role("staff", caller.roles.contains("staff"), implies=[registered])
    own = attr("owner") == caller.principal
    shelves = Policy(Shelf, name="shelves").allow(staff, ALL)
    shelves.allow(registered, LIST | VIEW | UPDATE, when=attr("is_open").is_true())
    labels = Policy(Label, name="labels").allow(staff, ALL)
    labels.allow(registered, ALL, when=attr("is_public").is_true())
    books = (
        Policy(Book, name="books").allow(staff, ALL).allow(registered, CREATE | UPDATE, when=own)
    )
    books.allow(everyone, LIST | VIEW).hide("shelf", unless=[staff, own])
    books.hide("fixed_id", "lent", unless=[staff]).readonly("fixed_id", unless=[staff])
    books.readonly("tags", unless=[staff])
    tags = Policy(Tag, name="tags").allow(registered, VIEW | UPDATE)
    tags.allow(registered, LIST, when=attr("is_listed").is_true())
    notes = Policy(Note, name="notes").allow(staff, ALL)
    notes.readonly("shelf", unless=[attr("shelf.is_open").is_true()])
    notes.allow(registered, UPDATE).allow(registered, LIST | VIEW, when=attr("shelf_id") == 1)
    many, one = ToMany(), ToOne()
    shelf_links = dict.fromkeys(["books", "fixed", "anns", "parts", "notes"], many)
    return [
        Resource(
            Shelf,
            shelves,
            name="shelf",
            url="shelves",
            attributes=[],
            relationships={**shelf_links, "part_of": one, "label": one},
            soft_delete="deleted_at",
        ),
        Resource(Label, labels, name="label", attributes=[]),
        Resource(
            Book,
            books,
            name="book",
            attributes=["owner"],
            relationships={"shelf": one, "secret": one, "lent": one, "tags": many, "marks": many},
        ),
        Resource(Tag, tags, name="tag", attributes=[], relationships={"books": many}),
        Resource(Note, notes, name="note", attributes=[], relationships={"shelf": one}),
    ]


class Library:
    """The app, its database, and requests of callers by name."""

    def __init__(self):
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(self.engine)
        self.app = Flask("library")
        Licet(self.app)
        listed = resources()
        register_policies(
            self.app,
            *(one.policy for one in listed),
            session=self._session,
            caller=lambda: Caller(request.headers["Caller"]),
        )
        self.app.teardown_appcontext(
            lambda _error: g.pop("session").close() if "session" in g else 0
        )
        self.api = JsonApi(self.app, url_prefix="/v1", resources=listed)
        closed, trashed = Shelf(id=3, is_open=False), Shelf(id=4, deleted_at=datetime.now(UTC))
        rows = [
            Shelf(id=1),
            Shelf(id=2),
            closed,
            trashed,
            Label(id=1, shelf_id=1),
            Label(id=2, is_public=True),
        ]
        rows += [
            Book(id=1, owner="ann", shelf_id=1, fixed_id=1),
            Book(id=2, owner="zoe", shelf_id=1),
        ]
        rows += [Book(id=3, owner="ann", shelf_id=3), Book(id=4, owner="ann", shelf_id=4)]
        rows += [Book(id=5, owner="ann"), Tag(id=1), Tag(id=2, is_listed=False)]
        rows += [Note(id=1, shelf_id=1)]
        with Session(self.engine) as session:
            session.add_all(rows)
            session.commit()

    def _session(self):
        if "session" not in g:
            g.session = Session(self.engine)
        return g.session

    def ask(self, method, path, by="ann", document=None, **query):
        data = None if document is None else json.dumps(document)
        headers = {"Caller": by, "Content-Type": TYPE}
        options = {"method": method, "headers": headers, "data": data, "query_string": query}
        return self.app.test_client().open(f"/v1/{path}", **options)

    def column(self, name, key, table="book"):
        with self.engine.connect() as connection:
            text = sa.text(f"SELECT {name} FROM {table} WHERE id = :key")
            return connection.scalar(text, {"key": key})

    def run(self, text):
        with self.engine.begin() as connection:
            return connection.exec_driver_sql(text)


@pytest.fixture
def library():
    made = Library()
    yield made
    made.engine.dispose()


def to(kind, key):
    return {"data": None if key is None else {"type": kind, "id": str(key)}}


def to_many(kind, *keys):
    return {"data": [{"type": kind, "id": str(key)} for key in keys]}


def change(kind, key, **links):
    return {"data": {"type": kind, "id": str(key), "relationships": links}}


def new(kind, **links):
    return {"data": {"type": kind, "attributes": {"owner": "ann"}, "relationships": links}}


def place_of(response):
    return response.json["errors"][0]["source"]["pointer"]


# --- what may not be written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "document", "place"),
    [
        ("POST", "shelves/2/relationships/fixed", to_many("book", 5, 1), "/data/0"),
        ("PATCH", "shelves/2/relationships/fixed", to_many("book", 1), "/data/0"),
        (
            "PATCH",
            "shelves/2",
            change("shelf", 2, fixed=to_many("book", 5)),
            "/data/relationships/fixed/data/0",
        ),
        ("POST", "shelves/2/fixed", {"data": {"type": "book", "attributes": {"owner": "ann"}}}, ""),
        ("POST", "tags/1/relationships/books", to_many("book", 1), "/data/0"),
        ("POST", "tags/1/books", {"data": {"type": "book", "attributes": {"owner": "ann"}}}, ""),
    ],
)
def test_what_one_end_keeps_the_other_does_not_change(library, method, path, document, place):
    """422: a member's foreign key, or its relationship over the same table, is readonly."""
    response = library.ask(method, path, document=document)
    assert (response.status_code, place_of(response)) == (422, place)
    assert library.ask("GET", "books", "root").json["meta"]["count"] == 5
    assert library.run("SELECT count(*) FROM book WHERE fixed_id = 2").scalar() == 0
    assert library.run("SELECT count(*) FROM tagging").scalar() == 0
    if method != "POST" or "relationships" in path:
        assert library.ask(method, path, "root", document).status_code == 200


def test_nothing_is_created_where_a_link_is_only_read(library):
    """403, instead of a row that is linked to nothing."""
    response = library.ask("POST", "shelves/1/anns", document=new("book"))
    assert response.status_code == 403
    assert library.ask("GET", "books").json["meta"]["count"] == 5


def test_what_a_caller_sees_of_a_readonly_link_may_be_sent_back(library):
    """Clients that send whole resources are served; another value is 422."""
    library.run("INSERT INTO tagging VALUES (1, 1), (1, 2)")
    for links in ({"tags": to_many("tag", 1)}, {"marks": to_many("tag", 1)}):
        sent = change("book", 1, **links)
        assert library.ask("PATCH", "books/1", document=sent).status_code == 200
    for given in (to_many("tag"), to_many("tag", 1, 2)):
        sent = change("book", 1, tags=given)
        assert library.ask("PATCH", "books/1", document=sent).status_code == 422
    sent = change("book", 5, secret=to("shelf", None))
    assert library.ask("PATCH", "books/5", "root", sent).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("PATCH", "notes/1/relationships/shelf", to("shelf", 3)),
        ("PATCH", "notes/1", change("note", 1, shelf=to("shelf", 3))),
        ("POST", "shelves/3/relationships/notes", to_many("note", 1)),
        ("PATCH", "shelves/3", change("shelf", 3, notes=to_many("note", 1))),
        ("POST", "shelves/3/notes", {"data": {"type": "note"}}),
    ],
)
def test_links_must_be_writable_as_they_are_written(library, method, path, document):
    """422, as of an attribute: on a closed shelf the shelf of a note may not be written."""
    assert library.ask(method, path, "root", document).status_code == 422
    assert library.run("SELECT id, shelf_id FROM note").all() == [(1, 1)]
    back = library.ask("PATCH", "notes/1/relationships/shelf", "root", to("shelf", 2))
    assert back.status_code == 200


# --- what is hidden ------------------------------------------------------------------------------


def test_a_hidden_link_is_not_guessed(library):
    """A readonly link that its caller does not see is refused alike, whatever it leads to."""
    answers = [
        library.ask("PATCH", "books/1", document=change("book", 1, secret=to("shelf", key)))
        for key in (1, 2)
    ]
    assert answers[0].status_code == 422
    assert answers[0].data == answers[1].data


def test_the_other_end_does_not_tell_a_hidden_key(library):
    """Zoe's book hides its shelf from ann: she finds it by no list, include, filter or count."""
    listed = library.ask("GET", "shelves/1/books").json
    assert ([one["id"] for one in listed["data"]], listed["meta"]["count"]) == (["1"], 1)
    linked = library.ask("GET", "shelves/1/relationships/books").json
    assert [one["id"] for one in linked["data"]] == ["1"]
    included = library.ask("GET", "shelves/1", include="books").json["included"]
    assert [one["id"] for one in included] == ["1"]
    is_zoes = {"name": "owner", "op": "eq", "val": "zoe"}
    found = library.ask(
        "GET", "shelves", filter=json.dumps([{"name": "books", "op": "any", "val": is_zoes}])
    )
    assert found.json["meta"]["count"] == 0
    assert library.ask("GET", "shelves/1/books", "root").json["meta"]["count"] == 2


@pytest.mark.parametrize("key", [3, 4])
def test_null_leaves_what_a_caller_sees_as_null(library, key):
    """A link to a hidden or trashed row is null to them, and stays when they say so."""
    assert library.ask("GET", f"books/{key}").json["data"]["relationships"]["shelf"]["data"] is None
    url, nothing = f"books/{key}/relationships/shelf", to("shelf", None)
    answers = [
        library.ask("PATCH", at, document=nothing) for at in (url, "books/5/relationships/shelf")
    ]
    assert [answer.status_code for answer in answers] == [204, 204]
    sent = change("book", key, shelf=nothing)
    assert library.ask("PATCH", f"books/{key}", document=sent).status_code == 200
    assert library.column("shelf_id", key) == key
    assert library.ask("PATCH", url, document=to("shelf", 2)).status_code == 200
    assert library.column("shelf_id", key) == 2


def test_null_leaves_a_hidden_one_to_one(library):
    """As if there were none: 204, with the hidden row as it was."""
    url = "relationships/label"
    answers = [
        library.ask("PATCH", f"shelves/{key}/{url}", document=to("label", None)) for key in (1, 2)
    ]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert library.column("shelf_id", 1, "label") == 1


def test_what_changes_a_hidden_row_is_refused(library):
    """403: there is a resource, and 404 would say that it is gone."""
    url = "relationships/label"
    refused = library.ask("PATCH", f"shelves/1/{url}", document=to("label", 2))
    assert refused.status_code == 403
    assert library.column("shelf_id", 2, "label") is None
    assert library.ask("PATCH", f"shelves/2/{url}", document=to("label", 2)).status_code == 200


def test_a_link_that_is_only_written_is_not_told(library):
    """204 whatever it led to before, and written."""
    for key in (2, 2, 1):
        response = library.ask("PATCH", "books/1/relationships/lent", document=to("shelf", key))
        assert (response.status_code, response.data) == (204, b"")
        assert library.column("lent_id", 1) == key
    library.ask("PATCH", "books/1/relationships/lent", document=to("shelf", None))
    assert library.column("lent_id", 1) is None


def test_members_that_a_caller_may_view_and_not_list(library):
    """They are neither added twice nor left when they are to be removed."""
    library.run("INSERT INTO tagging VALUES (1, 2)")
    url = "books/1/relationships/tags"
    assert library.ask("GET", url, "root").json["data"] == []
    assert library.ask("POST", url, "root", to_many("tag", 2)).status_code == 204
    assert library.ask("DELETE", url, "root", to_many("tag", 2)).status_code == 200
    assert library.run("SELECT count(*) FROM tagging").scalar() == 0


def test_a_change_that_takes_sight_away_is_answered(library):
    """204 when its caller sees the object no more: the change is done, which 404 would deny."""
    url = "notes/1/relationships/shelf"
    assert library.ask("PATCH", url, document=to("shelf", 2)).status_code == 204
    assert library.column("shelf_id", 1, "note") == 2
    assert library.ask("GET", "notes/1").status_code == 404


# --- what a document says twice ------------------------------------------------------------------


def test_the_url_and_the_body_say_one_place(library):
    """409 with its place when they say two, and nothing is stored; the same place is no harm."""
    other = library.ask("POST", "shelves/1/books", document=new("book", shelf=to("shelf", 2)))
    assert (other.status_code, place_of(other)) == (409, "/data/relationships/shelf/data")
    assert library.ask("GET", "books").json["meta"]["count"] == 5
    same = library.ask("POST", "shelves/1/books", document=new("book", shelf=to("shelf", 1)))
    assert same.status_code == 201
    assert same.json["data"]["relationships"]["shelf"]["data"]["id"] == "1"


def test_two_spellings_of_one_relationship_are_refused(library):
    """422: nobody knows which of the two counts."""
    sent = change("book", 5, shelf=to("shelf", 1), Shelf=to("shelf", 2))
    response = library.ask("PATCH", "books/5", document=sent)
    assert (response.status_code, place_of(response)) == (422, "/data/relationships/Shelf")
    assert library.column("shelf_id", 5) is None


def test_nothing_is_among_its_own_parts(library):
    """409: neither could be changed or deleted any more."""
    url = "shelves/1/relationships/parts"
    for method in ("POST", "PATCH"):
        response = library.ask(method, url, document=to_many("shelf", 1, 2))
        assert (response.status_code, place_of(response)) == (409, "/data")
    assert library.column("part_of_id", 1, "shelf") is None


def test_a_long_list_is_added_to_and_not_replaced(library):
    """Beyond 10,000 members each is added and removed; to replace them all is 403."""
    library.run(
        "INSERT INTO book (id, owner, shelf_id) WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL "
        "SELECT i + 1 FROM n WHERE i < 10200) SELECT i, 'ann', 2 FROM n"
    )
    url = "shelves/2/relationships/books"
    assert library.ask("POST", url, "root", to_many("book", 5)).status_code == 200
    assert library.ask("DELETE", url, "root", to_many("book", 5)).status_code == 200
    replaced = library.ask("PATCH", url, "root", to_many("book", 5))
    assert (replaced.status_code, place_of(replaced)) == (403, "/data")


def test_a_second_child_of_a_one_to_one_is_a_conflict():
    """Its parent would leave the first one without the owner that it has to have."""

    class Local(DeclarativeBase):
        pass

    class House(Local):
        __tablename__ = "house"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Roof(Local):
        __tablename__ = "roof"
        id: Mapped[int] = mapped_column(primary_key=True)
        house_id: Mapped[int] = mapped_column(sa.ForeignKey("house.id"), unique=True)
        house: Mapped[House] = relationship(House, back_populates="roof")

    House.roof = relationship(Roof, back_populates="house", uselist=False)
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Local.metadata.create_all(engine)
    houses, roofs = (Policy(one).allow(everyone, ALL) for one in (House, Roof))
    resources = [
        Resource(House, houses, name="house", attributes=[], relationships={"roof": ToOne()}),
        Resource(Roof, roofs, name="roof", attributes=[], relationships={"house": ToOne()}),
    ]
    app = Flask("houses")
    Licet(app)
    with Session(engine) as session:
        session.add_all([House(id=1), Roof(id=1, house_id=1)])
        session.commit()
        register_policies(app, houses, roofs, session=lambda: session)
        JsonApi(app, url_prefix="/v1", resources=resources)
        house = {"data": {"type": "house", "id": "1"}}
        body = {"data": {"type": "roof", "relationships": {"house": house}}}
        sent = {"data": json.dumps(body), "content_type": TYPE}
        answer = app.test_client().post("/v1/roofs", **sent)
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (409, "conflict")
        assert session.scalars(sa.select(Roof.house_id)).all() == [1]


def test_a_resource_without_a_value_of_its_own_is_no_conflict():
    """Whether a request takes it away, where a new resource has a default, or a hook does."""

    class Local(DeclarativeBase):
        pass

    class Street(Local):
        __tablename__ = "street"
        id: Mapped[int] = mapped_column(primary_key=True)

    class House(Local):
        __tablename__ = "house"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        street_id: Mapped[int] = mapped_column(sa.ForeignKey("street.id"), default=1)
        street: Mapped[Street] = relationship(Street)

    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Local.metadata.create_all(engine)
    streets, houses = (Policy(one).allow(everyone, ALL) for one in (Street, House))
    links = {"street": ToOne()}
    served = Resource(House, houses, name="house", attributes=["name"], relationships=links)
    served.before_update(lambda house: setattr(house, "name", None))
    resources = [served, Resource(Street, streets, name="street", attributes=[])]
    app = Flask("streets")
    Licet(app)
    with Session(engine) as session:
        session.add_all([Street(id=1), House(id=1, name="a")])
        session.commit()
        register_policies(app, houses, streets, session=lambda: session)
        JsonApi(app, url_prefix="/v1", resources=resources)
        sent = {"data": json.dumps({"data": None}), "content_type": TYPE}
        answer = app.test_client().patch("/v1/houses/1/relationships/street", **sent)
        assert (answer.status_code, place_of(answer)) == (422, "/data/relationships/street")
        house = {"type": "house", "id": "1", "attributes": {"name": "b"}}
        sent = {"data": json.dumps({"data": house}), "content_type": TYPE}
        answer = app.test_client().patch("/v1/houses/1", **sent)
        assert (answer.status_code, place_of(answer)) == (422, "/data/attributes/name")


def test_an_attribute_of_text_is_no_alternative_to_the_policy():
    """SQLAlchemy writes text as it is, and AND binds more than the OR that is in it."""

    class Local(DeclarativeBase):
        pass

    class Shelf(Local):
        __tablename__ = "shelf"
        id: Mapped[int] = mapped_column(primary_key=True)
        is_hidden: Mapped[bool]
        books: Mapped[list["Book"]] = relationship(back_populates="shelf")

        @hybrid_property
        def is_odd(self):
            return sa.literal_column("is_hidden OR 1 = 2", sa.Boolean)

    class Book(Local):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
        shelf: Mapped[Shelf] = relationship(back_populates="books")

    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Local.metadata.create_all(engine)
    shelves = Policy(Shelf).allow(everyone, ALL, when=~attr("is_hidden").is_true())
    books = Policy(Book).allow(everyone, ALL)
    links = ({"books": ToMany()}, {"shelf": ToOne()})
    resources = [
        Resource(
            Shelf,
            shelves,
            name="shelf",
            url="shelves",
            attributes=["is_odd"],
            relationships=links[0],
        ),
        Resource(Book, books, name="book", attributes=[], relationships=links[1]),
    ]
    app = Flask("texts")
    Licet(app)
    with Session(engine) as session:
        session.add_all([Shelf(id=1, is_hidden=True), Book(id=1, shelf_id=1)])
        session.commit()
        register_policies(app, shelves, books, session=lambda: session)
        JsonApi(app, url_prefix="/v1", resources=resources)
        is_odd = {"name": "is-odd", "op": "eq", "val": False}
        of_shelf = {"name": "shelf", "op": "has", "val": is_odd}
        for url, asked in (("shelves", is_odd), ("books", of_shelf)):
            query = {"filter": json.dumps([asked])}
            found = app.test_client().get(f"/v1/{url}", query_string=query).json
            assert (found["data"], found["meta"]["count"]) == ([], 0)
    engine.dispose()
