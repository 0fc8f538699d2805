"""A denial beats every grant in every reading, whatever conditions, rows and callers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.counts import count, is_full
from tests.property.condition_cases import Case, caller_tests, cases, conditions
from tests.property.condition_cases import _Pools as Pools
from tests.property.condition_check import _few_are_many, _objects, _Question, _quiet, _stored
from tests.property.condition_models import MODELS
from tests.property.condition_rows import operand_pools

from licet.authz import LIST, VIEW, Policy, Role, everyone
from licet.authz._moment import using_moment
from licet.authz.policies import _built, _check
from licet.authz.policies._in_sql._terms import as_column
from licet.authz.policies.conditions import Condition, Conjunction
from licet.errors import UntranslatableCondition

EXAMPLES = count(quick=4, full=300)
MOST_CASES = 40
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
Patch = pytest.MonkeyPatch
pytestmark = pytest.mark.usefixtures("unmeasured")


class AskedPolicy:
    """The readings of a policy, in the form that the check of conditions asks."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def decide(self, owner: Any, identity: Any) -> bool:
        return self.policy.decide(identity, VIEW, owner).allowed

    def explain(self, owner: Any, identity: Any) -> bool:
        return self.policy.explain(identity, VIEW, owner).holds

    def where(self, identity: Any, entity: Any = None) -> Any:
        return self.policy.criterion(identity, LIST, entity)

    def page(self, statement: Any, identity: Any) -> Any:
        return self.policy.filter(statement, identity)

    def column(self, identity: Any) -> Any:
        return as_column(self.policy.check(LIST).column(identity))


class Question(_Question):
    """Asks a policy; what is expected is worked out from the parts alone."""

    def __init__(self, case: Case, table: str, parts: list[Condition]) -> None:
        granted, also, forbidden, spared = parts
        super().__init__(case, table, (granted | also) & ~(forbidden & ~spared))
        policy = Policy(MODELS[table])
        policy.allow(everyone, LIST | VIEW, when=granted).allow(everyone, LIST | VIEW, when=also)
        policy.forbid(everyone, LIST | VIEW, when=forbidden, unless=[Role("spared", spared)])
        self.asked = AskedPolicy(policy.build())


class Denials:
    """Rows, callers, and the parts of policies."""

    def __init__(self, case: Case, parts: list[tuple[str, list[Condition]]]) -> None:
        self.case, self.parts = case, parts

    def __repr__(self) -> str:
        told = "\n".join(f"{table}: {' / '.join(map(str, parts))}" for table, parts in self.parts)
        return f"Denials({told:.3000}\n{self.case!r})"


@st.composite
def denials(draw: st.DrawFn) -> Denials:
    case = draw(cases(depth=1))
    pools = Pools(case.world, operand_pools(case.world), None)
    parts = []
    for _ in range(8):
        table = draw(st.sampled_from(["item", "item", "person", "tag", "shelf"]))
        made = [draw(conditions(table, pools, 1, 1)) for _ in range(3)]
        parts.append((table, [*made, draw(caller_tests(pools))]))
    return Denials(case, parts)


def check(given_denials: Denials, connection: sa.Connection) -> int:
    """How many policies were checked.

    Raises:
        AssertionError: a reading is not what the parts say.
    """
    case = given_denials.case
    n_checked = 0
    with _stored(case, connection), _quiet(), _few_are_many(), using_moment(case.world.moment):
        objects = _objects(connection, is_eager=False)
        for table, parts in given_denials.parts:
            try:
                question = Question(case, table, parts)
            except UntranslatableCondition as error:
                if "A condition has over" not in str(error):
                    raise
                continue
            n_checked += 1
            question.check_decisions(objects[table], question.asked.decide, "decide")
            question.check_decisions(objects[table], question.asked.explain, "explain")
            question._check_columns(connection)
            question._check_union(connection)
            question._check_page(connection)
        objects["session"].close()
    return n_checked


def test_denials_count_in_every_reading(condition_connection: sa.Connection) -> None:
    """Decisions, explanations, columns, lists and pages."""
    tried = 0

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)
    @given(denials())
    def agree(given_denials: Denials) -> None:
        nonlocal tried
        tried += check(given_denials, condition_connection)

    agree()

    assert tried >= 10


# --- faults that the check must find -------------------------------------------------------------


def nobody_is_spared(patch: Patch) -> None:
    """`unless` is forgotten."""
    condition = _built.Built.condition

    def faulty(self: Any, line: Any) -> Any:
        made = condition(self, line)
        is_denial = isinstance(line, _built.Denial)
        return Conjunction(made.declared, made.footnote, made.parts[:2]) if is_denial else made

    patch.setattr(_built.Built, "condition", faulty)


def lists_forget_denials(patch: Patch) -> None:
    """SQL is built of the grants alone."""
    build = _check.build

    def faulty(plan: Any, entity: Any, **options: Any) -> Any:
        parts = getattr(plan, "parts", None)
        if parts and isinstance(plan, _check.AllOf):
            plan = parts[0]
        return build(plan, entity, **options)

    patch.setattr(_check, "build", faulty)


def a_grant_of_ones_own_is_enough(patch: Patch) -> None:
    """The last grant is not bound by denials."""
    checked = _built.Built._check

    def faulty(self: Any, name: str) -> Any:
        lines = self._policy.lines
        made = checked(self, name)
        last = [one for one in lines if isinstance(one, _built.Grant)][-1]
        whole = made.condition | self.condition(last)
        return _check.Check(whole, self.shape)

    patch.setattr(_built.Built, "_check", faulty)


FAULTS = [nobody_is_spared, lists_forget_denials, a_grant_of_ones_own_is_enough]


@pytest.mark.usefixtures("same_everywhere")
@pytest.mark.parametrize("condition_connection", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_a_fault_is_found(
    fault: Callable[[Patch], None], condition_connection: sa.Connection, monkeypatch: Patch
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
    @given(denials())
    def agree(given_denials: Denials) -> None:
        check(given_denials, condition_connection)

    with pytest.raises(AssertionError):
        agree() if is_full() else seed(1)(agree)()
