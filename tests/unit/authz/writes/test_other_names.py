"""Rows, tables and classes that have another name than the one that the policy has."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    make_transient_to_detached,
    mapped_column,
    relationship,
)
from tests.unit.authz.writes.small import Small, owned

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    registered,
    write,
)


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    title: Mapped[str] = mapped_column(default="t")


class Doc(Base):
    __tablename__ = "doc"
    id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), primary_key=True, default=lambda: uuid.uuid4().hex
    )
    owner: Mapped[str]


class Slot(Base):
    __tablename__ = "slot"
    room: Mapped[int] = mapped_column(primary_key=True)
    starts: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), primary_key=True)
    owner: Mapped[str]


class Raw(Base):
    __table__ = Book.__table__


BOOKS = owned(Book, "books")


@pytest.fixture
def small():
    made = Small(Base.metadata, BOOKS, owned(Doc), owned(Slot))
    made.store(Book(id=1, owner="ann"), Book(id=2, owner="ben"))
    yield made
    made.session.close()


class TestKeys:
    """Keys that the database has in another form than the object."""

    @pytest.mark.parametrize(
        "draft",
        [
            pytest.param(lambda: Book(id="8", owner="ben"), id="text for a number"),
            pytest.param(lambda: Doc(owner="ben"), id="UUID without dashes"),
            pytest.param(
                lambda: Slot(room=1, starts=datetime(2030, 1, 1, tzinfo=UTC), owner="ben"),
                id="aware moment",
            ),
        ],
    )
    def test_a_draft_is_asked(self, small, draft):
        """CREATE is asked of the row that the key leads to in the database."""
        assert small.attempt(lambda session: session.add(draft())) == "AccessDenied"

    def test_a_legal_draft_is_stored(self, small):
        """What is the caller's own is stored whatever form its key has."""

        def add(session):
            session.add_all([Book(id="8", owner="ann"), Book(id=9, owner="ann")])
            session.add(Book(id="10", owner="ann"))

        assert small.attempt(add) == "done"

    def test_a_new_key_is_asked(self, small):
        """A row whose key becomes text is asked as it was written."""

        def change(session):
            book = session.get(Book, 1)
            book.id, book.owner = "21", "ben"

        assert small.attempt(change) == "AccessDenied"

    def test_a_detached_object_with_a_text_key_is_asked(self, small):
        """What it was is found by the database's comparison, too."""

        def change(session):
            book = Book(id="2", owner="ann")
            make_transient_to_detached(book)
            session.add(book)
            book.title = "taken"

        assert small.attempt(change) == "ObjectNotFound"

    def test_a_row_is_one_under_both_forms_of_its_key(self, small):
        """What it was is not what the transaction made of it under the other form."""

        def change(session):
            book = Book(id="2", owner="ann")
            make_transient_to_detached(book)
            session.add(book)
            book.owner = "ann2"
            book.owner = "ann"
            sa.orm.attributes.flag_modified(book, "owner")
            session.flush()
            session.expunge(book)
            other = session.get(Book, 2)
            other.title = "taken"

        def legal(session):
            session.add(Book(id="40", owner="ann"))
            session.flush()
            book = session.get(Book, 40)
            book.title = "new"

        assert small.attempt(change) == "ObjectNotFound"
        assert small.attempt(legal) == "done"

    def test_a_row_that_is_not_found_is_refused(self, small):
        """A written row that its key does not lead to is no row without questions."""

        def change(session):
            session.add(Book(id=30, owner="ann"))
            session.flush()
            session.connection().exec_driver_sql("UPDATE book SET id = 31 WHERE id = 30")

        assert small.attempt(change) == "AccessDenied"

    def test_a_draft_may_be_taken_back(self, small):
        """One that is deleted, or gets another key, is not lost."""

        def change(session):
            session.add_all([gone := Book(id=30, owner="ann"), moved := Book(id=31, owner="ann")])
            session.flush()
            moved.id = 32
            session.delete(gone)

        assert small.attempt(change) == "done"


class TestTables:
    """A table that SQLAlchemy knows by another object."""

    def test_another_class_is_refused(self, small):
        """Its objects are rows of the guarded table, about which no policy of it decides."""

        def change(session):
            session.get(Raw, 1).title = "x"

        assert small.attempt(change) == "UnguardedWrite"

    @pytest.mark.parametrize(
        "table",
        [
            pytest.param(sa.table("book", sa.column("id"), sa.column("owner")), id="lightweight"),
            pytest.param(sa.table("BOOK", sa.column("owner"), schema="main"), id="schema"),
            pytest.param(
                sa.Table("book", sa.MetaData(), sa.Column("owner", sa.String)), id="second"
            ),
        ],
    )
    def test_a_statement_is_refused(self, small, table):
        """Statements are refused by the name of their table."""
        change = sa.update(table).values(owner="ann")
        assert small.attempt(lambda session: session.execute(change)) == "UnguardedWrite"


