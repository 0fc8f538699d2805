"""`who_can` and `register_accounts`: the accounts that may do something with an object."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from licet.authz import (
    ALL,
    DELETE,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    now,
    predicate,
    register_accounts,
    registered,
)
from licet.errors import ConfigurationError, InvalidCondition, UntranslatableCondition


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    level: Mapped[int | None]
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_editor: Mapped[bool | None]
    is_active: Mapped[bool | None]
    photo: Mapped[bytes | None]
    roles: Mapped[list[Holding]] = relationship()


class Holding(Base):
    __tablename__ = "holding"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"))
    role: Mapped[str | None]


class Doc(Base):
    __tablename__ = "doc"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None]
    level: Mapped[int | None]
    needed: Mapped[str | None]
    days: Mapped[list[Day]] = relationship()


class Day(Base):
    __tablename__ = "day"
    id: Mapped[int] = mapped_column(primary_key=True)
    doc_id: Mapped[int] = mapped_column(sa.ForeignKey("doc.id"))
    day: Mapped[date]
    who: Mapped[str]


class Locked(Doc):
    """A subclass in the same table."""


@pytest.fixture
def session(database_url):
    """Five accounts, one of which is disabled and one neither; three documents."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    with Session(engine) as found:
        found.add_all(
            [
                Account(id=1, name="root", is_admin=True, level=3, is_active=True),
                Account(
                    id=2,
                    name="ann",
                    level=2,
                    is_active=True,
                    roles=[Holding(role="editor"), Holding()],
                ),
                Account(
                    id=3, name="ben", is_editor=True, is_active=True, roles=[Holding(role="reader")]
                ),
                Account(id=4, name="off", level=9, is_active=False, is_admin=True),
                Account(id=5, name="odd", level=9, is_active=None, is_admin=True),
                Doc(id=1, owner="ann", level=2, needed="editor"),
                Doc(id=2, owner=None, level=None, needed=None),
                Doc(id=3, owner="off", level=3, needed="reader"),
            ]
        )
        found.commit()
        yield found
    Base.metadata.drop_all(engine)


ROLES = {
    "a path": "roles.role",
    "a select": sa.select(Holding.role).where(Holding.account_id == Account.id),
    "columns": {"editor": Account.is_editor, "admin": "is_admin"},
}


def app_with(**given: Any) -> Flask:
    app = Flask("who")
    told = {"principal": "name", "active": "is_active", "attributes": {"level": Account.level}}
    register_accounts(app, Account, **(told | given))
    return app


def who(app: Flask, policy: Policy, verb: Any, owner: Any) -> set[str]:
    with app.app_context():
        session = sa.inspect(owner).session
        return {account.name for account in session.scalars(policy.who_can(verb, owner))}


def as_caller(account: Account, roles: str | None = None) -> Any:
    held: set[str | None] = {one.role for one in account.roles} - {None}
    if roles == "columns":
        flags = {"editor": account.is_editor, "admin": account.is_admin}
        held = {name for name, flag in flags.items() if flag}
    return SimpleNamespace(
        is_authenticated=True, principal=account.name, level=account.level, roles=frozenset(held)
    )


@pytest.mark.parametrize("roles", list(ROLES))
@pytest.mark.parametrize(
    "condition",
    [
        attr("owner") == caller.principal,
        attr("owner") != caller.principal,
        ~(attr("level") != caller.level),
        attr("level") <= caller.level,
        ~(attr("level") <= caller.level),
        attr("needed").in_(caller.roles),
        attr("needed").not_in(caller.roles),
        caller.roles.contains("editor"),
        ~caller.roles.contains("admin"),
        caller.level.is_null(),
        caller.level != 2,
        caller.level.in_([2, 3, "x"]),
        caller.level > 2**70,
        caller.principal.startswith("a"),
        caller.roles.is_null() | caller.is_authenticated.is_true(),
        (caller.principal == "root") | ((attr("level") == 2) & (attr("owner") == caller.principal)),
    ],
    ids=str,
)
def test_who_can_is_who_decide_allows(session, condition, roles):
    """Of the active accounts, for every document."""
    policy = Policy(Doc).allow(everyone, ALL, when=condition)
    app = app_with(roles=ROLES[roles])
    for doc in session.scalars(sa.select(Doc)):
        active = session.scalars(sa.select(Account).where(Account.is_active))
        allowed = (one for one in active if policy.decide(as_caller(one, roles), VIEW, doc))
        assert who(app, policy, VIEW, doc) == {one.name for one in allowed}


