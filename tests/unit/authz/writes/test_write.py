"""`write`: one object created, changed or deleted, decided before and after."""

import pickle

import pytest
import sqlalchemy as sa
from flask import request
from tests.unit.authz.writes.library import BEN, Atlas, Base, Book, Seat, Shelf
from tests.unit.authz.writes.small import Small

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    UPDATE,
    VIEW,
    Policy,
    Verb,
    attr,
    caller,
    predicate,
    registered,
    with_object,
    write,
)
from licet.errors import (
    AccessDenied,
    InvalidCondition,
    InvalidRequest,
    ObjectNotFound,
    UnguardedWrite,
    UntranslatableCondition,
    UsageError,
)


def test_a_change_is_committed(library):
    """What the caller may do is committed when the block ends."""
    with library.asked_by("ann"), write(library.books, UPDATE, library.book(1)) as change:
        change.apply({"title": "new", "shelf_id": 3})
    assert library.rows()[0] == (1, 3, "ann", "new")


def test_a_change_that_takes_the_right_away_is_refused_and_rolled_back(library):
    """A row is decided as it was written, so it cannot be given to where the caller has no say."""
    with library.asked_by("ben"), pytest.raises(AccessDenied):
        with write(library.books, UPDATE, library.book(2)):
            library.book(2).owner = "ann"
            library.book(2).shelf_id = 1
    assert library.rows()[1] == (2, 2, "ben", "Non licet")


def test_a_hidden_object_is_not_found(library):
    """Who may not see the object is answered as if there were none, before the block runs."""
    with library.asked_by("ann"), pytest.raises(ObjectNotFound):
        with write(library.books, UPDATE, library.book(2)):
            pytest.fail("the block ran")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"colour": 1, "title": "x"}, "Unknown fields: colour."),
        ({"owner": "ben", "id": 9}, "Fields that may not be written: id, owner."),
        ({"shelf": 2}, "Fields that are set by the key of the related object: shelf."),
        ({"nope": 1, "owner": "ben"}, "Unknown fields: nope. Fields that may not be"),
        (["title"], "a JSON object"),
        (None, "a JSON object"),
    ],
)
def test_fields_that_may_not_be_set_are_named(library, fields, told):
    """422 names unknown and refused fields, and nothing is set."""
    with library.asked_by("ann"), pytest.raises(InvalidRequest, match=told):
        with write(library.books, UPDATE, library.book(1)) as change:
            change.apply(fields)
    assert library.rows()[0] == (1, 1, "ann", "Licet")


