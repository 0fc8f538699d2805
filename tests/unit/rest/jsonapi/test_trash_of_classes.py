"""The trash of classes that share a table."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from licet import Licet
from licet.authz import ALL, Policy, everyone, register_policies
from licet.db.types import UTCDateTime
from licet.rest.jsonapi import JsonApi, Resource


class Base(DeclarativeBase):
    pass


class Paper(Base):
    __tablename__ = "paper"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "paper"}


class Memo(Paper):
    __mapper_args__: ClassVar = {"polymorphic_identity": "memo"}


class Law(Paper):
    __tablename__ = "law"
    id: Mapped[int] = mapped_column(sa.ForeignKey("paper.id"), primary_key=True)
    repealed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    __mapper_args__: ClassVar = {"polymorphic_identity": "law"}


@pytest.fixture
def session():
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as made:
        yield made
    engine.dispose()


def test_the_trash_of_a_class_is_its_own(session):
    """A sweep leaves rows of other classes in the table, and nothing of those that it deletes."""
    app = Flask("papers")
    Licet(app)
    memos, laws = (Policy(model).allow(everyone, ALL) for model in (Memo, Law))
    register_policies(app, memos, laws, session=lambda: session)
    listed = [
        Resource(Memo, memos, name="memo", attributes=[], soft_delete="deleted_at"),
        Resource(Law, laws, name="law", attributes=[], soft_delete="repealed_at"),
    ]
    api = JsonApi(app, url_prefix="/v1", resources=listed)
    old = datetime.now(UTC) - timedelta(days=40)
    rows = [Memo(id=1, deleted_at=old), Law(id=2, deleted_at=old), Law(id=3, repealed_at=old)]
    session.add_all(rows)
    session.commit()
    with app.app_context():
        assert api.purge_trash() == 2
    for table in ("paper", "law"):
        assert session.scalars(sa.text(f"SELECT id FROM {table}")).all() == [2]