@pytest.mark.parametrize("guard_writes", [True, False])
def test_another_policy_of_a_block_is_asked_besides(guard_writes):
    """A block with a policy of its own does not put the app's aside."""
    small = Small(Base.metadata, BOOKS, guard_writes=guard_writes)
    small.store(Book(id=1, owner="ann"), Book(id=2, owner="ben"))
    loose = Policy(Book, name="loose").allow(registered, ALL)

    def change(session):
        with write(loose, UPDATE, session.get(Book, 1)):
            session.get(Book, 2).title = "taken"

    assert small.attempt(change) == "ObjectNotFound"


class TestInheritance:
    """The class of a row is that of its row, not of the object that it is written by."""

    def test_a_joined_subclass(self):
        """A policy of the subclass is asked when its row is written as one of its base."""

        class Own(DeclarativeBase):
            pass

        class Paper(Own):
            __tablename__ = "paper"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]

        class Contract(Paper):
            __tablename__ = "contract"
            id: Mapped[int] = mapped_column(
                sa.ForeignKey("paper.id", ondelete="CASCADE"), primary_key=True
            )

        small = Small(Own.metadata, owned(Contract))
        small.store(Contract(id=1, owner="ben"), Paper(id=2, owner="ben"))

        def change(key):
            def of(session):
                session.get(Paper, key).owner = "ann"

            return of

        assert small.attempt(change(1)) == "ObjectNotFound"
        assert small.attempt(lambda session: session.delete(session.get(Paper, 1))) != "done"
        assert small.attempt(change(2)) == "done"

    def test_the_discriminator_as_a_field(self):
        """A row is asked as one of the class that it becomes."""

        class Own(DeclarativeBase):
            pass

        class Paper(Own):
            __tablename__ = "paper"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]
            kind: Mapped[str]
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "paper"}  # noqa: RUF012

        class Contract(Paper):
            __mapper_args__ = {"polymorphic_identity": "contract"}  # noqa: RUF012

        contracts = Policy(Contract, name="contracts").allow(registered, VIEW)
        small = Small(Own.metadata, owned(Paper), contracts)
        small.store(Paper(id=1, owner="ann"))

        def convert(session):
            session.get(Paper, 1).kind = "contract"

        draft = {"id": 2, "owner": "ann", "kind": "contract"}
        assert small.attempt(convert) == "AccessDenied"
        assert small.attempt(lambda session: session.add(Paper(**draft))) == "AccessDenied"
        assert small.attempt(lambda session: session.add(Paper(id=3, owner="ann"))) == "done"

    def test_concrete_classes(self):
        """Rows of one key in two tables are two rows."""

        class Own(DeclarativeBase):
            pass

        class Item(Own):
            __tablename__ = "item"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]

        class Plan(Item):
            __tablename__ = "plan"
            id: Mapped[int] = mapped_column(primary_key=True)
            owner: Mapped[str]
            __mapper_args__ = {"concrete": True}  # noqa: RUF012

        def change(session):
            session.get(Item, 1).owner = "ann2"
            session.flush()
            session.get(Item, 1).owner = "ann"
            session.get(Plan, 1).owner = "ann"

        for policies, outcome in (
            ((owned(Item), owned(Plan)), "ObjectNotFound"),
            ((owned(Item),), "UnguardedWrite"),
        ):
            small = Small(Own.metadata, *policies)
            small.store(Item(id=1, owner="ann"), Plan(id=1, owner="ben"))
            assert small.attempt(change) == outcome

    @pytest.mark.parametrize("of_base", [True, False])
    def test_links_of_the_base(self, of_base):
        """A subclass's policy is asked of links that its base has."""

        class Own(DeclarativeBase):
            pass

        link = sa.Table(
            "link",
            Own.metadata,
            sa.Column("paper_id", sa.ForeignKey("paper.id"), primary_key=True),
            sa.Column("account_id", sa.ForeignKey("account.id"), primary_key=True),
        )

        class Account(Own):
            __tablename__ = "account"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        class Paper(Own):
            __tablename__ = "paper"
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str]
            editors = relationship(Account, secondary=link)
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "paper"}  # noqa: RUF012

        class Contract(Paper):
            __mapper_args__ = {"polymorphic_identity": "contract"}  # noqa: RUF012

        mine = attr("editors").any(attr("name") == caller.principal)
        papers = Policy(Paper if of_base else Contract, name="papers").allow(registered, VIEW)
        small = Small(Own.metadata, papers.allow(registered, UPDATE, when=mine))
        small.store(Account(id=1, name="ann"), Contract(id=2))

        def change(session):
            paper = session.get(Paper, 2)
            paper.editors.append(session.get(Account, 1))

        assert small.attempt(change) == "AccessDenied"


