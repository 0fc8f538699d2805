"""What a resource may declare, and how a wrong declaration is told."""

from datetime import time
from typing import ClassVar

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

from licet import Licet
from licet.authz import ALL, LIST, VIEW, Policy, Verb, everyone, register_policies
from licet.errors import ConfigurationError, InvalidCondition, UnknownName
from licet.rest.jsonapi import JsonApi, Resource, ToMany, ToOne


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    picture: Mapped[bytes | None]
    is_old: Mapped[bool]
    opens_at: Mapped[time | None]
    label: Mapped[str | None]
    __table_args__ = (
        sa.Index("label", "label", unique=True, sqlite_where=sa.text("not is_old")),
        sa.UniqueConstraint("name", "label"),
    )
    books: Mapped[list["Book"]] = relationship(back_populates="shelf")

    @property
    def loud(self):
        return f"{self.name}!"


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")


class Seat(Base):
    __tablename__ = "seat"
    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Named(Base):
    __tablename__ = "named"
    id: Mapped[str] = mapped_column(primary_key=True)
    other: Mapped[str] = mapped_column(unique=True)


class Mark(Base):
    __tablename__ = "mark"
    price: Mapped[float] = mapped_column(sa.Float, primary_key=True)


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Dog(Animal):
    __mapper_args__: ClassVar = {"polymorphic_identity": "dog"}


def animals():
    return Resource(Animal, policy(Animal), name="animal", attributes=[])


def policy(model):
    return Policy(model).allow(everyone, ALL)


def shelf(**options):
    options = {"name": "shelf", "attributes": ["name"], **options}
    return Resource(Shelf, policy(Shelf), **options)


def named(**options):
    return Resource(Named, policy(Named), name="named", attributes=[], **options)


def with_list(resource):
    resource.list_at("old")(lambda: Shelf.is_old)
    return resource


def served():
    resource = shelf()
    api(resource)
    return resource