class TestRulesOfFields:
    """A field is written where its rule lets the caller write it before and after the change."""

    @pytest.fixture
    def shelves(self, library):
        """Everybody changes shelves; their curators alone say that a shelf is open, or lend it."""
        mine = attr("curator") == caller.principal
        policy = Policy(Shelf, name="shelves").allow(registered, ALL)
        return policy.readonly("id").readonly("is_open", "room", unless=mine)

    @pytest.fixture
    def change(self, library, shelves):
        """Ann changes a shelf by a body."""

        def change(shelf, *bodies, verb=UPDATE):
            owner = Shelf() if shelf is None else library.session.get(Shelf, shelf)
            with library.asked_by("ann"), write(shelves, verb, owner) as block:
                for body in bodies:
                    block.apply(body)
            library.session.rollback()
            return owner.curator, owner.is_open

        return change

    def test_where_both_allow(self, change):
        """What the caller may write before and after is written."""
        assert change(1, {"is_open": True, "room": "A"}) == ("ann", True)
        assert change(1, {"curator": "ben"}) == ("ben", True)  # under no rule

    @pytest.mark.parametrize(
        ("shelf", "bodies"),
        [
            (2, [{"is_open": True}]),
            (2, [{"curator": "ann", "is_open": True}]),
            (2, [{"curator": "ann"}, {"is_open": True}]),  # as it was when the block began
            (1, [{"curator": "ben", "is_open": True}]),
            (1, [{"is_open": True}, {"curator": "ben"}]),
        ],
    )
    def test_where_one_does_not(self, library, change, shelf, bodies):
        """Neither does a takeover give the field, nor is it set of what is given away."""
        with pytest.raises(InvalidRequest, match=r"Fields that may not be written[^:]*: is_open"):
            change(shelf, *bodies)
        assert not library.session.get(Shelf, shelf).is_open

    def test_of_a_new_object(self, library, change):
        """A draft is asked as it was written; what is always refused is told at once."""
        assert change(None, {"curator": "ann", "is_open": True}, verb=CREATE) == ("ann", True)
        assert change(None, {"is_open": True, "curator": "ann"}, verb=CREATE) == ("ann", True)
        assert change(None, {"curator": "ben"}, verb=CREATE) == ("ben", False)
        with pytest.raises(InvalidRequest, match="new state: is_open, room"):
            change(None, {"curator": "ben", "is_open": True, "room": "A"}, verb=CREATE)
        with pytest.raises(InvalidRequest, match="written: id"):
            change(None, {"id": 9, "curator": "ann"}, verb=CREATE)

    def test_of_a_block_in_a_block(self, library, shelves):
        """The fields of each are asked when the outermost ends."""
        shelf, other = (library.session.get(Shelf, key) for key in (1, 3))
        with library.asked_by("ann"), pytest.raises(InvalidRequest, match="is_open"):
            with write(shelves, UPDATE, other):
                with write(shelves, UPDATE, shelf) as change:
                    change.apply({"is_open": True})
                shelf.curator = "ben"
        assert not library.session.get(Shelf, 1).is_open

    def test_a_trigger_counts(self, library, change):
        """The rule is asked of the row that the database made."""
        with library.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER gift AFTER UPDATE OF room ON shelf "
                "BEGIN UPDATE shelf SET curator = 'ben' WHERE id = NEW.id; END"
            )
        with pytest.raises(InvalidRequest, match="room"):
            change(1, {"room": "A"})


def test_the_answer_to_fields_that_may_not_be_set_is_422(library):
    """Over HTTP the refused fields are named, too."""

    @library.app.patch("/books/<int:book_id>")
    @with_object(library.books, UPDATE, "book_id")
    def change(book):
        with write(library.books, UPDATE, book) as block:
            block.apply(request.json)
        return {}

    client = library.app.test_client()
    for body in ({"owner": "ben"}, {"colour": 1}, ["title"]):
        answer = client.patch("/books/1", json=body)
        assert answer.status_code == 422
        assert all(name in answer.text for name in body if name != "title")
    assert client.patch("/books/1", json={"title": "new"}).status_code == 200
    assert client.patch("/books/2", json={"title": "new"}).status_code == 404


def test_create_decides_the_row_as_written(library):
    """The server's default makes ben the owner, so ann must have the shelf."""
    with library.asked_by("ann"):
        with write(library.books, CREATE, Book()) as change:
            change.apply({"title": "hers", "shelf_id": 1})
        with pytest.raises(AccessDenied), write(library.books, CREATE, Book()) as change:
            change.apply({"title": "his", "shelf_id": 2})
        with pytest.raises(AccessDenied), write(library.books, CREATE, Book(owner=None)):
            pass
    with library.asked_by("ben"), write(library.books, CREATE, Book(title="his, too")):
        pass
    assert [row[3] for row in library.rows()[2:]] == ["hers", "his, too"]


def test_delete_deletes(library):
    """The object is deleted when the block ends, and other rows are decided, too."""
    with library.asked_by("ann"):
        with write(library.books, DELETE, library.book(1)):
            pass
        with pytest.raises(ObjectNotFound), write(library.books, DELETE, library.book(2)):
            pass
    assert [row[0] for row in library.rows()] == [2]


def test_a_block_fits_what_there_is(library):
    """A stored row is not made, and a draft is not changed; the error says which it is."""
    with library.asked_by("ann"):
        with pytest.raises(InvalidCondition, match="a Book that is stored already"):
            write(library.books, CREATE, library.book(1)).__enter__()
        with pytest.raises(InvalidCondition, match="a Book that is a draft"):
            write(library.books, UPDATE, Book(owner="ann")).__enter__()


