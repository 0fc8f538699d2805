"""Objects that are new or changed: decided by what a flush is going to make of them.

Each case is decided before the flush, then flushed, and the row in the database asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    MappedAsDataclass,
    Session,
    WriteOnlyMapped,
    foreign,
    mapped_column,
    relationship,
)
from tests.unit.authz.conference import Who, recorded

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Condition,
    Policy,
    Verb,
    attr,
    caller,
    everyone,
)
from licet.errors import UnloadedObject

NOBODY = Who()


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str | None] = mapped_column(default="archived")
    is_gone: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[int | None]

    notes: WriteOnlyMapped[Note] = relationship(foreign_keys="Note.event_id")
    live_notes: DynamicMapped[Note] = relationship(foreign_keys="Note.live_id")
    speakers: Mapped[list[Speaker]] = relationship(
        back_populates="event", foreign_keys="Speaker.event_id"
    )


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    live_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    text: Mapped[str]


class Speaker(Base):
    __tablename__ = "speaker"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"))
    home_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"), default=2)
    kind: Mapped[str | None] = mapped_column(default="plain")
    made_on: Mapped[dt.date | None] = mapped_column(default=dt.date.today)
    rank: Mapped[int | None] = mapped_column(server_default="3")
    name: Mapped[str | None]
    stamp: Mapped[str | None] = mapped_column(default="new", onupdate="changed")
    changed_on: Mapped[dt.date | None] = mapped_column(onupdate=dt.date.today)

    event: Mapped[Event | None] = relationship(
        back_populates="speakers", foreign_keys="Speaker.event_id"
    )
    home: Mapped[Event | None] = relationship(foreign_keys="Speaker.home_id")
    seen_event: Mapped[Event | None] = relationship(foreign_keys="Speaker.event_id", viewonly=True)
    kept_event: Mapped[Event | None] = relationship(
        primaryjoin=lambda: (foreign(Speaker.event_id) == Event.id) & ~Event.is_gone,
        viewonly=True,
    )
    page: Mapped[Page | None] = relationship(back_populates="speaker")


class Page(Base):
    """At most one for each speaker."""

    __tablename__ = "page"

    id: Mapped[int] = mapped_column(primary_key=True)
    speaker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("speaker.id"))
    text: Mapped[str | None]

    speaker: Mapped[Speaker | None] = relationship(back_populates="page")


class Room(Base):
    """Known by the building and the number."""

    __tablename__ = "room"

    building: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str]


class Booking(Base):
    __tablename__ = "booking"
    __table_args__ = (
        sa.ForeignKeyConstraint(["building", "number"], ["room.building", "room.number"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    building: Mapped[int | None]
    number: Mapped[int | None]
    code: Mapped[str | None] = mapped_column(sa.ForeignKey("room.code"))

    room: Mapped[Room | None] = relationship(foreign_keys="[Booking.building, Booking.number]")
    coded: Mapped[Room | None] = relationship(foreign_keys="Booking.code")


class Ticket(MappedAsDataclass, Base):
    """A dataclass, whose constructor sets what is not given."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    event_id: Mapped[int | None] = mapped_column(sa.ForeignKey("event.id"), default=None)
    state: Mapped[str] = mapped_column(default="void")
    event: Mapped[Event | None] = relationship(default=None)


@pytest.fixture(scope="module")
def engine() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [
                Event(id=1, state="open"),
                Event(id=2, state="archived"),
                Event(id=3, state="open", is_gone=True),
                Event(id=4, state="open"),
                Room(building=1, number=1, code="a", state="open"),
                Room(building=1, number=2, code="b", state="archived"),
                Note(id=1, event_id=1, live_id=1, text="bad"),
            ]
        )
        session.flush()
        session.add_all(
            [
                Speaker(id=1, event_id=1, home_id=1, name="one"),
                Speaker(id=2, event_id=2, home_id=1, name="two"),
                Booking(id=1, building=1, number=1, code="a"),
            ]
        )
        session.commit()
    yield engine
    engine.dispose()


