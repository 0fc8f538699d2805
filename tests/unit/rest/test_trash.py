"""The end of the trash: what is deleted after 30 days, and what stays."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet.db.types import UTCDateTime
from licet.rest.store import trash
from licet.rest.store.trash import purge_trash

NOW = datetime(2030, 3, 1, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(days=30), NOW - timedelta(days=29, hours=23)


class Base(DeclarativeBase):
    pass


class Box(Base):
    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    outer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("box.id", ondelete="CASCADE"))
    twin_id: Mapped[int | None] = mapped_column(sa.ForeignKey("box.id"))
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    notes: Mapped[list["Note"]] = relationship(cascade="all, delete-orphan")


class Thing(Base):
    """It cannot be without its box."""

    __tablename__ = "thing"
    box_id: Mapped[int] = mapped_column(sa.ForeignKey("box.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Label(Base):
    """It belongs to a thing, by a key of two columns."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int]
    number: Mapped[int]
    __table_args__ = (
        sa.ForeignKeyConstraint(["box_id", "number"], ["thing.box_id", "thing.number"]),
    )


class Note(Base):
    """Its box deletes it, though it could be without."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int | None] = mapped_column(sa.ForeignKey("box.id"))


class Guest(Base):
    """It stays."""

    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int | None] = mapped_column(sa.ForeignKey("box.id"))


class Naive(Base):
    __tablename__ = "naive"
    id: Mapped[int] = mapped_column(primary_key=True)
    deleted_at: Mapped[datetime | None]


loose = sa.Table(
    "loose", Base.metadata, sa.Column("box_id", sa.ForeignKey("box.id"), nullable=False)
)


@pytest.fixture
def session(database_url):
    """The tables, on each kind of database, where foreign keys are heeded."""
    engine = sa.create_engine(database_url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda dbapi, _: dbapi.execute("PRAGMA foreign_keys=ON"))
    Base.metadata.create_all(engine)
    with Session(engine) as found:
        yield found
    engine.dispose()


def ids(session, model):
    return session.scalars(sa.select(model.id).order_by(model.id)).all()


def test_old_trash_goes_with_what_belongs_to_it(session):
    """To any depth; young trash, what was never deleted, and what only refers to it stay."""
    boxes = [
        Box(id=1, deleted_at=OLD),
        Box(id=2, deleted_at=YOUNG),
        Box(id=3),
        Box(id=4, outer_id=1),
        Box(id=5, twin_id=1),
        Box(id=6, outer_id=4),
    ]
    session.add_all(boxes)
    session.flush()
    for n, box in enumerate(boxes, 1):
        session.add_all([Thing(box_id=box.id, number=1), Note(id=n, box_id=n)])
        session.add(Guest(id=n, box_id=n))
        session.flush()
        session.add(Label(id=n, box_id=n, number=1))
        session.execute(sa.insert(loose).values(box_id=n))
    session.commit()
    assert purge_trash(session, Box, "deleted_at", NOW) == 1
    kept = [2, 3, 5]
    assert ids(session, Box) == ids(session, Note) == ids(session, Label) == kept
    assert session.scalars(sa.select(Thing.box_id).order_by(Thing.box_id)).all() == kept
    assert session.scalars(sa.select(loose.c.box_id).order_by(loose.c.box_id)).all() == kept
    guests = session.execute(sa.select(Guest.id, Guest.box_id).order_by(Guest.id)).all()
    assert [tuple(one) for one in guests] == [
        *((1, None), (2, 2), (3, 3)),
        *((4, None), (5, 5), (6, None)),
    ]
    assert session.get(Box, 5).twin_id is None
    assert purge_trash(session, Box, "deleted_at", NOW) == 0


def test_much_of_it_goes_batch_after_batch(session, monkeypatch):
    """All of it, in one round; or the most of a round, and then the rest."""
    monkeypatch.setattr(trash, "_BATCH", 10)
    monkeypatch.setattr(trash, "_MOST_BATCHES", 3)
    session.add_all([Box(id=n, deleted_at=OLD if n <= 45 else None) for n in range(1, 51)])
    session.commit()
    assert [purge_trash(session, Box, "deleted_at", NOW) for _ in range(3)] == [30, 15, 0]
    assert ids(session, Box) == [46, 47, 48, 49, 50]


def test_moments_without_a_time_zone_are_in_utc(session):
    """As DELETE writes them."""
    plain = [one.replace(tzinfo=None) for one in (OLD, YOUNG)]
    session.add_all([Naive(id=n, deleted_at=one) for n, one in enumerate(plain)])
    session.commit()
    assert purge_trash(session, Naive, "deleted_at", NOW) == 1
    assert ids(session, Naive) == [1]


def test_a_failure_leaves_the_batch_as_it_was(session):
    """What a database refuses is rolled back, and told."""
    session.add(Box(id=1, deleted_at=OLD))
    session.flush()
    session.add(Note(id=1, box_id=1))
    session.commit()
    session.execute(sa.text("CREATE TABLE strange (box INTEGER NOT NULL REFERENCES box (id))"))
    session.execute(sa.text("INSERT INTO strange VALUES (1)"))
    session.commit()
    with pytest.raises(sa.exc.IntegrityError):
        purge_trash(session, Box, "deleted_at", NOW)
    assert ids(session, Box) == ids(session, Note) == [1]
