"""An app without static files, and the conference of `conference` on SQLite."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session
from tests.unit.authz.conference import Base, fill


@pytest.fixture
def app(tmp_path) -> Flask:
    """A bare app that has no rule at all."""
    return Flask("audited", static_folder=None, instance_path=str(tmp_path / "instance"))


@pytest.fixture(scope="session")
def _conference_engine() -> Iterator[sa.Engine]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        fill(session)
    yield engine
    engine.dispose()


@pytest.fixture
def db(_conference_engine: sa.Engine) -> Iterator[Session]:
    """A session on the conference; what a test does to it is undone."""
    with Session(_conference_engine) as session:
        yield session
        session.rollback()