@pytest.fixture
def db(engine: sa.Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session
        session.rollback()


def policy_for(model: type[Any], when: Condition) -> Policy:
    return Policy(model).allow(everyone, ALL, when=when)


def decides(db: Session, owner: Any, when: Condition, verb=UPDATE, *, also_in_sql=True) -> bool:
    """The decision, which after a flush must be what SQL says of the row."""
    policy = policy_for(type(owner), when)
    known = len(db.new), len(db.dirty)
    allowed = policy.decide(NOBODY, verb, owner, session=db).allowed
    assert len(db.new) == known[0]
    if also_in_sql:
        now = policy.explain(NOBODY, verb, owner, session=db).holds
        db.add(owner)
        db.flush()
        db.expire_all()
        key = sa.inspect(owner).identity
        rows = db.scalars(policy.filter(sa.select(type(owner)), NOBODY)).all()
        assert (key in [sa.inspect(row).identity for row in rows]) is now
    return allowed


not_archived = ~(attr("event.state") == "archived")
is_open = attr("event.state") == "open"


# --- new objects ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_id", "allowed"), [(1, True), (2, False), (None, True)], ids=["open", "archived", "none"]
)
@pytest.mark.parametrize("by", ["key", "relationship", "collection"])
def test_a_draft_has_the_parent_that_it_names(db: Session, event_id, allowed: bool, by: str):
    """By key, by relationship or in the parent's collection: no parent is looked past."""
    draft, event = Speaker(), event_id and db.get(Event, event_id)
    if by == "key":
        draft.event_id = event_id
    elif by == "relationship":
        draft.event = event
    elif event:
        with db.no_autoflush:
            event.speakers.append(draft)

    assert decides(db, draft, not_archived, CREATE) is allowed


@pytest.mark.parametrize("by", ["session", "being in it"])
def test_a_draft_finds_its_parent_in_a_session(db: Session, by: str):
    """In its own, or in the one that is given."""
    draft = Speaker(event_id=2)
    if by != "session":
        db.add(draft)
    given = db if by == "session" else None

    with recorded(db) as statements:
        assert not policy_for(Speaker, not_archived).decide(NOBODY, CREATE, draft, session=given)

    assert [statement.split()[0] for statement in statements] == ["SELECT"]


@pytest.mark.parametrize("when", [is_open, ~is_open, attr("event").is_null()])
def test_without_a_session_the_parent_is_unknown(when: Condition):
    """An error, and never "no parent"."""
    with pytest.raises(UnloadedObject, match="pass session="):
        policy_for(Speaker, when).decide(NOBODY, CREATE, Speaker(event_id=2))


def test_a_draft_that_names_nobody_has_no_parent():
    """No session is needed to know that."""
    assert policy_for(Speaker, attr("event").is_null()).decide(NOBODY, CREATE, Speaker(name="x"))
    assert policy_for(Booking, attr("room").is_null()).decide(NOBODY, CREATE, Booking(building=1))


def test_a_parent_that_is_not_there_is_none(db: Session):
    """As SQL says of such a row, where a database lets one be made."""
    draft = Speaker(event_id=99)

    assert not policy_for(Speaker, is_open).decide(NOBODY, CREATE, draft, session=db)
    assert policy_for(Speaker, not_archived).decide(NOBODY, CREATE, draft, session=db)


@pytest.mark.parametrize("by", ["key", "relationship"])
def test_an_unflushed_parent_counts(db: Session, by: str):
    """It is going to be there by the time the draft is."""
    parent = Event(id=77, state="archived")
    db.add(parent)
    draft = Speaker(event_id=77) if by == "key" else Speaker(event=parent)

    assert decides(db, draft, not_archived, CREATE) is False


def test_a_parent_counts_as_it_is_now(db: Session):
    """With its own unflushed changes."""
    db.get(Event, 1).state = "archived"

    assert decides(db, Speaker(event_id=1), not_archived, CREATE) is False


def test_the_relationship_wins_over_the_key(db: Session):
    """As it does in a flush, whatever was set first; None too."""
    archived = db.get(Event, 2)

    assert decides(db, Speaker(event_id=1, event=archived), not_archived, CREATE) is False
    assert decides(db, Speaker(event=archived, event_id=1), not_archived, CREATE) is False
    assert decides(db, Speaker(event=None, event_id=2), is_open, CREATE) is False


@pytest.mark.parametrize("given", [{}, {"kind": None}, {"kind": "plain"}])
def test_a_draft_has_its_defaults(db: Session, given: dict[str, Any]):
    """An INSERT puts them in place of None, too."""
    assert decides(db, Speaker(**given), attr("kind") == "plain", CREATE) is True
    assert decides(db, Speaker(**given), ~(attr("kind") == "plain"), CREATE) is False


