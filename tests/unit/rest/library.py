"""A library behind the decorators: books with versions, owners, and a note that few see."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from flask import Flask
from pydantic import BaseModel
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from tests.unit.authn.callers import ISSUER, Names, identity_principal

from licet import Licet
from licet.authn import use_verifier
from licet.authz import (
    ALL,
    CREATE,
    LIST,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    register_policies,
    registered,
)
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


class Base(DeclarativeBase):
    pass


class Kind(enum.Enum):
    NOVEL = "novel"
    ATLAS = "atlas"


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    curator: Mapped[str] = mapped_column(sa.String(200))


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    title: Mapped[str] = mapped_column(sa.String(40))
    kind: Mapped[Kind] = mapped_column(default=Kind.NOVEL)
    pages: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(sa.String(100))
    rating: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(sa.String(200))
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


book_fields = schema_for(Book)
book_changes = schema_for(Book, partial=True)
staff = Role("staff", caller.roles.contains("staff"))


class ShelfRef(BaseModel):
    id: int
    curator: str


class BookOnShelf(BaseModel):
    id: int
    title: str
    shelf: ShelfRef | None


def make_policies() -> tuple[Policy, Policy]:
    """Owners change what is theirs; drafts, whose rating is below 0, are theirs alone."""
    own = attr("owner") == caller.principal
    books = Policy(Book, name="books")
    books.allow(staff, ALL)
    books.allow(registered, CREATE)
    books.allow(registered, ALL, when=own)
    books.allow(everyone, LIST | VIEW, when=attr("rating") >= 0)
    books.hide("note", unless=[staff, own])
    books.readonly("rating", unless=[staff])
    shelves = Policy(Shelf, name="shelves")
    shelves.allow(everyone, LIST | VIEW, when=attr("name") != "cellar")
    shelves.hide("curator", unless=[staff])
    return books, shelves


BOOKS, SHELVES = make_policies()  # one build for all apps


def principal(name: str) -> str:
    return identity_principal(ISSUER, name)


class Library:
    """The app, its sessions and its statements."""

    def __init__(
        self,
        url: str,
        instance_path: str,
        *,
        pool_size: int = 5,
        guard_writes: bool = False,
        **config: object,
    ) -> None:
        self.engine = sa.create_engine(url, pool_size=pool_size)
        if not sa.inspect(self.engine).has_table("book"):
            Base.metadata.create_all(self.engine)
        self.session = scoped_session(sessionmaker(self.engine))
        self.statements: list[str] = []
        sa.event.listen(self.engine, "before_cursor_execute", self._note)
        self.app = Flask("library", instance_path=instance_path)
        self.app.config.update({"LICET_EMBEDDED_ISSUER": False} | config)
        use_verifier(self.app, Names())
        licet = Licet(self.app)
        licet.roles_of(lambda identity: {"staff"} if identity.subject == "sue" else set())
        options = {"session": lambda: self.session, "guard_writes": guard_writes}
        register_policies(self.app, BOOKS, SHELVES, **options)
        self.app.teardown_request(lambda _error: self.session.remove())
        add_views(self)
        self.client = self.app.test_client()

    def _note(self, _connection, _cursor, statement, *_) -> None:
        self.statements.append(statement)

    def add(self, *rows: object) -> None:
        with Session(self.engine) as session:
            session.add_all(rows)
            session.commit()

    def row(self, key: int) -> Book | None:
        with Session(self.engine) as session:
            return session.get(Book, key)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements of a block."""
        found: list[str] = []
        self.statements = found
        yield found
        self.statements = []

    def close(self) -> None:
        self.session.remove()
        self.engine.dispose()


def add_views(library: Library) -> None:  # noqa: C901 - a list of views
    app, session = library.app, library.session

    @app.get("/books/")
    @public
    @use_args_with_pagination({"kind": Kind}, Book)
    @marshal_response(book_fields)
    def list_books(args, pagination_args):
        statement = sa.select(Book)
        if "kind" in args:
            statement = statement.where(Book.kind == args["kind"])
        return list_page(statement, pagination_args)

    @app.get("/all")
    @public
    @marshal_response(book_fields)
    def unfiltered():
        return list(session.scalars(sa.select(Book).order_by(Book.id)))

    @app.get("/on-shelves")
    @public
    @marshal_response(BookOnShelf)
    def on_shelves():
        return list(session.scalars(sa.select(Book).order_by(Book.id)))

    @app.post("/books/")
    @requires_auth("books")
    @unmarshal_request(book_fields, "book")
    @marshal_response(book_fields, 201)
    def create_book(book):
        from licet.authn import current_identity

        book.owner = current_identity.principal
        session.add(book)
        session.commit()
        return book

    @app.get("/books/<int:book>")
    @public
    @with_lookup(Book, "book")
    @marshal_response(book_fields)
    def get_book(book):
        return book

    @app.patch("/books/<int:book>")
    @requires_auth("books_item")
    @with_lookup(Book, "book", check_etag=True)
    @unmarshal_request(book_changes, "changes", load_sqla=False)
    @marshal_response(book_fields)
    def update_book(book, changes):
        for name, value in changes.items():
            setattr(book, name, value)
        session.commit()
        return book

    @app.delete("/books/<int:book>")
    @requires_auth("books_delete")
    @with_lookup(Book, "book", check_etag=True)
    def delete_book(book):
        session.delete(book)
        session.commit()
        return "", 204

    @app.put("/books/<int:book>/title")
    @requires_auth("books_title")
    @with_lookup(Book, "book")
    @unmarshal_request({"title": str}, "values", load_sqla=False)
    @marshal_response(book_fields)
    def rename(book, values):
        book.title = values["title"]
        session.commit()
        return book

    @app.put("/books/<int:book>/owner")
    @requires_auth("books_owner")
    @with_lookup(Book, "book")
    @unmarshal_request({"to": str}, "values", load_sqla=False)
    @marshal_response(book_fields)
    def give(book, values):
        book.owner = principal(values["to"])
        session.commit()
        return book

    @app.get("/search")
    @public
    @use_args({"q": str, "tag": list[str], "limit": int})
    def search(args):
        return args