def api(*resources, **options):
    app = Flask("declared")
    Licet(app)
    return JsonApi(app, **{"url_prefix": "/v1", "resources": resources, **options})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: shelf(name="Shelf"), "no name of a resource"),
        (lambda: shelf(name="a_b"), "no name of a resource"),
        (lambda: shelf(url="a/b"), "no name of a resource"),
        (lambda: shelf(attributes=["id"]), "a meaning of its own"),
        (lambda: shelf(relationships={"restore": ToMany()}), "a meaning of its own"),
        (lambda: api(shelf(attributes=["opens_at"])), "has no form in JSON"),
        (lambda: shelf(attributes=["name", "name"]), "two names are spellings of 'name'"),
        (lambda: shelf(attributes=["is_old", "isOld"]), "spellings of 'isOld'"),
        (lambda: Resource(Shelf, policy(Book), name="shelf", attributes=[]), "is about Book"),
        (lambda: api(shelf(attributes=["names"])), "did you mean 'name'"),
        (lambda: api(shelf(attributes=["loud"])), "no such attribute"),
        (lambda: api(shelf(attributes=["picture"])), "has no form in JSON"),
        (lambda: api(shelf(attributes=["books"])), "name it in relationships"),
        (lambda: api(shelf(relationships={"books": ToMany()})), "has no resource here"),
        (lambda: api(shelf(relationships={"books": ToOne()})), "no relationship to one"),
        (
            lambda: api(shelf(attributes=[], relationships={"name": ToOne()})),
            "no relationship to one",
        ),
        (lambda: api(shelf(soft_delete="name")), "a nullable column of datetimes"),
        (lambda: api(shelf(also_by="books")), r"Shelf\.books is no column"),
        (lambda: api(shelf(also_by="is_old")), r"Shelf\.is_old is no text"),
        (lambda: api(shelf(also_by="name")), r"Shelf\.name is not unique"),
        (lambda: api(shelf(also_by="label")), r"Shelf\.label is not unique"),
        (lambda: api(named(also_by="other")), "The ids of a named are texts"),
        (lambda: shelf(verbs="LIST"), "joined by |: 'LIST' is something else"),
        (lambda: shelf(verbs=LIST | Verb("LEND")), "is something else"),
        (lambda: shelf(is_single=True, also_by="name"), "neither another name"),
        (lambda: shelf().list_at("<id>"), "'<id>' is no name of a list"),
        (lambda: shelf().list_at("a/b"), "'a/b' is no name of a list"),
        (lambda: with_list(shelf()).list_at("old"), "'old' is no name of a list .* or is taken"),
        (lambda: with_list(shelf(is_single=True)), "has no lists"),
        (lambda: with_list(shelf(verbs=VIEW)), "has no lists"),
        (lambda: with_list(served()), "are made already"),
        (lambda: shelf().list_at("old")(Shelf.is_old), "given by a function"),
        (lambda: api(shelf(samples={"name": 5})), r"The sample 5 of Shelf\.name .* a string"),
        (lambda: shelf(soft_delete="name", attributes=["deleted"]), "asks for its trash"),
        (lambda: api(shelf(), shelf()), "Shelf has two resources"),
        (
            lambda: api(
                shelf(),
                Resource(Book, policy(Book), name="book", attributes=["shelf_id"]),
            ),
            "Book.shelf_id is the key of a shelf",
        ),
        (
            lambda: api(
                shelf(), Resource(Book, policy(Book), name="book", url="shelf", attributes=[])
            ),
            "Two resources have the name 'shelf'",
        ),
        (lambda: api(Resource(Seat, policy(Seat), name="seat", attributes=[])), "several columns"),
        (lambda: api(Resource(Mark, policy(Mark), name="mark", attributes=[])), "is no id"),
        (lambda: api(shelf(), url_prefix="v1"), "begins with a slash"),
        (
            lambda: api(animals(), Resource(Dog, policy(Dog), name="dog", attributes=[])),
            "animal has rows of Dog, which has a policy of its own",
        ),
        (
            lambda: api(Resource(Shelf, policy(Shelf).hide("id"), name="shelf", attributes=[])),
            "hides 'id', which is the id in every document",
        ),
    ],
)
def test_wrong_declarations_are_told(make, told):
    """What cannot be served is refused when the app is made, in words that say what to do."""
    with pytest.raises(ConfigurationError, match=told):
        make()


def test_unknown_options_are_told():
    """A misspelt option is refused with the one that was meant."""
    with pytest.raises(UnknownName, match="soft_delete"):
        shelf(soft_deleted="x")
    with pytest.raises(UnknownName, match="required"):
        ToOne(require=True)
    for verb in ("VIEW", LIST | VIEW, None):
        with pytest.raises(InvalidCondition, match=r"verb .*is wanted here"):
            ToMany(verb=verb)
    with pytest.raises(UnknownName, match="url_prefix"):
        api(shelf(), url_prefixes="/v1")


def test_prefixes_and_names_are_the_apps():
    """Two APIs in one app, one of them without a prefix."""
    app = Flask("two")
    Licet(app)
    shelves = Resource(Shelf, policy(Shelf), name="shelf", url="shelves", attributes=["name"])
    JsonApi(app, url_prefix="", resources=[shelves])
    JsonApi(app, url_prefix="/v2/", resources=[shelves], name="second")
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert {"/shelves", "/shelf/<id>", "/v2/shelves", "/v2/shelf/<id>"} <= rules


def test_a_subclass_with_a_policy_of_its_own_is_served_by_no_other(caplog):
    """Registered after the resources or before, its rows leave by no resource of its base."""
    app = Flask("animals")
    Licet(app)
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        listed = animals()
        JsonApi(app, url_prefix="/v1", resources=[listed])
        register_policies(app, listed.policy, policy(Dog), session=lambda: session)
        session.add(Dog(id=1))
        session.commit()
        for url in ("/v1/animals", "/v1/animals/1"):
            assert app.test_client().get(url).status_code == 500
    assert "Dog, which has a policy of its own" in caplog.text
    engine.dispose()
