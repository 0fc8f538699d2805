"""Inheritance: the three readings agree on subclasses, or the relationship is refused."""

from typing import ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    mapped_column,
    relationship,
)

from licet.authz import LIST, Policy, attr, caller, everyone
from licet.errors import InvalidCondition, UntranslatableCondition


class Base(DeclarativeBase):
    pass


class Company(Base):
    __tablename__ = "company"
    id: Mapped[int] = mapped_column(primary_key=True)
    managers = relationship("Manager", viewonly=True)
    engineers = relationship("Engineer", viewonly=True)


class Employee(Base):
    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    account: Mapped[int]
    company_id: Mapped[int | None] = mapped_column(sa.ForeignKey("company.id"))
    boss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("employee.id"))
    company = relationship(Company)
    boss = relationship("Employee", remote_side="Employee.id")
    managing_boss = relationship(
        "Manager", foreign_keys=[boss_id], remote_side="Employee.id", viewonly=True
    )
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}


class Manager(Employee):
    """In the table of all employees."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "manager"}


class Engineer(Employee):
    """In a table of its own as well."""

    __tablename__ = "engineer"
    id: Mapped[int] = mapped_column(sa.ForeignKey("employee.id"), primary_key=True)
    skill: Mapped[str | None]
    __mapper_args__: ClassVar = {"polymorphic_identity": "engineer"}


class Who:
    def __init__(self, account):
        self.account = account


@pytest.fixture(scope="module")
def db():
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(
            [
                Company(id=1),
                Company(id=2),
                Manager(id=1, account=5, company_id=1),
                Employee(id=2, account=5, company_id=2),
                Engineer(id=3, account=7, skill="x", company_id=2, boss_id=1),
                Engineer(id=4, account=8, company_id=1, boss_id=2),
            ]
        )
        session.commit()
        yield session


@pytest.mark.parametrize("account", [5, 7, 8, 9])
@pytest.mark.parametrize(
    ("model", "condition"),
    [
        (
            Company,
            attr("engineers").any((attr("account") == caller.account) & (attr("skill") == "x")),
        ),
        (Company, attr("engineers").all(attr("skill") != "x")),
        (Engineer, (attr("boss.account") == caller.account) | (attr("account") == caller.account)),
        (Engineer, ~(attr("boss.account") == caller.account)),
        (Manager, attr("company.engineers").any(attr("account") == caller.account)),
        (Employee, ~(attr("boss.kind") == "manager") | (attr("boss.account") == caller.account)),
    ],
    ids=str,
)
def test_the_readings_agree_on_subclasses(db, model, condition, account):
    """What is decided of each object is what its list holds, in one table or several."""
    policy = Policy(model).allow(everyone, LIST, when=condition)
    who = Who(account)

    decided = {row.id for row in db.scalars(sa.select(model)) if policy.decide(who, LIST, row)}

    assert set(db.scalars(policy.filter(sa.select(model.id), who))) == decided
    assert {row.id for row in db.scalars(policy.filter(sa.select(model), who))} == decided


@pytest.mark.parametrize("model", [Manager, Engineer])
def test_a_page_of_a_subclass_ends_its_order_with_the_key(model):
    """Under the policy of its base, too; else a row could be on two pages, and another on none."""
    policy = Policy(Employee).allow(everyone, LIST, when=attr("account") == caller.account)

    page = policy.filter(sa.select(model).order_by(model.account.desc()).limit(2), Who(5))

    assert str(page).partition("ORDER BY ")[2].split("\n")[0].strip() == (
        "employee.account DESC, employee.id DESC"
    )


class Part(Base):
    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[int]


class OldPart(Part):
    """In a table of its own only."""

    __tablename__ = "old_part"
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[int]
    __mapper_args__: ClassVar = {"concrete": True}


@pytest.mark.parametrize("is_aliased", [False, True])
@pytest.mark.parametrize(
    ("model", "entity"),
    [
        (Employee, Part),
        (Part, OldPart),
        (Manager, Employee),
        (Manager, Engineer),
        (Engineer, Employee),
    ],
)
def test_a_criterion_of_another_entity_is_refused(model, entity, is_aliased):
    """It would stand beside that, and every row of it would come."""
    policy = Policy(model).allow(everyone, LIST, when=attr("account") == caller.account)

    with pytest.raises(
        InvalidCondition, match=rf"about {model.__name__}, and the entity is {entity.__name__}:"
    ):
        policy.criterion(Who(5), LIST, aliased(entity) if is_aliased else entity)


def test_what_is_no_entity_has_no_criterion():
    """Neither a table nor a name."""
    policy = Policy(Employee).allow(everyone, LIST)

    for entity in (Employee.__table__, "Employee"):
        with pytest.raises(InvalidCondition, match="Give Employee, a subclass of it, or an alias"):
            policy.criterion(Who(5), LIST, entity)


@pytest.mark.parametrize(
    ("model", "condition"),
    [
        (Employee, attr("managing_boss.account") == 5),
        (Company, attr("managers").any(attr("account") == 5)),
    ],
)
def test_a_subclass_without_a_table_is_refused(model, condition):
    """SQLAlchemy asks the wrong row for its kind, which would turn a negation around."""
    policy = Policy(model).allow(everyone, LIST, when=condition)
    with pytest.raises(UntranslatableCondition, match="leads to a subclass without a table"):
        policy.build()
