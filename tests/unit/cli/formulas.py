"""An app whose keys and principals are what a spreadsheet takes for formulas."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from licet.authz import VIEW, Policy, register_accounts, register_policies, registered

CELLS = ("=1+1", "+1", "-x", "@SUM(A1)", " =1", "\tx")


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Note(Base):
    __tablename__ = "note"
    id: Mapped[str] = mapped_column(primary_key=True)


def create_app() -> Flask:
    app = Flask(__name__)
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    session = Session(engine)
    session.add_all([Note(id=cell) for cell in CELLS])
    session.add_all([Account(id=-n, name=cell) for n, cell in enumerate(CELLS, 1)])
    session.commit()
    notes = Policy(Note, name="notes").allow(registered, VIEW)
    register_policies(app, notes, session=lambda: session)
    register_accounts(app, Account, principal="name", active=True)
    return app