@pytest.mark.parametrize("given", [{}, {"home_id": None}])
def test_a_draft_has_its_default_parent(db: Session, given: dict[str, Any]):
    """A key can have a default like any column."""
    assert decides(db, Speaker(**given), attr("home.state") == "archived", CREATE) is True


@pytest.mark.parametrize("name", ["made_on", "rank"])
@pytest.mark.parametrize("given", [False, True])
def test_a_default_that_is_not_known_is_an_error(name: str, given: bool):
    """A function's, or the server's; also when None is set, which an INSERT leaves out."""
    draft = Speaker(**({name: None} if given else {}))

    with pytest.raises(UnloadedObject, match=f"Speaker.{name} has a default that is not known yet"):
        policy_for(Speaker, attr(name).is_null()).decide(NOBODY, CREATE, draft)


def test_a_column_without_default_is_null():
    """Set or not."""
    for draft in (Speaker(), Speaker(name=None), Speaker(kind="x")):
        assert policy_for(Speaker, attr("name").is_null()).decide(NOBODY, CREATE, draft)


@pytest.mark.parametrize("key", ["2", "x", True, 2.0, 2**31, 2**63, 10**40, -(2**70)])
def test_a_key_that_nothing_can_have_denies(db: Session, caplog, key):
    """The database is not asked, so that it cannot fail; and no negation lets it in."""
    for when in (is_open, not_archived, attr("event").is_null()):
        draft = Speaker(event_id=key)
        assert not policy_for(Speaker, when).decide(NOBODY, CREATE, draft, session=db)
    assert "A check is denied: Speaker.event has a key that no Event can have." in caplog.text


@pytest.mark.parametrize("value", [3, b"x", True, "a\x00", ["x"]])
def test_a_value_of_a_wrong_type_denies(db: Session, caplog, value):
    """A database may make something else of it; of the parent's values, too."""
    draft = Speaker(name=value)
    child = Speaker(event=Event(state=value))
    for negated in (False, True):
        for owner, when in ((draft, attr("name") == "x"), (child, is_open)):
            policy = policy_for(Speaker, ~when if negated else when)
            assert not policy.decide(NOBODY, CREATE, owner, session=db)
            assert policy.visible_fields(NOBODY, owner)
    assert "A check is denied: Speaker.name " in caplog.text
    assert "A check is denied: Event.state " in caplog.text


def test_an_expression_for_a_value_denies(db: Session):
    """What ``state = upper(name)`` comes to, only the database knows."""
    speaker = db.get(Speaker, 1)
    speaker.name = sa.func.upper("x")

    assert not policy_for(Speaker, ~(attr("name") == "X")).decide(NOBODY, UPDATE, speaker)


def test_composite_and_other_keys_are_followed(db: Session):
    """All of a composite key, and keys that are not the primary one."""
    room, coded = attr("room.state") == "open", attr("coded.state") == "open"

    assert decides(db, Booking(building=1, number=1), room, CREATE) is True
    assert decides(db, Booking(building=1, number=2), room, CREATE) is False
    assert decides(db, Booking(building=1), ~room, CREATE) is True
    assert decides(db, Booking(code="a"), coded, CREATE) is True
    assert decides(db, Booking(code="b"), coded, CREATE) is False
    db.add(Room(building=9, number=9, code="new", state="archived"))
    assert decides(db, Booking(code="new"), attr("coded.state") == "archived", CREATE)


def test_a_relationship_of_its_own_join_is_followed_by_it(db: Session):
    """An event that is marked as gone is no parent, though a row has its key."""
    kept = attr("kept_event.state") == "open"

    assert decides(db, Speaker(event_id=1), kept, CREATE) is True
    assert decides(db, Speaker(event_id=3), kept, CREATE) is False
    assert decides(db, Speaker(), kept, CREATE) is False


def test_a_view_only_relationship_writes_nothing(db: Session):
    """Setting it changes no key, so it decides nothing either."""
    draft = Speaker(event_id=2, seen_event=db.get(Event, 1))

    assert decides(db, draft, attr("seen_event.state") == "open", CREATE) is False
    assert draft.event_id == 2