class TestAssociations:
    """An association table that is mapped by a class as well."""

    @pytest.fixture
    def small(self):
        class Own(DeclarativeBase):
            pass

        class Editor(Own):
            __tablename__ = "editor"
            paper_id: Mapped[int] = mapped_column(sa.ForeignKey("paper.id"), primary_key=True)
            account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)

        class Account(Own):
            __tablename__ = "account"
            id: Mapped[int] = mapped_column(primary_key=True)
            name: Mapped[str]

        class Paper(Own):
            __tablename__ = "paper"
            id: Mapped[int] = mapped_column(primary_key=True)
            editors = relationship(Account, secondary="editor")

        self.Editor, self.Account, self.Paper = Editor, Account, Paper
        mine = attr("editors").any(attr("name") == caller.principal)
        papers = Policy(Paper, name="papers").allow(registered, VIEW)
        made = Small(Own.metadata, papers.allow(registered, CREATE | UPDATE | DELETE, when=mine))
        ben = Account(id=2, name="ben")
        made.store(Account(id=1, name="ann"), Account(id=3, name="zoe"), ben)
        made.store(Paper(id=2), Editor(paper_id=2, account_id=2))
        yield made
        made.session.close()

    def test_its_objects_are_links(self, small):
        """A row that gives, takes or moves a right is asked at its ends."""

        def add(session):
            session.add(self.Editor(paper_id=2, account_id=1))

        def move(session):
            session.get(self.Editor, (2, 2)).account_id = 1

        assert small.attempt(add) == "AccessDenied"
        assert small.attempt(move) == "AccessDenied"
        assert small.attempt(lambda s: s.delete(s.get(self.Editor, (2, 2)))) == "AccessDenied"
        legal = self.Editor(paper_id="2", account_id="3")
        assert small.attempt(lambda session: session.add(legal), "ben") == "done"


def test_tables_in_a_schema():
    """Nobody gives a right to themselves where tables have a schema."""

    class Own(DeclarativeBase):
        metadata = sa.MetaData(schema="lib")

    class Event(Own):
        __tablename__ = "event"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        members = relationship("Member")

    class Member(Own):
        __tablename__ = "member"
        id: Mapped[int] = mapped_column(primary_key=True)
        event_id: Mapped[int] = mapped_column(sa.ForeignKey("lib.event.id"))
        name: Mapped[str]

    events = Policy(Event, name="events").allow(registered, VIEW)
    mine = attr("members").any(attr("name") == caller.principal)
    small = Small(Own.metadata, events.allow(registered, UPDATE, when=mine))
    small.store(Event(id=2, title="ben's"), Member(id=1, event_id=2, name="ben"))

    def take(session):
        session.add(Member(id=6, event_id=2, name="ann"))
        session.flush()
        session.get(Event, 2).title = "taken"

    assert small.attempt(lambda s: s.add(Member(id=5, event_id=2, name="ann"))) == "AccessDenied"
    assert small.attempt(take) == "AccessDenied"
    assert small.attempt(lambda s: s.add(Member(id=5, event_id=2, name="zoe")), "ben") == "done"


def test_sessions_of_a_hook(small):
    """A hook of a flush that flushes another session does not end the first one's watch."""
    engine = small.engine

    def audit(_mapper, _connection, _target):
        with Session(engine) as other:
            other.add(Book(id=70, owner="ann"))
            other.flush()

    def change(session):
        session.get(Book, 1).owner = "ben"

    sa.event.listen(Book, "before_update", audit)
    try:
        assert small.attempt(change) == "AccessDenied"
    finally:
        sa.event.remove(Book, "before_update", audit)


def test_bulk_inserts_of_a_hook(small):
    """Rows that a hook inserts in bulk during a flush are refused."""

    def more(_mapper, _connection, target):
        session = sa.inspect(target).session
        session.bulk_insert_mappings(Book, [{"id": 60, "owner": "ben", "title": "by hook"}])

    def change(session):
        session.get(Book, 1).title = "y"

    sa.event.listen(Book, "before_update", more)
    try:
        assert small.attempt(change) == "UnguardedWrite"
    finally:
        sa.event.remove(Book, "before_update", more)
