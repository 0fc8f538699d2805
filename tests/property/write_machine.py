"""Random changes of guarded sessions; every commit is held against an oracle of plain rows."""

import contextlib
import copy
import functools

import sqlalchemy as sa
from flask import Flask, request
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import exc as sa_exc
from sqlalchemy.orm import Session
from sqlalchemy.orm import exc as orm_exc
from sqlalchemy.pool import StaticPool
from tests.property.write_models import (
    MODELS,
    PEOPLE,
    Base,
    Book,
    BookTag,
    Helper,
    Loan,
    Remark,
    Room,
    Shelf,
    Tag,
    book_tag,
    make_policies,
)
from tests.property.write_oracle import Ledger, difference, snapshot

from licet import Licet
from licet.authz import DELETE, UPDATE, register_policies
from licet.errors import AccessDenied, ObjectNotFound, UnguardedWrite

people = st.sampled_from(["ann", "ann", "ann", "ben"])
numbers = st.integers(0, 5)
REFUSED = (AccessDenied, ObjectNotFound)
FAILED = (
    sa_exc.IntegrityError,
    sa_exc.InvalidRequestError,
    sa_exc.SAWarning,
    orm_exc.StaleDataError,
    orm_exc.FlushError,
    AssertionError,
)


def stems_from_a_constraint(error):
    """Whether it is told in place of a taken value, as the change would be denied anyway."""
    # the driver's own class, too, which is what the engine's event is told
    while error is not None and "IntegrityError" not in {one.__name__ for one in type(error).mro()}:
        error = error.__context__
    return error is not None


class Who:
    is_authenticated = True

    def __init__(self, principal):
        self.principal = principal


@functools.cache
def library():
    """An app that guards every session, and its policies."""
    app, policies = Flask("library"), make_policies()
    Licet(app)
    caller = lambda: Who(request.environ["who"])  # noqa: E731 - as the guide writes it
    register_policies(app, *policies, caller=caller, guard_writes=True)
    return app, policies


