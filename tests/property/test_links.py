"""Generated changes of an association table, also to rows that are not there, beside an oracle.

The oracle knows only the rows: what a transaction changed in the end must be links whose both ends
are the caller's, and those that are new must lead to rows that are there. The database does not
enforce foreign keys.
"""

import functools

import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sqlalchemy.orm import make_transient_to_detached
from tests.counts import count
from tests.unit.authz.writes.test_links import App

GHOST = 7  # of a book that is not there, unless the program makes it
BOOKS, TAGS = st.sampled_from([1, 2, GHOST]), st.sampled_from([1, 2])
changes = st.tuples(
    st.sampled_from(["add", "add as object", "remove", "remove as object"]), BOOKS, TAGS
)
creations = st.tuples(st.just("create"), st.sampled_from(["ann", "ben"]), st.just(0))
steps = st.lists(changes | creations, max_size=5)
programs = st.lists(st.tuples(steps, st.sampled_from(["", "", "kept", "rolled back"])), max_size=3)
BEFORE = st.sets(st.tuples(st.sampled_from([1, 2]), TAGS))


@functools.cache
def shared():
    """The app of all examples."""
    return App(enforces=False)


class Model:
    """The rows as a program leaves them."""

    def __init__(self, links):
        self.links, self.books = set(links), {1: "ann", 2: "ben"}

    def copy(self):
        found = Model(self.links)
        found.books = dict(self.books)
        return found

    def is_allowed(self, before, tags):
        """Whether the caller, ann, may leave them so."""
        if self.books.get(GHOST, "ann") != "ann":
            return False
        for book, tag in self.links ^ before:
            if book not in self.books and (book, tag) in self.links:
                return False
            if self.books.get(book, "ann") != "ann" or tags[tag] != "ann":
                return False
        return True


def do(app, session, model, step):
    """One step, in the session and in the model; what the model says is impossible is left out."""
    what, first, tag = step
    if what == "create":
        if GHOST not in model.books:
            session.add(app.book(id=GHOST, owner=first))
            model.books[GHOST] = first
    elif what.startswith("add") and (first, tag) not in model.links:
        if what == "add":
            book, other = find_book(app, session, model, first), session.get(app.tag, tag)
            other.books.append(book)
        else:
            session.add(app.link(book=first, tag=tag))
        model.links.add((first, tag))
    elif what.startswith("remove") and (first, tag) in model.links:
        if what == "remove" and first in model.books:
            book, other = session.get(app.book, first), session.get(app.tag, tag)
            book.tags.remove(other)
        else:
            session.delete(session.get(app.link, (first, tag)))
        model.links.remove((first, tag))
    session.flush()
    session.expire_all()


def find_book(app, session, model, key):
    """The book, or an object that pretends to be one."""
    if key in model.books:
        return session.get(app.book, key)
    ghost = session.identity_map.get(session.identity_key(app.book, key))
    if ghost is None:
        ghost = app.book(id=key)
        make_transient_to_detached(ghost)
        session.add(ghost)
    return ghost


@settings(max_examples=count(quick=60, full=2_000))
@given(BEFORE, programs)
def test_what_is_committed_is_what_the_oracle_allows(before, program):
    """And what it allows is committed as it was written."""
    app = shared()
    with app.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM link"))
        connection.execute(sa.text(f"DELETE FROM book WHERE id = {GHOST}"))
        for book, tag in before:
            connection.execute(sa.text(f"INSERT INTO link (book, tag) VALUES ({book}, {tag})"))
    model = Model(before)

    def change(session):
        nonlocal model
        for part, savepoint in program:
            kept, nested = model.copy(), session.begin_nested() if savepoint else None
            for step in part:
                do(app, session, model, step)
            if savepoint == "kept":
                nested.commit()
            elif nested is not None:
                nested.rollback()
                session.expunge_all()
                model = kept

    outcome = app.attempt(change)
    note(f"{sorted(before)} {program} {outcome} {app.links()} {model.links}")
    is_allowed = model.is_allowed(before, {1: "ann", 2: "ben"})
    assert (outcome == "done") == is_allowed, outcome
    assert set(app.links()) == (model.links if is_allowed else before)