@pytest.mark.parametrize("is_today", [True, False])
def test_related_rows_of_a_moment(session, is_today):
    """An equality with ``now()`` leads to no account, but to the rows that lead to one."""
    day = date(2024, 5, 5) if is_today else date(2024, 5, 6)
    session.add_all([Day(doc_id=1, day=day, who="ann"), Day(doc_id=1, day=date.min, who="ben")])
    session.commit()
    today = attr("day") == now()
    mine = today & (attr("who") == caller.principal)
    doc = session.get(Doc, 1)
    for condition, names in (
        (attr("days").any(mine), {"ann"}),
        (attr("days").any(today), {"ann", "ben", "root"}),
    ):
        policy = Policy(Doc).allow(everyone, ALL, when=condition)
        with app_with().app_context():
            asked = policy.who_can(VIEW, doc, now=datetime(2024, 5, 5, 12, tzinfo=UTC))
            found = {one.name for one in session.scalars(asked)}
        assert found == (names if is_today else set())


def test_a_moment_that_is_none_is_nobodys(session):
    """As in a decision, also where the rest of the condition decides without it."""
    late = attr("day") > now() - timedelta(days=800_000)
    for levels in ([2, 9], []):
        is_late = attr("days").any(caller.level.in_(levels) & late)
        policy = Policy(Doc).allow(everyone, VIEW, when=~is_late)
        assert who(app_with(), policy, VIEW, session.get(Doc, 1)) == set()
        assert not policy.decide(SimpleNamespace(level=2), VIEW, session.get(Doc, 1))


def test_a_denial_counts(session):
    """What is forbidden is forbidden to accounts, too."""
    admin = Role("admin", caller.roles.contains("admin"), implies=[registered])
    policy = Policy(Doc).allow(registered, ALL)
    policy.forbid(everyone, DELETE, when=attr("needed") == "editor", unless=[admin])
    app = app_with(roles=ROLES["columns"])
    assert who(app, policy, DELETE, session.get(Doc, 1)) == {"root"}
    assert who(app, policy, DELETE, session.get(Doc, 2)) == {"root", "ann", "ben"}


def test_a_verb_that_nothing_allows_is_nobodys(session):
    """And that is no error."""
    policy = Policy(Doc).allow(registered, VIEW)
    assert who(app_with(), policy, UPDATE, session.get(Doc, 1)) == set()


@pytest.mark.parametrize(
    ("active", "names"),
    [
        (True, {"root", "ann", "ben", "off", "odd"}),
        (Account.level > 2, {"root", "off", "odd"}),
        (Account.is_active, {"root", "ann", "ben"}),
    ],
)
def test_accounts_that_may_not_be_used_never_appear(session, active, names):
    """Nor those of which that is not known."""
    policy = Policy(Doc).allow(registered, VIEW)
    assert who(app_with(active=active), policy, VIEW, session.get(Doc, 1)) == names


def test_the_select_can_be_narrowed_and_ordered(session):
    """It is an ordinary SELECT of accounts."""
    policy = Policy(Doc).allow(registered, VIEW)
    with app_with().app_context():
        asked = policy.who_can(VIEW, session.get(Doc, 1)).order_by(Account.name).limit(2)
        assert [one.name for one in session.scalars(asked)] == ["ann", "ben"]


def test_who_can_of_accounts_themselves(session):
    """The account that is asked about is not the one that asks."""
    policy = Policy(Account).allow(everyone, VIEW, when=attr("name") == caller.principal)
    assert who(app_with(), policy, VIEW, session.get(Account, 2)) == {"ann"}


