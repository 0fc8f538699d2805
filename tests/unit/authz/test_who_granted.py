"""`who_can` where the accounts' rows say in several ways to whom something was granted."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from licet.authz import VIEW, Policy, attr, caller, everyone, register_accounts
from licet.authz.grants import granted
from licet.authz.grants.tables import grant


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Membership(Base):
    __tablename__ = "membership"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"))
    team: Mapped[str]


class Page(Base):
    __tablename__ = "page"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None]


@pytest.fixture
def session(database_url):
    """Ann is in the crew; the first page was granted to the crew, the second to ann."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    grant.create(engine)
    with Session(engine) as found:
        found.add_all([Account(id=1, name="ann"), Account(id=2, name="ben"), Page(id=1)])
        found.add(Page(id=2))
        found.flush()
        found.add(Membership(account_id=1, team="crew"))
        for key, grantee in (("1", "crew"), ("2", "ann")):
            row = {"id": key, "giver": "root", "role": "reader", "given_at": sa.func.now()}
            told = {"object_type": "page", "object_id": key, "grantee": grantee}
            found.execute(sa.insert(grant).values(row | told))
        found.commit()
        yield found
    grant.drop(engine)
    Base.metadata.drop_all(engine)


TEAMS = sa.select(Membership.team).where(Membership.account_id == Account.id)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"teams": TEAMS}, [["ann"], []]),
        (
            {"teams": {"crew": Account.name == "ben", "ann": Account.name == "ann"}},
            [["ben"], ["ann"]],
        ),
        ({"team": "name"}, [[], ["ann"]]),
        ({"team": None}, [[], []]),
    ],
    ids=["a select", "columns", "a column", "nothing for all"],
)
def test_a_grant_is_to_whom_the_rows_name(session, said, names):
    """One value of each account's row, several, or nothing, which all accounts have in common."""
    app = Flask("who")
    given: dict[str, Any] = dict(said)
    register_accounts(app, Account, principal="name", active=True, attributes=given)
    condition = (
        granted("reader", to_any=caller.teams)
        if "teams" in said
        else granted("reader", to=caller.team)
    )
    policy = Policy(Page).allow(everyone, VIEW, when=condition)
    with app.app_context():
        found = [
            [one.name for one in session.scalars(policy.who_can(VIEW, page).order_by(Account.id))]
            for page in session.scalars(sa.select(Page).order_by(Page.id))
        ]
    assert found == names


def test_one_value_of_the_row_begins_with_the_object(session):
    """So that an index of the accounts answers it, not a subquery for each of them."""
    app = Flask("who")
    register_accounts(
        app, Account, principal="name", active=True, attributes={"name": Account.name}
    )
    condition = attr("id").is_null() | (attr("owner") == caller.name)
    policy = Policy(Page).allow(everyone, VIEW, when=condition)
    with app.app_context():
        asked = str(policy.who_can(VIEW, session.get(Page, 1)))
    assert "account.name IN (SELECT" in asked
