"""Who may do something with one object, of 20,000 accounts: wall-clock time of the whole question.

    make bench                       # or: .venv/bin/python benchmarks/who.py --rounds 50

An account may edit a document when it owns it, or is an editor of its project; administrators may
edit all. Every account column that is asked has an index. The rival is the SELECT that one would
write by hand, and the other way to answer: to decide for each of the accounts.

Floor: at most 10 ms for 20,000 accounts, the object being loaded; on SQLite in memory, or on the
database of ``--url``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from licet.authz import ALL, UPDATE, VIEW, Policy, Role, attr, caller, registered
from licet.authz.policies._in_sql._who.accounts import Accounts, read_accounts

ACCOUNTS, PROJECTS, DOCUMENTS, EDITORS = 20_000, 400, 2_000, 20
FLOOR_MS = 10.0


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "who_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    is_admin: Mapped[bool] = mapped_column(index=True)
    is_active: Mapped[bool]


class Project(Base):
    __tablename__ = "who_project"
    id: Mapped[int] = mapped_column(primary_key=True)
    editors: Mapped[list[Editor]] = relationship()


class Editor(Base):
    __tablename__ = "who_editor"
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("who_project.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("who_account.id"), primary_key=True)


class Document(Base):
    __tablename__ = "who_document"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(sa.ForeignKey("who_project.id"))
    owner: Mapped[str]
    is_locked: Mapped[bool]
    project: Mapped[Project] = relationship()


def make_policy() -> Policy:
    admin = Role("admin", caller.is_admin.is_true(), implies=[registered])
    own = (attr("owner") == caller.principal).named("own")
    edited = attr("project.editors").any(attr("account_id") == caller.account_id).named("edited")
    locked = attr("is_locked").is_true().named("locked")
    documents = Policy(Document, name="documents")
    documents.allow(admin, ALL)
    documents.allow(registered, VIEW | UPDATE, when=own | edited)
    documents.forbid(registered, UPDATE, when=locked, unless=[admin])
    return documents.build()


def fill(session: Session) -> None:
    accounts = [
        {"id": n, "name": f"a{n}", "is_admin": n % 4000 == 0, "is_active": n % 10 != 3}
        for n in range(1, ACCOUNTS + 1)
    ]
    editors = [
        {"project_id": p, "account_id": 1 + (p * 47 + n * 7) % ACCOUNTS}
        for p in range(1, PROJECTS + 1)
        for n in range(EDITORS)
    ]
    documents = [
        {"id": n, "project_id": 1 + n % PROJECTS, "owner": f"a{1 + n * 9}", "is_locked": n % 9 == 0}
        for n in range(1, DOCUMENTS + 1)
    ]
    session.execute(sa.insert(Account), accounts)
    session.execute(sa.insert(Project), [{"id": n} for n in range(1, PROJECTS + 1)])
    session.execute(sa.insert(Editor), editors)
    session.execute(sa.insert(Document), documents)
    session.commit()
    session.execute(sa.text("ANALYZE"))
    session.commit()


def by_hand(document: Document) -> sa.Select[Any]:
    edits = sa.select(Editor.account_id).where(Editor.project_id == document.project_id)
    may = sa.or_(
        Account.is_admin,
        sa.and_(
            sa.false() if document.is_locked else sa.true(),
            sa.or_(Account.name == document.owner, Account.id.in_(edits)),
        ),
    )
    return sa.select(Account).where(Account.is_active, may)


def in_python(policy: Policy, document: Document, session: Session) -> set[int]:
    return {
        account.id
        for account in session.scalars(sa.select(Account).where(Account.is_active))
        if policy.decide(as_caller(account), UPDATE, document)
    }


def as_caller(account: Account) -> Any:
    return SimpleNamespace(
        principal=account.name,
        account_id=account.id,
        is_admin=account.is_admin,
        is_authenticated=True,
    )


def known_accounts() -> Accounts:
    return read_accounts(
        Account,
        principal="name",
        roles=None,
        active="is_active",
        attributes={"account_id": "id", "is_admin": "is_admin"},
        live=None,
    )


def milliseconds(ask: Any, documents: list[Document]) -> tuple[float, float]:
    """The median and the 95th percentile of one question."""
    took = []
    for document in documents:
        start = time.perf_counter()
        ask(document)
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took), sorted(took)[int(len(took) * 0.95)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--url", default="sqlite://")
    given = parser.parse_args()
    engine = sa.create_engine(given.url)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    policy, accounts = make_policy(), known_accounts()
    with Session(engine) as session:
        fill(session)
        documents = list(session.scalars(sa.select(Document).limit(given.rounds)))

        def who(document: Document) -> set[int]:
            asked = policy.who_can(UPDATE, document, accounts=accounts)
            return {account.id for account in session.scalars(asked)}

        def hand(document: Document) -> set[int]:
            return {account.id for account in session.scalars(by_hand(document))}

        for document in documents[:5]:
            found = who(document)
            assert found == hand(document) == in_python(policy, document, session), document.id
        median, worst = milliseconds(who, documents)
        rival, _ = milliseconds(hand, documents)
        each, _ = milliseconds(lambda one: in_python(policy, one, session), documents[:3])
    Base.metadata.drop_all(engine)
    print(f"{ACCOUNTS:,} accounts, {engine.dialect.name}: who may UPDATE one document")
    print(f"  policy.who_can          {median:8.2f} ms   (95 % within {worst:.2f} ms)")
    print(f"  a SELECT by hand        {rival:8.2f} ms")
    print(f"  decide for each account {each:8.2f} ms")
    print(f"floor: at most {FLOOR_MS} ms: {'ok' if median <= FLOOR_MS else 'MISSED'}")
    return 0 if median <= FLOOR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