def test_criteria_of_the_session_hide_no_related_rows(session):
    """As for decisions and lists."""
    policy = Policy(Doc).allow(everyone, VIEW, when=attr("needed").in_(caller.roles))
    with app_with(roles=ROLES["a path"]).app_context():
        asked = policy.who_can(VIEW, session.get(Doc, 1)).options(
            with_loader_criteria(Holding, sa.false()), with_loader_criteria(Doc, sa.false())
        )
        assert [one.name for one in session.scalars(asked)] == ["ann"]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (attr("owner") == caller.email, "nothing is known of caller.email of Account rows, of"),
        (attr("owner") == caller.level, "owner, str, is compared with level of accounts, int"),
        (attr("owner").in_(caller.principal), "caller.principal is asked for as a collection"),
        (attr("owner") == caller.roles, "caller.roles is asked for as one value"),
        (caller.level == "2", "`caller.level == '2'` is str, not int"),
        (caller.roles == "x", "asked of a collection of str"),
        (caller.roles.contains(2), "asked of a collection of str"),
        (caller.is_authenticated == "yes", "is_authenticated, asked for in .* is bool, not str"),
        (attr("owner") == caller.is_authenticated, "what accounts have in common, True, is bool"),
        (predicate(lambda _doc, _caller: True), "a Python function decides"),
    ],
    ids=str,
)
def test_what_no_row_says_is_told(session, condition, told):
    """A question that has no exact answer has none at all."""
    policy = Policy(Doc).allow(everyone, VIEW, when=condition)
    app = app_with(roles="roles.role")
    with pytest.raises(UntranslatableCondition, match="Who may do it cannot be asked.*" + told):
        who(app, policy, VIEW, session.get(Doc, 1))


def test_a_function_of_the_caller_is_told(session):
    """It is Python, which no database calls."""
    policy = Policy(Doc).allow(Role("odd", lambda identity: True), VIEW)
    with pytest.raises(
        UntranslatableCondition, match=r"the function .*lambda.* is asked of callers"
    ):
        who(app_with(), policy, VIEW, session.get(Doc, 1))


def test_the_object_is_as_the_database_has_it(session):
    """Not a draft, not a changed one, and of the policy's class."""
    policy = Policy(Doc).allow(everyone, VIEW)
    doc = session.get(Doc, 1)
    doc.owner = "ben"
    with app_with().app_context():
        for wrong in (doc, Doc(id=9)):
            with pytest.raises(InvalidCondition, match="flush the session before"):
                policy.who_can(VIEW, wrong)
        with pytest.raises(InvalidCondition, match="was given an Account"):
            policy.who_can(VIEW, session.get(Account, 1))


def test_an_app_without_accounts_is_told(session):
    """With what to call."""
    policy = Policy(Doc).allow(everyone, VIEW)
    with pytest.raises(ConfigurationError, match=r"call register_accounts\(app, Account"):
        who(Flask("none"), policy, VIEW, session.get(Doc, 1))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"principal": "nme"}, "'principal' of Account rows is a column of Account or its name"),
        ({"principal": 5}, "principal of Account rows is a column, not 5"),
        ({"active": False}, "'active' of Account rows is a column"),
        ({"active": "nothing"}, "'active' of Account rows is a column"),
        ({"roles": "roles.nme"}, "no attribute at the end of a to-many relationship of Account"),
        ({"roles": "name.x"}, "no attribute at the end of a to-many relationship of Account"),
        ({"roles": {1: "is_admin"}}, "is a mapping of texts to columns"),
        ({"roles": sa.select(Holding.id, Holding.role)}, "is a SELECT of one column"),
        ({"attributes": {"photo": "photo"}}, "'photo' of Account rows is LargeBinary"),
        ({"atributes": {}}, "did you mean 'attributes'"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(given, told):
    """When the accounts are registered, not when somebody asks."""
    with pytest.raises((InvalidCondition, TypeError), match=told):
        app_with(**given)


def test_accounts_are_registered_once():
    """A second declaration would silently win."""
    app = app_with()
    with pytest.raises(InvalidCondition, match="has accounts already"):
        register_accounts(app, Account, principal="name", active=True)


def test_only_a_mapped_class_has_accounts():
    """A table or a plain class is told so."""
    with pytest.raises(InvalidCondition, match="not a class that SQLAlchemy maps"):
        register_accounts(Flask("x"), dict, principal="name", active=True)