def test_a_draft_has_what_is_put_into_it(db: Session):
    """Collections of every kind; what is not there is empty, the one of one-to-one too."""
    bad = attr("text") == "bad"
    event = Event(speakers=[Speaker(name="a")])
    event.notes.add(Note(text="bad"))
    event.live_notes.append(Note(text="bad"))

    assert policy_for(Event, attr("speakers").any(attr("name") == "a")).decide(
        NOBODY, CREATE, event
    )
    assert policy_for(Event, attr("notes").any(bad)).decide(NOBODY, CREATE, event)
    assert policy_for(Event, attr("live_notes").any(bad)).decide(NOBODY, CREATE, event)
    assert not policy_for(Event, attr("notes").any(bad)).decide(NOBODY, CREATE, Event())
    assert policy_for(Event, ~attr("speakers").any(attr("name") == "a")).decide(
        NOBODY, CREATE, Event()
    )
    assert policy_for(Speaker, attr("page").is_null()).decide(NOBODY, CREATE, Speaker())
    paged = Speaker(page=Page(text="a"))
    assert policy_for(Speaker, attr("page.text") == "a").decide(NOBODY, CREATE, paged)


def test_a_dataclass_is_a_draft_like_any(db: Session):
    """What its constructor sets for what was not given hides neither key nor default."""
    # Beside a relationship that the constructor set to None, SQLAlchemy 2.0 stores no key.
    has_key = not sa.__version__.startswith("2.0.")
    assert decides(db, Ticket(event_id=2), not_archived, CREATE) is not has_key
    assert decides(db, Ticket(event_id=1), is_open, CREATE) is has_key
    assert decides(db, Ticket(), attr("state") == "void", CREATE) is True


# --- changed objects -----------------------------------------------------------------------------


@pytest.mark.parametrize(("speaker", "to"), [(1, 2), (2, 1)], ids=["into", "out of"])
@pytest.mark.parametrize("by", ["key", "relationship", "collection"])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_both_parents_of_a_move_decide(
    db: Session, speaker: int, to: int, by: str, is_loaded: bool
):
    """By key or relationship, whether or not the old parent was loaded; from either side."""
    moved, event = db.get(Speaker, speaker), db.get(Event, to)
    if is_loaded:
        _ = moved.event
    if by == "key":
        moved.event_id = to
    elif by == "relationship":
        moved.event = event
    else:
        with db.no_autoflush:
            event.speakers.append(moved)

    assert decides(db, moved, not_archived) is False


@pytest.mark.parametrize("by", ["key", "relationship", "both", "nothing"])
def test_a_move_between_open_events_is_allowed(db: Session, by: str):
    """As is one to no event at all."""
    moved = db.get(Speaker, 1)
    if by in ("key", "both"):
        moved.event_id = 4
    if by in ("relationship", "both"):
        moved.event = db.get(Event, 4)
    if by == "nothing":
        moved.event = None

    assert decides(db, moved, not_archived) is True
    assert db.get(Speaker, 1).event_id == (None if by == "nothing" else 4)


@pytest.mark.parametrize("delete", [False, True])
def test_leaving_a_parent_is_a_change_of_both(db: Session, delete: bool):
    """Set to None or deleted: who may not touch what is there may not take it away."""
    moved = db.get(Speaker, 2)
    _ = moved.event
    if delete:
        del moved.event
    else:
        moved.event = None

    assert decides(db, moved, not_archived) is False
    assert db.get(Speaker, 2).event_id is None


def test_setting_the_same_parent_again_is_no_move(db: Session):
    """A flush goes by the key then, and so does the decision."""
    moved = db.get(Speaker, 1)
    moved.event = moved.event
    moved.event_id = 2

    assert decides(db, moved, not_archived) is False
    assert db.get(Speaker, 1).event_id == 2


def test_a_value_is_decided_before_and_after(db: Session):
    """Neither may one become what is allowed, nor stop being what is not."""
    when = attr("name") == "one"
    other, own = db.get(Speaker, 2), db.get(Speaker, 1)
    other.name = "one"
    own.name = "two"

    assert decides(db, other, when, also_in_sql=False) is False
    assert decides(db, own, when) is False


