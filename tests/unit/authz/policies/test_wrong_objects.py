"""A policy decides about objects of its own class only."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.unit.authz.notes import Folder, Note, User, make_policy

from licet.authz import ALL, LIST, VIEW, Policy, attr, everyone
from licet.errors import InvalidCondition


@pytest.mark.parametrize("owner", [None, "note", Folder(), Note])
def test_an_object_of_another_class_is_a_mistake_of_the_program(owner):
    """Nothing is decided about what the policy does not know."""
    with pytest.raises(
        InvalidCondition, match="The policy notes decides about Note, and was given a"
    ):
        make_policy().decide(User("ann"), VIEW, owner)


@pytest.mark.parametrize("verb", [ALL, LIST | VIEW])
def test_one_verb_is_decided_at_a_time(verb):
    """Several verbs at once have no single answer."""
    with pytest.raises(InvalidCondition, match="One verb is wanted here"):
        make_policy().decide(User("ann"), verb, Note())


@pytest.mark.parametrize("verb", ["VIEW", "view", "publish", None])
@pytest.mark.parametrize("ask", ["decide", "explain", "filter", "criterion", "check"])
def test_the_name_of_a_verb_is_no_verb(ask: str, verb):
    """A text where a verb belongs is told, with what to write."""
    policy = make_policy()
    calls = {
        "decide": lambda: policy.decide(User("ann"), verb, Note()),
        "explain": lambda: policy.explain(User("ann"), verb, Note()),
        "filter": lambda: policy.filter(sa.select(Note), User("ann"), verb),
        "criterion": lambda: policy.criterion(User("ann"), verb),
        "check": lambda: policy.check(verb),
    }
    written = {"VIEW": "write VIEW, from", "view": "write VIEW, from", "publish": "write Verb"}
    with pytest.raises(InvalidCondition, match=f"not {verb!r}(: {written.get(verb, '')}.*)?"):
        calls[ask]()


def test_a_backref_that_a_later_model_adds():
    """A policy that is built after the model knows it, whatever was built before."""

    class Base(DeclarativeBase):
        pass

    class Shelf(Base):
        __tablename__ = "shelf"
        id: Mapped[int] = mapped_column(primary_key=True)

    before = Policy(Shelf).allow(everyone, LIST).build()

    class Book(Base):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelf.id"))
        shelf: Mapped[Shelf] = relationship(backref="books")

    after = Policy(Shelf).allow(everyone, LIST, when=attr("books").any(attr("id") == 1))

    assert "books" not in before.shape.relations
    assert "books" in after.build().shape.relations
    assert "EXISTS" in str(after.filter(sa.select(Shelf), None))
