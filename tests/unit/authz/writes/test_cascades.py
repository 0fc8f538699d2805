"""What the database deletes or changes together with a row."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.unit.authz.writes.library import ANN
from tests.unit.authz.writes.small import Small, owned

from licet.authz import ALL, CREATE, DELETE, UPDATE, VIEW, Policy, attr, registered


class Base(DeclarativeBase):
    pass


class Room(Base):
    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(sa.ForeignKey("room.id", ondelete="CASCADE"))


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    shelf_id: Mapped[int] = mapped_column(
        sa.ForeignKey("shelf.id", ondelete="CASCADE", onupdate="CASCADE")
    )


OWNED = (owned(Book), owned(Room))
OF_SHELF_9 = (
    Policy(Book, name="books")
    .allow(registered, VIEW)
    .allow(registered, CREATE | UPDATE | DELETE, when=attr("shelf_id") == 9)
)


def library(*policies: Policy, owner: str) -> Small:
    made = Small(Base.metadata, *policies)
    made.store(Room(id=1, owner="ann"), Shelf(id=1, room_id=1))
    made.store(Book(id=2, owner=owner, shelf_id=1))
    return made


@pytest.mark.parametrize("model", [Room, Shelf])
def test_rows_of_classes_without_a_policy_pass_it_on(model):
    """Who deletes a room, or a shelf that has no policy, deletes the books."""

    def change(session):
        session.delete(session.get(model, 1))

    assert library(*OWNED, owner="ben").attempt(change) == "ObjectNotFound"
    assert library(*OWNED, owner="ann").attempt(change) == "done"


def test_statements_that_delete_them_are_refused():
    """Nobody decides about the books that go with a shelf."""
    small = library(*OWNED, owner="ben")
    assert small.attempt(lambda session: session.execute(sa.delete(Shelf))) == "UnguardedWrite"
    change = sa.update(Shelf).values(room_id=1)
    assert small.attempt(lambda session: session.execute(change)) == "done"


def test_new_keys_are_passed_on():
    """A shelf with another number moves its books."""

    def change(session):
        session.get(Shelf, 1).id = 9

    assert library(OF_SHELF_9, owner="ben").attempt(change) == "AccessDenied"
    free = Policy(Book, name="books").allow(registered, ALL)
    assert library(free, owner="ben").attempt(change) == "done"


def test_rows_that_refer_to_each_other():
    """A circle of rows comes to an end."""

    class Own(DeclarativeBase):
        pass

    class Node(Own):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner: Mapped[str]
        next_id: Mapped[int | None] = mapped_column(sa.ForeignKey("node.id", ondelete="CASCADE"))

    small = Small(Own.metadata, owned(Node))
    small.store(Node(id=1, owner="ann"), Node(id=2, owner="ben", next_id=1))
    with small.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE node SET next_id = 2 WHERE id = 1")
    assert small.attempt(lambda s: s.delete(s.get(Node, 1))) == "ObjectNotFound"
    with small.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE node SET owner = 'ann'")
    assert small.attempt(lambda s: s.delete(s.get(Node, 1))) == "done"


@pytest.mark.parametrize("is_passive", [True, False])
def test_rows_of_association_tables(is_passive):
    """A deletion that would give a right is refused, also where the database unlinks the rows."""

    class Own(DeclarativeBase):
        pass

    options: dict[str, Any] = {"ondelete": "CASCADE"} if is_passive else {}
    link = sa.Table(
        "link",
        Own.metadata,
        sa.Column("paper_id", sa.ForeignKey("paper.id", **options), primary_key=True),
        sa.Column("topic_id", sa.ForeignKey("topic.id", **options), primary_key=True),
    )

    class Topic(Own):
        __tablename__ = "topic"
        id: Mapped[int] = mapped_column(primary_key=True)
        is_locked: Mapped[bool]
        papers = relationship(
            "Paper", secondary=link, back_populates="topics", passive_deletes=is_passive
        )

    class Paper(Own):
        __tablename__ = "paper"
        id: Mapped[int] = mapped_column(primary_key=True)
        topics = relationship(
            Topic, secondary=link, back_populates="papers", passive_deletes=is_passive
        )

    free = ~attr("topics").any(attr("is_locked").is_true())
    papers = Policy(Paper, name="papers").allow(registered, VIEW)
    topics = Policy(Topic, name="topics").allow(registered, ALL)
    small = Small(Own.metadata, papers.allow(registered, UPDATE, when=free), topics)
    small.store(Topic(id=1, is_locked=True), Topic(id=2, is_locked=False))
    small.store(Paper(id=1, topics=[small.session.get(Topic, 1)]))
    small.store(Paper(id=2, topics=[small.session.get(Topic, 2)]))
    assert small.attempt(lambda s: s.delete(s.get(Topic, 1))) == "AccessDenied"
    assert small.attempt(lambda s: s.delete(s.get(Topic, 2))) == "done"


class Code(Base):
    __tablename__ = "code"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str] = mapped_column("code_name", unique=True)


class Use(Base):
    __tablename__ = "use"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    code: Mapped[str] = mapped_column(
        sa.ForeignKey("code.code_name", onupdate="CASCADE", ondelete="CASCADE")
    )


upsert = sa.dialects.sqlite.insert(Code).values(id=1, owner="ann", name="c")


class TestReferredColumns:
    """Statements about a class without a policy, by which the database changes guarded rows."""

    @pytest.fixture
    def small(self):
        made = Small(Base.metadata, owned(Use))
        made.store(Code(id=1, owner="ann", name="c"), Use(id=1, owner="ben", code="c"))
        return made

    @pytest.mark.parametrize(
        "write",
        [
            lambda session: session.execute(sa.update(Code).values(name="x")),
            lambda session: session.execute(sa.update(Code).values({Code.name: "x"})),
            lambda session: session.execute(sa.update(Code).ordered_values((Code.name, "x"))),
            lambda session: session.query(Code).update({"name": "x"}),
            lambda session: session.execute(sa.update(Code), [{"id": 1, "name": "x"}]),
            lambda session: session.bulk_update_mappings(Code, [{"id": 1, "name": "x"}]),
            lambda session: session.connection().execute(
                sa.update(Code.__table__), {"code_name": "x"}
            ),
            lambda session: session.execute(
                upsert.on_conflict_do_update(index_elements=["id"], set_={"name": "x"})
            ),
            lambda session: session.execute(
                sa.insert(Code).prefix_with("OR REPLACE").values(id=1, owner="ann", name="x")
            ),
        ],
    )
    def test_are_refused(self, small, write):
        """Nobody decides about the rows that follow."""
        assert small.attempt(write) == "UnguardedWrite"
        assert small.rows("SELECT owner, code FROM use") == [("ben", "c")]

    @pytest.mark.parametrize(
        "write",
        [
            lambda session: session.execute(sa.update(Code).values(owner="x")),
            lambda session: session.execute(sa.update(Code), [{"id": 1, "owner": "x"}]),
            lambda session: session.execute(
                upsert.on_conflict_do_update(index_elements=["id"], set_={"owner": "x"})
            ),
            lambda session: session.execute(
                sa.update(Code).values(name="x"), execution_options={"licet_unguarded": "renamed"}
            ),
        ],
    )
    def test_others_pass(self, small, write):
        """No row follows, or the statement is marked."""
        assert small.attempt(write) == "done"

    def test_a_filtered_one_is_refused(self):
        """The policy of the class decides about its own rows, and not about those that follow."""
        codes = owned(Code, "codes")
        small = Small(Base.metadata, owned(Use), codes)
        small.store(Code(id=1, owner="ann", name="c"), Use(id=1, owner="ben", code="c"))
        change = codes.filter(sa.update(Code).values(name="x"), ANN, UPDATE)
        assert small.attempt(lambda session: session.execute(change)) == "UnguardedWrite"


class Reply(Base):
    __tablename__ = "reply"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("reply.id", ondelete="CASCADE"))


@pytest.mark.parametrize(("owner", "outcome"), [("ann", "done"), ("ben", "ObjectNotFound")])
def test_a_long_way(owner, outcome):
    """The last of 400 replies to each other goes with the first."""
    small = Small(Base.metadata, owned(Reply))
    rows = [{"id": key, "owner": "ann", "parent_id": key - 1 or None} for key in range(1, 401)]
    small.session.execute(sa.insert(Reply), [*rows, {"id": 401, "owner": owner, "parent_id": 400}])
    small.session.commit()
    assert small.attempt(lambda session: session.delete(session.get(Reply, 1))) == outcome