@pytest.mark.parametrize(
    ("change", "stamp"),
    [
        ({"name": "other"}, "changed"),
        ({"name": "other", "stamp": "new"}, "changed"),  # what it was already is not written
        ({"name": "other", "stamp": "given"}, "given"),
        ({"name": "one"}, "new"),
        ({"event_id": 4}, "changed"),
    ],
    ids=str,
)
def test_a_change_brings_what_an_update_sets(db: Session, change: dict[str, Any], stamp: str):
    """Before it the attribute is what it was, after it what is stored."""
    speaker = db.get_one(Speaker, 1)
    for name, value in change.items():
        setattr(speaker, name, value)
    before_and_after = attr("stamp").in_({"new", stamp})

    assert policy_for(Speaker, before_and_after).decide(NOBODY, UPDATE, speaker)
    assert policy_for(Speaker, attr("stamp") == "new").decide(NOBODY, UPDATE, speaker).allowed is (
        stamp == "new"
    )
    db.flush()
    db.refresh(speaker)
    assert speaker.stamp == stamp


def test_what_an_update_sets_by_a_function_is_not_known(db: Session):
    """So nothing is decided by it, until it is set or stored."""
    speaker, no_date = db.get_one(Speaker, 1), policy_for(Speaker, attr("changed_on").is_null())
    speaker.name = "other"
    with pytest.raises(UnloadedObject, match=r"Speaker\.changed_on has a default that is"):
        no_date.decide(NOBODY, UPDATE, speaker)
    speaker.changed_on = dt.date(2026, 1, 1)
    assert no_date.decide(NOBODY, UPDATE, speaker).allowed is False


@pytest.mark.parametrize("verb", [UPDATE, DELETE, Verb("PUBLISH")], ids=str)
def test_a_changed_relative_decides_as_it_was_and_is(db: Session, verb: Verb):
    """Nobody gets in by changing the parent first, nor stays who just was put out."""
    for now in ("open", "archived"):
        event = db.get_one(Event, 2 if now == "open" else 1)
        speaker = db.get_one(Speaker, event.id)
        event.state = now
        decision = policy_for(Speaker, is_open).decide(NOBODY, verb, speaker)
        assert not decision.allowed
        assert decision.visible is (now == "archived")  # as it was before
        event.state = "open"
        db.flush()
        assert policy_for(Speaker, is_open).decide(NOBODY, verb, speaker)


@pytest.mark.parametrize("verb", [VIEW, LIST], ids=str)
def test_what_only_reads_goes_by_changed_relatives_as_they_are(db: Session, verb: Verb):
    """A reader sees what the change makes of the object, whatever it was before."""
    speaker = db.get_one(Speaker, 2)
    speaker.event.state = "open"

    assert policy_for(Speaker, is_open).decide(NOBODY, verb, speaker)
    assert not policy_for(Speaker, is_open).decide(NOBODY, UPDATE, speaker)


@pytest.mark.parametrize("verb", [UPDATE, DELETE, VIEW], ids=str)
def test_a_draft_is_not_visible_to_whom_it_is_denied(db: Session, verb: Verb):
    """Only who may not CREATE one learns so, as there is nothing yet that could be hidden."""
    draft = Speaker(event_id=2, name="new")
    db.add(draft)

    decision = policy_for(Speaker, is_open).decide(NOBODY, verb, draft)
    assert (decision.allowed, decision.visible) == (False, False)
    created = policy_for(Speaker, is_open).decide(NOBODY, CREATE, draft)
    assert (created.allowed, created.visible) == (False, True)


def test_what_was_not_changed_decides_as_it_is(db: Session):
    """Parents and collections beside a value that changed; a child that is moved by its key."""
    speaker, event, page = db.get(Speaker, 1), db.get(Event, 1), Page(id=1, speaker_id=1)
    db.add(page)
    db.flush()
    speaker.name, event.owner_id, page.text = "new", 3, "x"
    has_one = attr("speakers").any(attr("id") == 1)

    assert policy_for(Speaker, is_open).decide(NOBODY, UPDATE, speaker)
    assert policy_for(Event, has_one).decide(NOBODY, UPDATE, event)
    assert policy_for(Page, attr("speaker.event.state") == "open").decide(NOBODY, UPDATE, page)


