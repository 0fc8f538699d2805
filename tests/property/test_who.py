"""Who may: the accounts that SQL finds are those whose callers the condition allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from sqlalchemy.orm import Session
from tests.counts import count, is_full
from tests.property.condition_check import _quiet, _stored
from tests.property.condition_models import MODELS, Base
from tests.property.condition_oracle import holds, is_denied
from tests.property.who_accounts import (
    AccountsBase,
    KnownCase,
    accounts_by_row,
    known_cases,
    rows_of,
)

from licet.authz import Policy, everyone
from licet.authz._moment import using_moment
from licet.authz.policies._in_sql._who import beside, find
from licet.authz.policies._in_sql._who.accounts import Accounts
from licet.authz.policies.verbs import VIEW
from licet.errors import UntranslatableCondition

EXAMPLES = count(quick=4, full=150)
OBJECTS = count(quick=2, full=100)  # of each table, for each condition
MOST_CASES = 60
ACCOUNTS = accounts_by_row()
Patch = pytest.MonkeyPatch
pytestmark = pytest.mark.usefixtures("unmeasured")
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "english postgresql"])
def connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    """A connection to each kind of database, with empty tables of objects and accounts."""
    if request.param == "sqlite":
        engine = sa.create_engine("sqlite://")
    else:
        url = request.getfixturevalue(f"{request.param.replace(' ', '_')}_url")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as found:
        for metadata in (Base.metadata, AccountsBase.metadata):
            with found.begin():
                metadata.create_all(found)
        yield found
        with found.begin():
            for table in reversed(AccountsBase.metadata.sorted_tables):
                found.execute(sa.schema.DropTable(table))  # alone: both have the same types
            Base.metadata.drop_all(found)
    engine.dispose()


def check(known: KnownCase, connection: sa.Connection) -> int:
    """How many pairs of an account and an object were asked about.

    Raises:
        AssertionError: an account is found that decisions deny, or the reverse.
    """
    n_pairs = 0
    now = using_moment(known.case.world.moment)
    with _stored(known.case, connection), _quiet(), now, Session(connection) as session:
        for caller in known.callers:
            session.add_all(rows_of(caller))
            session.flush()
        for table, condition in known.case.conditions:
            n_pairs += _check(known, table, condition, session)
    return n_pairs


def _check(known: KnownCase, table: str, condition: Any, session: Session) -> int:
    policy = Policy(MODELS[table]).allow(everyone, VIEW, when=condition)
    world = known.case.world
    names = [column.key for column in sa.inspect(policy.model).primary_key]
    n_pairs = 0
    for row in world.tables[table][:OBJECTS]:
        owner = session.get(policy.model, tuple(row[name] for name in names))
        try:
            asked = policy.who_can(VIEW, owner, accounts=ACCOUNTS)
        except UntranslatableCondition as error:
            if "A condition has over" in str(error):
                return 0  # too deep for any database
            if any(told in str(error) for told in ("is int, not Decimal", "of Decimal or int")):
                return 0  # which no caller of such an account could be asked
            raise
        found = [account.id for account in session.scalars(asked)]
        wanted = [
            caller.id
            for caller in known.callers
            if caller.is_active
            and not is_denied(condition, world, table, caller)
            and holds(condition, world, table, row, caller)
        ]
        decided = [
            caller.id
            for caller in known.callers
            if caller.is_active and policy.decide(caller, VIEW, owner)
        ]
        n_pairs += len(known.callers)
        told = f"{condition} on {table} {row}: expected {wanted}"
        assert sorted(found) == wanted, f"{told}, found {found}"
        assert decided == wanted, f"{told}, decided {decided}"
    return n_pairs


def test_who_can_is_who_decide_allows(connection: sa.Connection) -> None:
    """For every pair, whatever the rows, the callers and the condition are."""
    tried = 0

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET, phases=[Phase.generate]
    )
    @given(known_cases())
    def agree(known: KnownCase) -> None:
        nonlocal tried
        tried += check(known, connection)

    agree()

    assert tried >= 100


# --- faults that the check must find -------------------------------------------------------------


def what_is_missing_is_unknown(patch: Patch) -> None:
    """A negation of a missing value is NULL instead of True."""
    negated = beside._negated

    def faulty(term: Any) -> Any:
        is_bare = not isinstance(term, bool | sa.Exists)
        return ~term if is_bare else negated(term)

    patch.setattr(beside, "_negated", faulty)


def any_object_will_do(patch: Patch) -> None:
    """The object is not found by its key."""
    term = find._AboutObject.term
    patch.setattr(
        find._AboutObject,
        "term",
        lambda self, plan, **more: term(replace(self, is_owner=[]), plan, **more),
    )


def disabled_accounts_appear(patch: Patch) -> None:
    """All accounts are asked about."""
    patch.setattr(Accounts, "statement", lambda self: sa.select(self.model))


def the_rest_is_forgotten(patch: Patch) -> None:
    """What starts from related rows looks at one equality of them alone."""
    started = find._AboutObject._started
    patch.setattr(
        find._AboutObject,
        "_started",
        lambda self, leaf, way, others: started(self, leaf, way, []),
    )


FAULTS = [
    (what_is_missing_is_unknown, 3),
    (any_object_will_do, 1),
    (disabled_accounts_appear, 0),
    (the_rest_is_forgotten, 1),
]


@pytest.mark.usefixtures("same_everywhere")
@pytest.mark.parametrize("connection", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("fault", "soon"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found(
    fault: Callable[[Patch], None], soon: int, connection: sa.Connection, monkeypatch: Patch
) -> None:
    """Within a bounded number of cases, by the check above."""
    fault(monkeypatch)

    @settings(
        max_examples=MOST_CASES,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        database=None,
        derandomize=True,
        suppress_health_check=QUIET,
        deadline=None,
    )
    @given(known_cases(depth=1))
    def agree(known: KnownCase) -> None:
        check(known, connection)

    with pytest.raises(AssertionError):
        agree() if is_full() else seed(soon)(agree)()