def test_other_rows_of_the_block_are_decided(library):
    """What the block writes beside its object is refused with it."""
    with library.asked_by("ann"), pytest.raises(ObjectNotFound):
        with write(library.books, UPDATE, library.book(1)) as change:
            change.apply({"title": "mine"})
            library.book(2).title = "mine, too"
    assert [row[3] for row in library.rows()] == ["Licet", "Non licet"]


def test_an_autoflush_in_the_middle_is_not_decided(library):
    """Only the end counts: a state in between may be one that the caller has no say about."""
    with library.asked_by("ann"), write(library.books, UPDATE, library.book(1)):
        book = library.book(1)
        book.owner, book.shelf_id = "ben", 2
        library.session.scalars(sa.select(Book)).all()
        book.shelf_id = 3
    assert library.rows()[0] == (1, 3, "ben", "Licet")


def test_a_takeover_by_an_intermediate_state_is_refused(library):
    """The state before is that of the transaction's begin, whatever was flushed since."""
    session = library.session
    with library.asked_by("ann"), pytest.raises(ObjectNotFound):
        with write(library.books, UPDATE, library.book(1)):
            shelf = session.get(Shelf, 2)
            shelf.curator = "ann"
            session.flush()
            library.book(2).title = "taken"
            session.flush()
            shelf.curator = "ben"
    assert library.rows()[1] == (2, 2, "ben", "Non licet")


def test_an_error_in_the_block_rolls_back(library):
    """Nothing of a block is committed that does not end."""
    with library.asked_by("ann"), pytest.raises(ZeroDivisionError):
        with write(library.books, UPDATE, library.book(1)) as change:
            change.apply({"title": "new"})
            library.session.flush()
            raise ZeroDivisionError
    assert library.rows()[0][3] == "Licet"


def test_a_block_in_a_block_ends_with_it(library):
    """The outermost block decides and commits, so both are done or none."""
    with library.asked_by("ann"):
        with pytest.raises(AccessDenied), write(library.books, UPDATE, library.book(1)) as change:
            change.apply({"title": "new"})
            with write(library.books, CREATE, Book(title="made", shelf_id=2)):
                pass
        with write(library.books, UPDATE, library.book(1)) as change:
            change.apply({"title": "new"})
            with write(library.books, CREATE, Book(title="made", shelf_id=1)):
                pass
    assert [row[3] for row in library.rows()] == ["new", "Non licet", "made"]


def test_without_commit_the_block_only_decides(library):
    """With commit=False the transaction stays the program's."""
    with library.asked_by("ann"):
        with write(library.books, UPDATE, library.book(1), commit=False) as change:
            change.apply({"title": "new"})
        library.session.rollback()
        with pytest.raises(AccessDenied):
            with write(library.books, UPDATE, library.book(1), commit=False):
                library.book(1).owner = library.book(1).shelf_id = None
                library.book(1).owner = "ben"
    assert library.rows()[0][3] == "Licet"


class TestBeforeCommit:
    """`Change.before_commit`: what is done when all is decided."""

    def test_it_sees_what_is_committed(self, library):
        """Everything is flushed, by whichever block it was written."""
        seen = []
        with library.asked_by("ann"), write(library.books, UPDATE, library.book(1)) as change:
            change.before_commit(lambda: seen.append(library.session.scalar(sa.select(Book.title))))
            with write(library.books, CREATE, Book(shelf_id=1, owner="ann")) as inner:
                inner.before_commit(lambda: seen.append(inner.object.id))
            assert seen == []
            change.apply({"title": "new"})
        assert seen == ["new", 3]

    def test_what_it_raises_takes_the_change_back(self, library):
        """Nothing of the block is committed."""
        with library.asked_by("ann"), pytest.raises(ZeroDivisionError):
            with write(library.books, UPDATE, library.book(1)) as change:
                change.apply({"title": "new"})
                change.before_commit(lambda: 1 / 0)
        assert library.rows()[0] == (1, 1, "ann", "Licet")

    def test_a_refused_change_has_none(self, library):
        """It is not called for what is not done."""
        with library.asked_by("ben"), pytest.raises(AccessDenied):
            with write(library.books, UPDATE, library.book(2)) as change:
                library.book(2).shelf_id, library.book(2).owner = 1, "ann"
                change.before_commit(lambda: pytest.fail("it was called"))

    def test_what_it_writes_is_decided(self, library):
        """A change of another's row takes the rest back as well."""
        with library.asked_by("ann"), pytest.raises(ObjectNotFound):
            with write(library.books, UPDATE, library.book(1)) as change:
                change.before_commit(lambda: setattr(library.book(2), "title", "taken"))
        assert library.rows()[1] == (2, 2, "ben", "Non licet")