def test_a_relationship_from_the_other_side_has_a_former_object(db: Session):
    """One-to-one, taken away or put in place of another; and none before."""
    speaker = db.get(Speaker, 1)
    db.add(Page(id=2, speaker_id=1, text="old"))
    db.flush()
    speaker.page = Page(text="new")
    old, new = attr("page.text") == "old", attr("page.text") == "new"

    assert not policy_for(Speaker, new).decide(NOBODY, UPDATE, speaker)
    assert not policy_for(Speaker, old).decide(NOBODY, UPDATE, speaker)
    assert policy_for(Speaker, new | old).decide(NOBODY, UPDATE, speaker)
    other = db.get(Speaker, 2)
    other.page = Page(text="new")
    assert policy_for(Speaker, new | attr("page").is_null()).decide(NOBODY, UPDATE, other)
    assert not policy_for(Speaker, new).decide(NOBODY, UPDATE, other)


def test_a_denied_change_says_why_and_what_was_visible(db: Session):
    """By what the object was before: a change cannot make it visible to who changes it."""
    policy = Policy(Speaker).allow(everyone, VIEW, when=attr("name") == "one")
    other, own = db.get(Speaker, 2), db.get(Speaker, 1)
    other.name, own.name = "one", "two"

    assert policy.decide(NOBODY, UPDATE, other).visible is False
    assert policy.decide(NOBODY, UPDATE, own).visible is True
    denied = (
        Policy(Speaker)
        .allow(everyone, UPDATE, when=attr("name") == "one")
        .decide(NOBODY, UPDATE, other)
    )
    assert denied.reason == "name == 'one'"
    assert "found 'two'" in str(denied.explanation)


def test_what_was_is_unknown_once_it_is_overwritten_unread(db: Session):
    """After an expiry nothing remembers it: an error that says to check before."""
    speaker = db.get(Speaker, 1)
    db.expire(speaker)
    speaker.name = "new"

    with pytest.raises(UnloadedObject, match="changed before it was loaded"):
        policy_for(Speaker, attr("name") == "new").decide(NOBODY, UPDATE, speaker)


def test_a_moved_join_of_its_own_was_what_the_row_says(db: Session):
    """The row still has the former key, by which the join finds the former object."""
    speaker = db.get(Speaker, 1)
    was = db.scalar(sa.select(Event.state).where(Event.id == speaker.event_id))
    speaker.event_id = 4
    policy = policy_for(Speaker, attr("kept_event.state") == "open")

    assert policy.explain(NOBODY, UPDATE, speaker).holds
    assert bool(policy.decide(NOBODY, UPDATE, speaker)) is (was == "open")
    db.expunge(speaker)
    with pytest.raises(UnloadedObject, match=r"given by its key only|changed before"):
        policy.decide(NOBODY, UPDATE, speaker)


@pytest.mark.parametrize("by", ["append", "remove"])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_collection_is_decided_before_and_after(db: Session, by: str, is_loaded: bool):
    """What is put in counts after, what is taken out counts before."""
    event = db.get(Event, 1)
    if is_loaded:
        _ = event.speakers
    with db.no_autoflush:
        if by == "append":
            db.get(Speaker, 2).event = event
        else:
            event.speakers.remove(db.get(Speaker, 1))
    has_both = attr("speakers").any(attr("name") == "one")

    assert decides(db, event, has_both) is (by == "append")
    assert decides(db, event, ~attr("speakers").any(attr("name") == "two")) is (by == "remove")


@pytest.mark.parametrize("name", ["notes", "live_notes"])
def test_collections_that_are_never_loaded_are_decided_too(db: Session, name: str):
    """By what the database has and what was added or removed since, without a flush."""
    bad = attr(name).any(attr("text") == "bad")
    good = attr(name).any(attr("text") == "good")
    event, note = db.get(Event, 1), db.get(Note, 1)
    collection = getattr(event, name)
    assert policy_for(Event, bad).decide(NOBODY, VIEW, event)
    added = Note(text="good")
    (collection.add if name == "notes" else collection.append)(added)
    collection.remove(note)

    with recorded(db) as statements:
        assert policy_for(Event, bad).explain(NOBODY, UPDATE, event).holds is False
        assert policy_for(Event, good).explain(NOBODY, UPDATE, event).holds is True
        assert not policy_for(Event, bad).decide(NOBODY, UPDATE, event)
        assert not policy_for(Event, good).decide(NOBODY, UPDATE, event)
        assert policy_for(Event, bad | good).decide(NOBODY, UPDATE, event)

    assert {statement.split()[0] for statement in statements} == {"SELECT"}
    db.expunge_all()
    with pytest.raises(UnloadedObject):
        policy_for(Event, bad).decide(NOBODY, VIEW, event)