@functools.cache
def elsewhere():
    """A database of its own, for the session of a hook."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    return engine


class WriteMachine(RuleBasedStateMachine):
    """Changes in one session of ann's, and now and then a commit of ben's from another.

    `ledger` has what the transaction touched: the rows that differ from one step to the next, by
    raw SQL on the session's own connection. A step flushes once at most.
    """

    engine: sa.Engine

    def __init__(self):
        super().__init__()
        self.app, self.policies = library()
        self.session = Session(self.engine, expire_on_commit=False)
        self.kept = []  # a session holds objects weakly, and which are gone would be left to chance
        sa.event.listen(self.session, "after_attach", self.keep)
        sa.event.listen(self.session, "loaded_as_persistent", self.keep)
        self.savepoints = []
        self.context = None

    def keep(self, session, owner):
        """Hold an object as long as the session lasts."""
        self.kept.append(owner)

    @initialize(data=st.randoms(use_true_random=False))
    def fill(self, data):
        with self.engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
        with Session(self.engine) as session:
            rooms = [Room(name=f"room {n}") for n in range(2)]
            shelves = [
                Shelf(curator=data.choice(("ann", "ann", *PEOPLE)), is_open=data.random() < 0.5)
                for _ in "abc"
            ]
            for shelf in shelves:
                data.choice(rooms).shelves.append(shelf)
            tags = [Tag(owner=data.choice(("ann", "ann", *PEOPLE))) for _ in range(2)]
            session.add_all([*rooms, *tags])
            for n in range(4):
                book = Book(owner=data.choice(("ann", "ann", *PEOPLE)), title=f"book {n}")
                book.shelf = data.choice([*shelves, None])
                book.tags = [tag for tag in tags if data.random() < 0.4]
                session.add(book)
                session.flush()
                if data.random() < 0.5:
                    session.add(Loan(book=book, borrower=data.choice(("ann", "ann", *PEOPLE))))
                if data.random() < 0.5:
                    session.add(Remark(book_id=book.id, author=data.choice(PEOPLE)))
            session.add_all(
                [Helper(shelf_id=shelf.id, who=data.choice(("ann", *PEOPLE))) for shelf in shelves]
            )
            session.commit()
        self.committed = self.look()
        self.start()

    def teardown(self):
        self.session.close()
        if self.context is not None:
            self.context.pop()

    # --- bookkeeping -----------------------------------------------------------------------------

    def start(self):
        """A new request, and a new transaction with it."""
        if self.context is not None:
            self.context.pop()
        self.context = self.app.test_request_context(environ_overrides={"who": "ann"})
        self.context.push()
        self.ledger = Ledger("ann", copy.deepcopy(self.committed))
        self.seen = self.committed
        self.savepoints = []

    def look(self):
        """What is committed."""
        with self.engine.connect() as connection:
            return snapshot(connection)

    def note(self):
        """Note what the last step wrote."""
        now = snapshot(self.session.connection())
        self.ledger.touched += sorted(difference(self.seen, now), key=str)
        self.seen = now

    def settle(self):
        """Write all that waits: SQLAlchemy takes two flushes for what was moved, then deleted."""
        for _ in range(2):
            self.session.flush()
            self.note()

    def step(self, change):
        """Do something, which the database may refuse for its own reasons."""
        try:
            change()
            self.note()
        except (*FAILED, *REFUSED) as error:
            if isinstance(error, REFUSED) and not stems_from_a_constraint(error):
                raise
            self.session.rollback()
            assert self.look() == self.committed
            self.start()

    def pick(self, model, number):
        """An object of the session; what it holds may be stale."""
        with self.session.no_autoflush:
            keys = sorted(key[0] for key in self.seen[model.__tablename__])
            if not keys:
                return None
            return self.session.get(model, keys[number % len(keys)])

    # --- changes of objects ----------------------------------------------------------------------

    @rule(
        model=st.sampled_from([Room, Shelf, Book, Tag, Loan, Remark, Helper]),
        number=numbers,
        to=people,
    )
    def change(self, model, number, to):
        owner = self.pick(model, number)
        names = {
            Room: "name",
            Shelf: "curator",
            Loan: "borrower",
            Remark: "author",
            Helper: "who",
        }
        if owner is not None:
            self.step(lambda: setattr(owner, names.get(model, "owner"), to))

    @rule(number=numbers)
    def retitle(self, number):
        book = self.pick(Book, number)
        if book is not None:
            self.step(lambda: setattr(book, "title", book.title + "!"))

    @rule(number=numbers, is_open=st.booleans())
    def open_or_close(self, number, is_open):
        shelf = self.pick(Shelf, number)
        if shelf is not None:
            self.step(lambda: setattr(shelf, "is_open", is_open))

    @rule(number=numbers, to=numbers, way=st.sampled_from(["key", "object", "list", "off", "out"]))
    def move_book(self, number, to, way):
        book, shelf = self.pick(Book, number), self.pick(Shelf, to)
        if book is None or shelf is None:
            return

        def move():
            former = book.shelf
            if way == "key":
                book.shelf_id = shelf.id
            elif way == "object":
                book.shelf = shelf
            elif way == "list":
                shelf.books.append(book)
            elif way == "off":
                book.shelf = None
            elif former is not None and book in former.books:
                former.books.remove(book)

        self.step(move)

    @rule(number=numbers, to=numbers, takes_out=st.booleans())
    def move_shelf(self, number, to, takes_out):
        shelf, room = self.pick(Shelf, number), self.pick(Room, to)
        if shelf is None or room is None:
            return

        def move():
            if not takes_out:
                room.shelves.append(shelf)
            elif shelf in room.shelves:
                room.shelves.remove(shelf)

        self.step(move)

    @rule(number=numbers, to=numbers, by_book=st.booleans(), takes_off=st.booleans())
    def tag(self, number, to, by_book, takes_off):
        book, tag = self.pick(Book, number), self.pick(Tag, to)
        if book is None or tag is None:
            return

        def change():
            related, one = (book.tags, tag) if by_book else (tag.books, book)
            if takes_off and one in related:
                related.remove(one)
            elif not takes_off and one not in related:
                related.append(one)

        self.step(change)

    @rule(number=numbers, to=numbers, takes_off=st.booleans())
    def link(self, number, to, takes_off):
        """A row of the association table, as an object of its class."""
        book, tag = self.pick(Book, number), self.pick(Tag, to)
        if book is None or tag is None:
            return

        def change():
            found = self.session.get(BookTag, (book.id, tag.id))
            if takes_off and found is not None:
                self.session.delete(found)
            elif not takes_off and found is None:
                self.session.add(BookTag(book_id=book.id, tag_id=tag.id))

        self.step(change)

    @rule(number=numbers, owner=people, key=st.integers(100, 105))
    def create_with_text(self, number, owner, key):
        """A row whose key the database has in another form than the object."""
        shelf = self.pick(Shelf, number)
        if shelf is None or self.engine.dialect.name != "sqlite":
            return  # PostgreSQL refuses to compare such a key
        made = Book(id=str(key), owner=owner, title="new", shelf_id=shelf.id)
        self.step(lambda: self.session.add(made))

    @rule(number=numbers, owner=people)
    def change_with_hook(self, number, owner):
        """A change while whose flush a hook flushes another session, in another database."""
        book = self.pick(Book, number)
        if book is None:
            return

        def hook(_mapper, _connection, target):
            if sa.inspect(target).session is self.session:
                with Session(elsewhere()) as other:
                    other.add(Tag(owner="ben"))
                    other.flush()

        def change():
            book.owner = owner
            sa.event.listen(Book, "before_update", hook)
            try:
                self.session.flush()
            finally:
                sa.event.remove(Book, "before_update", hook)

        self.step(change)

    @rule(
        number=numbers,
        who=people,
        way=st.sampled_from(["key", "list", "orphan", "move"]),
        to=numbers,
    )
    def lend(self, number, who, way, to):
        book, other = self.pick(Book, number), self.pick(Book, to)
        if book is None:
            return

        def change():
            if way == "key":
                self.session.add(Loan(book_id=book.id, borrower=who))
            elif way == "list":
                book.loans.append(Loan(borrower=who))
            elif way == "orphan" and book.loans:
                book.loans.pop()
            elif way == "move" and book.loans:
                other.loans.append(book.loans[0])

        self.step(change)

    @rule(number=numbers, who=people, takes_out=st.booleans())
    def help(self, number, who, takes_out):
        shelf = self.pick(Shelf, number)
        if shelf is None:
            return

        def change():
            if not takes_out:
                shelf.helpers.append(Helper(who=who))
            elif shelf.helpers:
                shelf.helpers.pop()

        self.step(change)

    @rule(number=numbers, owner=people, is_open=st.booleans(), kind=st.sampled_from("rsbtm"))
    def create(self, number, owner, is_open, kind):
        shelf, book = self.pick(Shelf, number), self.pick(Book, number)

        def change():
            if kind == "r":
                self.session.add(Room(name=owner))
            elif kind == "s":
                self.session.add(Shelf(curator=owner, is_open=is_open))
            elif kind == "b" and shelf is not None:
                made = Book(owner=owner, title="new")
                if is_open:
                    shelf.books.append(made)
                else:
                    made.shelf_id = shelf.id
                    self.session.add(made)
            elif kind == "t":
                self.session.add(Tag(owner=owner))
            elif kind == "m" and book is not None:
                book.remarks.append(Remark(author=owner))

        self.step(change)

    @rule(model=st.sampled_from([Room, Shelf, Book, Tag, Loan, Remark, Helper]), number=numbers)
    def delete(self, model, number):
        owner = self.pick(model, number)
        if owner is not None and sa.inspect(owner).persistent:
            self.step(lambda: self.session.delete(owner))

    @rule(
        kind=st.sampled_from(["delete", "help", "lend", "move", "tag"]), number=numbers, to=numbers
    )
    def commit_one(self, kind, number, to):
        """A transaction with one change, so that nothing else can be denied."""
        if self.savepoints:
            return
        self.session.rollback()
        self.start()
        if kind == "delete":
            self.delete(model=[Book, Shelf, Room, Tag][to % 4], number=number)
        elif kind == "help":
            self.help(number=number, who="ann", takes_out=True)
        elif kind == "lend":
            self.lend(number=number, who="ann", way=["orphan", "move"][to % 2], to=to)
        elif kind == "move":
            self.move_book(number=number, to=to, way=["list", "out"][to % 2])
        else:
            self.tag(number=number, to=to, by_book=to > 2, takes_off=number > 2)
        self.decide()

    # --- statements ------------------------------------------------------------------------------

    @rule(to=people, number=numbers, by_key=st.booleans())
    def update_filtered(self, to, number, by_key):
        policy = next(one for one in self.policies if one.model is Book)
        values = {"shelf_id": self.key_of(Shelf, number)} if by_key else {"owner": to}
        update = policy.filter(sa.update(Book).values(**values), Who("ann"), UPDATE)
        self.step(lambda: self.session.execute(update))

    @rule(number=numbers, kind=st.sampled_from([Book, Loan, Remark, Shelf]))
    def delete_filtered(self, number, kind):
        policy = next(one for one in self.policies if one.model is kind)
        key = self.key_of(kind, number)
        statement = sa.delete(kind).where(kind.id == key)
        self.step(lambda: self.session.execute(policy.filter(statement, Who("ann"), DELETE)))

    @rule(kind=st.sampled_from(range(9)), number=numbers)
    def refuse_statement(self, kind, number):
        session, table = self.session, Book.__table__
        row = {"owner": "ann", "title": "x"}
        statements = [
            lambda: session.execute(sa.update(Book).values(owner="ann")),
            lambda: session.execute(sa.delete(Loan)),
            lambda: session.execute(sa.insert(Book), [row]),
            lambda: session.execute(sa.insert(book_tag).values(book_id=1, tag_id=1)),
            lambda: session.connection().execute(table.update().values(owner="ann")),
            lambda: session.execute(sa.insert(Helper).values(shelf_id=1, who="ann")),
            lambda: session.bulk_insert_mappings(Book, [row]),
            lambda: session.bulk_save_objects([Book(**row)]),
            lambda: session.query(Book).update({"owner": "ann"}, synchronize_session=False),
        ]

        def refuse():
            session.flush()
            was = snapshot(session.connection())
            with contextlib.suppress(UnguardedWrite):
                statements[kind]()
                raise RuntimeError("a statement passed that no policy restricts")
            assert snapshot(session.connection()) == was

        self.step(refuse)

    @precondition(lambda self: not self.ledger.touched and not self.savepoints)
    @rule(to=people, number=numbers, model=st.sampled_from([Helper, Remark, Shelf]))
    def update_unguarded(self, to, number, model):
        """What passes unasked is what was, for whatever is touched later."""
        names = {Helper: "who", Remark: "author", Shelf: "curator"}
        update = (
            sa.update(model)
            .where(model.id == self.key_of(model, number))
            .values({names[model]: to})
            .execution_options(licet_unguarded="a test")
        )
        self.session.rollback()  # also what was written without a difference
        self.start()
        self.session.execute(update)
        now = snapshot(self.session.connection())
        self.take_over(difference(self.seen, now), now)
        self.seen = now

    def take_over(self, rows, now):
        for table, key in rows:
            if key in now[table]:
                self.ledger.before[table][key] = now[table][key]
            else:
                self.ledger.before[table].pop(key, None)

    def key_of(self, model, number):
        keys = sorted(key[0] for key in self.seen[model.__tablename__])
        return keys[number % len(keys)] if keys else 0

    # --- queries and transactions ----------------------------------------------------------------

    @rule(model=st.sampled_from(list(MODELS.values())))
    def query(self, model):
        self.step(lambda: self.session.scalars(sa.select(model)).all())

    @rule()
    def flush(self):
        self.step(self.session.flush)

    @precondition(lambda self: len(self.savepoints) < 2)
    @rule()
    def begin_nested(self):
        def begin():
            self.settle()
            nested = self.session.begin_nested()
            self.session.connection()
            self.savepoints.append((nested, len(self.ledger.touched), self.seen))

        self.step(begin)

    @rule(number=numbers, to=people, model=st.sampled_from([Book, Shelf, Tag]))
    def try_in_a_savepoint(self, number, to, model):
        """Change a row and take it back, which leaves nothing to be decided."""
        self.step(self.settle)
        owner, book = self.pick(model, number), self.pick(Book, number)
        if owner is None or book is None:
            return
        nested = self.session.begin_nested()
        with contextlib.suppress(*FAILED):
            if model is Tag:
                owner.books = [] if book in owner.books else [*owner.books, book]
            else:
                setattr(owner, "owner" if model is Book else "curator", to)
            self.session.flush()
        nested.rollback()
        assert snapshot(self.session.connection()) == self.seen
        if not self.savepoints:
            self.decide()

    @precondition(lambda self: self.savepoints)
    @rule()
    def rollback_nested(self):
        nested, n_touched, seen = self.savepoints.pop()
        nested.rollback()
        del self.ledger.touched[n_touched:]
        self.seen = seen
        assert snapshot(self.session.connection()) == seen

    @precondition(lambda self: self.savepoints)
    @rule()
    def commit_nested(self):
        nested, _, _ = self.savepoints.pop()
        self.step(nested.commit)

    @rule()
    def forget(self):
        """Load everything anew."""
        if self.session._is_clean():
            self.session.expire_all()

    @rule()
    def rollback(self):
        self.session.rollback()
        self.start()

    @precondition(lambda self: self.ledger.touched or not self.session._is_clean())
    @rule()
    def commit(self):
        self.decide()

    # Transactions are short so: a long one is nearly always denied.
    @precondition(lambda self: self.ledger.touched or not self.session._is_clean())
    @rule()
    def commit_soon(self):
        self.decide()

    @precondition(lambda self: self.ledger.touched or not self.session._is_clean())
    @rule()
    def commit_at_once(self):
        self.decide()

    def decide(self):
        """Commit, which must succeed exactly when the oracle allows it."""
        self.step(self.session.flush)
        denied = self.ledger.refused(self.seen)
        try:
            self.session.commit()
        except REFUSED as error:
            self.require_reason(error, denied)
            self.session.rollback()
            assert self.look() == self.committed
        else:
            assert not denied, f"committed what is denied: {denied}"
            self.committed = self.look()
            assert self.committed == self.seen
        self.start()

    def require_reason(self, error, denied):
        """The refusal says of a denied row that it is there, if the caller could see it."""
        assert denied, f"refused what is allowed: {error!r}; {self.ledger.touched}"
        is_visible = {is_visible for *_, is_visible in denied}
        assert isinstance(error, AccessDenied) in is_visible, f"it is visible: {is_visible}"

    @precondition(lambda self: not self.ledger.touched and not self.savepoints)
    @rule(number=numbers, model=st.sampled_from([Shelf, Book, Loan]), to=people)
    def commit_elsewhere(self, number, model, to):
        """Ben changes a row, of which ann's session may hold an older state."""
        if not self.session._is_clean():
            return
        self.session.commit()  # ann's objects stay as they were loaded
        self.committed = self.look()
        self.start()
        name = {Shelf: "curator", Book: "owner", Loan: "borrower"}[model]
        table = model.__tablename__
        with (
            self.app.test_request_context(environ_overrides={"who": "ben"}),
            Session(self.engine) as other,
        ):
            owner = other.get(model, self.key_of(model, number))
            if owner is None:
                return
            setattr(owner, name, to)
            ledger = Ledger("ben", self.committed)
            now = copy.deepcopy(self.committed)
            now[table][(owner.id,)][name] = to
            ledger.touched = list(difference(self.committed, now))
            denied = ledger.refused(now)
            try:
                other.commit()
            except REFUSED:
                assert denied, "refused what is allowed elsewhere"
                return
            assert not denied, f"committed elsewhere what is denied: {denied}"
        former, self.committed = self.committed, self.look()
        self.take_over(difference(former, self.committed), self.committed)
        self.seen = self.committed