def test_an_own_verb_stands_for_update(library):
    """A verb of the app's own is asked before and after instead of UPDATE."""
    seat = library.session.get(Seat, (1, "a"))
    with library.asked_by("ann"), pytest.raises(AccessDenied):
        with write(library.seats, Verb("RESERVE"), seat):
            pass


def test_a_composite_key_is_found_again(library):
    """Rows are told by all columns of their primary key."""
    seat = library.session.get(Seat, (1, "a"))
    with library.asked_by("ann"), pytest.raises(AccessDenied):
        with write(library.seats, UPDATE, seat):
            seat.owner = "ben"
    with library.asked_by("ann"), write(library.seats, DELETE, library.session.get(Seat, (1, "a"))):
        pass
    assert library.session.get(Seat, (1, "a")) is None


def test_a_subclass_with_a_table_of_its_own_is_decided_by_the_policy_of_its_base(library):
    """A row of two tables is one row."""
    with library.asked_by("ann"):
        with write(library.books, CREATE, Atlas(scale=5, shelf_id=1)) as change:
            pass
        atlas = change.object
        with write(library.books, UPDATE, atlas):
            atlas.scale = 6
        with pytest.raises(AccessDenied), write(library.books, UPDATE, atlas):
            atlas.scale, atlas.shelf_id = 7, 2
        assert atlas.scale == 6
        with write(library.books, DELETE, atlas):
            pass
    assert len(library.rows()) == 2


def test_a_changed_primary_key_is_a_deletion_and_a_creation(library):
    """The caller must be allowed both."""
    seat = library.session.get(Seat, (1, "a"))
    with library.asked_by("ann"), pytest.raises(AccessDenied):  # seats cannot be created
        with write(library.seats, UPDATE, seat):
            seat.number = "b"


@pytest.mark.parametrize(
    ("verb", "make"),
    [
        (VIEW, lambda library: library.book(1)),
        (CREATE, lambda library: library.book(1)),
        (UPDATE, lambda library: Book()),
        (UPDATE, lambda library: library.session.get(Shelf, 1)),
        (UPDATE | DELETE, lambda library: library.book(1)),
    ],
)
def test_a_block_must_make_sense(library, verb, make):
    """A verb that only reads, or that does not fit the object, is the program's mistake."""
    with library.asked_by("ann"), pytest.raises(InvalidCondition):
        with write(library.books, verb, make(library)):
            pass


def test_a_python_function_cannot_decide_about_a_write(library):
    """SQL decides about rows as written, and cannot call Python."""
    policy = Policy(Shelf).allow(registered, UPDATE, when=predicate(lambda *_: True))
    with library.asked_by("ann"), pytest.raises(UntranslatableCondition, match="Shelf"):
        with write(policy, UPDATE, library.session.get(Shelf, 1)):
            pass


def test_what_was_flushed_before_an_unguarded_block_is_refused(library):
    """Nothing tells what the object was, so the block does not begin."""
    with library.asked_by("ann"), pytest.raises(UsageError, match="changed and flushed"):
        library.book(2).owner = "ann"
        library.session.flush()
        with write(library.books, UPDATE, library.book(2)):
            pass


def test_the_caller_can_be_given(library):
    """`identity` asks for somebody else than the current caller."""
    with library.asked_by("ann"), write(library.books, UPDATE, library.book(2), identity=BEN) as c:
        c.apply({"title": "his"})
    assert library.rows()[1][3] == "his"