def test_a_detached_object_is_no_draft(db: Session):
    """What it was before its changes counts, in a session that is given."""
    moved = db.get(Speaker, 2)
    db.expunge(moved)
    moved.event_id = 1
    policy = policy_for(Speaker, not_archived)

    assert not policy.decide(NOBODY, UPDATE, moved, session=db)
    assert not policy.decide(NOBODY, VIEW, moved, session=db).visible
    with pytest.raises(UnloadedObject):
        policy.decide(NOBODY, UPDATE, moved)


@pytest.mark.parametrize("by", ["flush", "expiry of the key", "another's change"])
def test_a_stale_parent_is_noticed(db: Session, by: str):
    """A loaded parent that is not the key's any more is not believed."""
    moved = db.get(Speaker, 1)
    assert moved.event is db.get(Event, 1)
    if by == "flush":
        moved.event_id = 2
        db.flush()
    else:
        db.execute(sa.text("UPDATE speaker SET event_id = 2 WHERE id = 1"))
        db.expire(moved, ["event_id"])
        if by == "another's change":
            _ = moved.event_id

    assert moved.__dict__["event"].id == 1
    assert not policy_for(Speaker, not_archived).decide(NOBODY, UPDATE, moved)
    assert not policy_for(Speaker, is_open).decide(NOBODY, VIEW, moved)


def test_after_a_flush_only_the_new_state_is_known(db: Session):
    """The check belongs before it."""
    moved = db.get(Speaker, 2)
    moved.event_id = 1
    assert not policy_for(Speaker, not_archived).decide(NOBODY, UPDATE, moved)
    db.flush()

    assert policy_for(Speaker, not_archived).decide(NOBODY, UPDATE, moved)


def test_a_decision_sends_no_change(db: Session):
    """Not for a new parent, an expired one, or one found by key: only SELECTs are sent."""
    speaker, event = db.get(Speaker, 1), db.get(Event, 4)
    db.add(Note(text="waiting"))
    with db.no_autoflush:
        speaker.event = event
    db.expire(event)
    draft = Speaker(event_id=2)
    db.add(draft)

    with recorded(db) as statements:
        policy_for(Speaker, not_archived).decide(NOBODY, UPDATE, speaker)
        policy_for(Speaker, not_archived).decide(NOBODY, CREATE, draft)

    assert {statement.split()[0] for statement in statements} == {"SELECT"}
    assert len(db.new) == 2


def test_a_parent_that_is_new_itself_has_no_key_yet(db: Session):
    """The child's key waits for the flush, and the parent decides."""
    archived, open_ = Event(state="archived"), Event(state="open")

    assert decides(db, Speaker(event=archived), not_archived, CREATE) is False
    moved = db.get(Speaker, 1)
    moved.event = open_
    assert decides(db, moved, not_archived) is True
    assert moved.event_id == open_.id


def test_a_grandparent_is_followed_through_a_changed_parent(db: Session):
    """Each on the way as a flush is going to write it."""
    page = Page(speaker=db.get(Speaker, 1))
    with db.no_autoflush:
        page.speaker.event = page.speaker.event
        page.speaker.event_id = 2
    when = ~(attr("speaker.event.state") == "archived")
    assert decides(db, page, when, CREATE) is False

    other = Page(speaker=db.get(Speaker, 2))
    del other.speaker.event
    assert decides(db, other, when, CREATE, also_in_sql=False) is True


def test_fields_of_a_draft_are_found_like_decisions(db: Session):
    """With the session that is given."""
    policy = (
        policy_for(Speaker, is_open).hide("name", unless=is_open).readonly("kind", unless=is_open)
    )
    draft = Speaker(event_id=2)

    assert "name" not in policy.visible_fields(NOBODY, draft, session=db)
    assert "kind" not in policy.writable_fields(NOBODY, draft, session=db)
    with pytest.raises(UnloadedObject):
        policy.visible_fields(NOBODY, draft)


def test_callers_of_a_wrong_type_may_create_nothing(db: Session):
    """Nor change anything."""
    policy = policy_for(Event, ~(attr("owner_id") == caller.account_id))

    assert policy.decide(Who(1), CREATE, Event(owner_id=2))
    assert not policy.decide(Who("1"), CREATE, Event(owner_id=2))
    event = db.get(Event, 1)
    event.owner_id = 5
    assert not policy.decide(Who("1"), UPDATE, event)