def test_changes_before_the_block_are_decided_for_their_own_caller(guarded):
    """What ann flushed is neither ben's, whose block follows, nor goes without a question."""
    with guarded.asked_by("ann"):
        guarded.book(1).shelf_id = 2
        guarded.session.flush()
        with write(guarded.books, UPDATE, guarded.book(2), identity=BEN):
            pass
        guarded.book(2).owner = "ann"
        with pytest.raises(ObjectNotFound), write(guarded.books, UPDATE, guarded.book(2)):
            pytest.fail("the block ran")
        guarded.book(2).owner = "ann"
        with pytest.raises(ObjectNotFound):
            with write(guarded.books, UPDATE, guarded.book(2), identity=BEN):
                pytest.fail("the block ran")
    assert guarded.rows()[0] == (1, 2, "ann", "Licet")
    assert guarded.rows()[1][2] == "ben"


@pytest.mark.parametrize("leave", ["expunge", "close", "pickle"])
def test_an_object_of_no_session_is_refused(library, leave):
    """Its changes would never be written."""
    book = library.book(1)
    if leave == "pickle":
        book = pickle.loads(pickle.dumps(book))
    elif leave == "expunge":
        library.session.expunge(book)
    else:
        library.session.close()
    with library.asked_by("ann"), pytest.raises(InvalidCondition, match="in no session"):
        with write(library.books, UPDATE, book):
            pass


def test_an_object_that_was_merged_is_decided_by_its_row(library):
    """What a pickled object says of itself gives no rights."""
    book = library.book(2)
    book.owner = "ann"
    stale = pickle.loads(pickle.dumps(book))
    library.session.rollback()
    library.session.expunge_all()
    sa.inspect(stale)._commit_all(sa.inspect(stale).dict)
    with library.asked_by("ann"), pytest.raises(ObjectNotFound):
        with write(library.books, UPDATE, library.session.merge(stale, load=False)) as change:
            change.apply({"title": "taken"})
    assert library.rows()[1] == (2, 2, "ben", "Non licet")


def test_statements_in_a_block_are_refused(library):
    """Within a block no statement writes a guarded table unasked."""
    with library.asked_by("ann"), pytest.raises(UnguardedWrite, match="book"):
        with write(library.books, UPDATE, library.book(1)):
            library.session.execute(sa.update(Book).values(owner="ann"))
    assert library.rows()[1][2] == "ben"


def test_the_reason_is_logged(library, caplog):
    """The log says that the state after the change was denied."""
    caplog.set_level("INFO", "licet.authz.decisions")
    with library.asked_by("ann"), pytest.raises(AccessDenied):
        with write(library.books, CREATE, Book(title="x", shelf_id=2)):
            pass
    (record,) = [one for one in caplog.records if one.name == "licet.authz.decisions"]
    assert record.licet["reason"] == "CREATE is denied as it was written"
    assert record.licet["resource"].startswith("books:")


def test_a_deletion_may_be_flushed_by_its_block(library):
    """What follows the deletion, and belongs to it, comes before the decision and the commit."""
    with (
        library.asked_by("ann") as session,
        write(library.books, DELETE, library.book(1)) as change,
    ):
        session.delete(change.object)
        session.flush()
        session.add(Book(id=9, shelf_id=1, owner="ann"))
    assert [row[0] for row in library.rows()] == [2, 9]


@pytest.mark.parametrize(("may", "outcome"), [(DELETE, "done"), (UPDATE, "AccessDenied")])
def test_a_soft_deletion_is_decided_as_a_deletion(may, outcome):
    """With `keeps` the object is changed, and DELETE is asked before and after, not UPDATE."""
    seats = Policy(Seat, name="seats").allow(registered, may | VIEW)
    small = Small(Base.metadata, seats, guard_writes=False)
    small.store(Seat(row=1, number="a", owner="ann"))

    def change(session):
        seat = session.get(Seat, (1, "a"))
        with write(seats, DELETE, seat, keeps=True):
            seat.owner = "nobody"

    assert small.attempt(change) == outcome
    assert small.rows("SELECT owner FROM seat") == [("nobody" if outcome == "done" else "ann",)]
