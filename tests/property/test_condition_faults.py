"""The check of conditions finds what it is for: each fault breaks one rule of their semantics."""

import itertools
import operator
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from sqlalchemy.sql import operators
from tests.counts import is_full
from tests.property.condition_cases import Case, cases
from tests.property.condition_check import check

from licet.authz import _moment
from licet.authz.policies import _in_memory as _decide
from licet.authz.policies import _plan
from licet.authz.policies._in_sql import _edges, _page, _pairs
from licet.authz.policies._in_sql import _terms as _sql
from licet.authz.policies._models import callers as binding
from licet.authz.policies._models.nodes import (
    TRUE,
    AllOf,
    AnyOf,
    Exists,
    Leaf,
    Slot,
    Test,
    Truth,
)
from licet.authz.policies._models.paths import resolve_path
from licet.authz.policies._models.shape import Kind

MOST_CASES = 400
pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.filterwarnings("ignore:Dialect sqlite.* does .not. support Decimal"),
]
Patch = pytest.MonkeyPatch


def not_equal_ignores_null(patch: Patch) -> None:
    """``!=`` and ``not ==`` of a missing value are NULL instead of True."""
    _negate_bare(patch, lambda test: test is Test.EQ)


def negation_leaves_null(patch: Patch) -> None:
    """Negated orders, ``in_`` and texts of a missing value are NULL instead of True."""
    _negate_bare(patch, lambda test: test not in (Test.EQ, Test.PRESENT))


def _negate_bare(patch: Patch, is_meant: Callable[[Test], bool]) -> None:
    compared = _sql._compared

    def faulty(plan: Any, attribute: Any) -> Any:
        if isinstance(plan, Leaf) and plan.is_negated and is_meant(plan.test):
            plan = replace(plan, column=replace(plan.column, is_nullable=False))
        return compared(plan, attribute)

    patch.setattr(_sql, "_compared", faulty)


def texts_are_patterns(patch: Patch) -> None:
    r"""``%``, ``_`` and ``\`` mean something in `contains` and `startswith`."""
    patch.setattr(_sql, "position", lambda text, part: sa.case((text.contains(part), 1), else_=0))
    patch.setattr(_sql, "begins", lambda text, part: text.startswith(part))


def the_database_sorts(patch: Patch) -> None:
    """Texts are ordered as the database likes."""
    patch.setattr(_sql, "code_points", lambda text: text)


def all_of_nothing_is_false(patch: Patch) -> None:
    """``all`` asks for at least one related object."""
    quantified = _plan._Planner._quantified

    def faulty(self: Any, condition: Any, shape: Any, *, is_negated: bool, depth: int) -> Any:
        plan = quantified(self, condition, shape, is_negated=is_negated, depth=depth)
        if not condition.is_all:
            return plan
        hops, relation = resolve_path(condition, condition.path, shape)
        nothing = Exists(hops, relation, TRUE, is_negated)
        return AnyOf((nothing, plan)) if is_negated else AllOf((nothing, plan))

    patch.setattr(_plan._Planner, "_quantified", faulty)


def two_anys_are_of_one_row(patch: Patch) -> None:
    """``any(A) & any(B)`` becomes ``any(A & B)``."""
    all_of = _plan._all_of

    def faulty(parts: list[Any]) -> Any:
        match parts:
            case [Exists(is_negated=False) as one, Exists(is_negated=False) as other]:
                if (one.hops, one.relation) == (other.hops, other.relation):
                    return replace(one, inner=AllOf((one.inner, other.inner)))
        return all_of(parts)

    patch.setattr(_plan, "_all_of", faulty)


def nothing_equals_nothing(patch: Patch) -> None:
    """What the caller has not equals a missing value."""
    with_value = _sql._with_value

    def faulty(leaf: Leaf, values: Any) -> Any:
        if leaf.test is Test.EQ and values[leaf.operand.index] is None:
            return replace(leaf, test=Test.PRESENT, operand=None, is_negated=not leaf.is_negated)
        return with_value(leaf, values)

    patch.setattr(_sql, "_with_value", faulty)


def decisions_take_nothing_for_equal(patch: Patch) -> None:
    """The same in decisions."""
    compared = _decide._Writer._compared

    def faulty(self: Any, leaf: Leaf, owner: str) -> Any:
        found = compared(self, leaf, owner)
        is_guarded = isinstance(leaf.operand, Slot) and leaf.test is Test.EQ
        return found.values[1] if is_guarded else found

    patch.setattr(_decide._Writer, "_compared", faulty)


def no_object_has_no_other_value(patch: Patch) -> None:
    """``!=`` along a path asks for a related object that has another value."""

    def faulty(leaf: Leaf, entity: Any, as_column: bool) -> Any:
        *way, last = leaf.hops
        target = _sql.target_of(last)
        link = _sql._Link(last, target, _sql._leaf(replace(leaf, hops=()), target), as_column)
        return _sql._reached(way, entity, False, link)

    patch.setattr(_sql, "_leaf_of_related", faulty)


def everything_is_in_nothing(patch: Patch) -> None:
    """``in_`` with no values is True."""
    folded = _plan.folded

    def faulty(leaf: Leaf) -> Any:
        found = folded(leaf)
        is_empty = leaf.test is Test.IN and isinstance(found, Truth)
        return Truth(not found.holds) if is_empty else found

    patch.setattr(_plan, "folded", faulty)
    patch.setattr(_sql, "folded", faulty)


def none_is_a_value(patch: Patch) -> None:
    """NULL is one of the values of every ``in_``, so that what is not in it is unknown."""
    is_in = _sql._is_in
    patch.setattr(_sql, "_is_in", lambda *leaf: sa.or_(is_in(*leaf), sa.null()))


def integers_have_no_bounds(patch: Patch) -> None:
    """An integer that no column holds is sent to the database."""
    patch.setattr(_plan, "_beyond", lambda _column, _value: False)


def callers_share_parameters(patch: Patch) -> None:
    """A value of the caller's is a parameter of one name in every statement."""
    bound, leaf_piece, names = _sql._bound, _sql._leaf, []

    def named(leaf: Leaf, entity: Any) -> Any:
        piece = leaf_piece(leaf, entity)

        def make(values: Any) -> Any:
            names[:] = [f"caller_{leaf.operand.index}"] if isinstance(leaf.operand, Slot) else []
            made = piece.make(values)
            names.clear()
            return made

        return replace(piece, make=make)

    def faulty(column: Any, attribute: Any, value: Any) -> Any:
        made = bound(column, attribute, value)
        return sa.bindparam(names.pop(), value, type_=made.type) if names else made

    patch.setattr(_sql, "_leaf", named)
    patch.setattr(_sql, "_bound", faulty)


def wall_clocks_are_compared(patch: Patch) -> None:
    """Moments of other zones are compared as Python does, which minds the hour that comes twice."""
    patch.setattr(binding, "in_utc", lambda value: value)


def moments_have_one_text(patch: Patch) -> None:
    """SQLite is asked for the text that SQLAlchemy writes, which CURRENT_TIMESTAMP does not."""
    patch.setattr(_edges, "_texts", lambda moment: [f"{moment:%Y-%m-%d %H:%M:%S.%f}".zfill(26)])


def numbers_have_one_double(patch: Patch) -> None:
    """SQLite is asked for the double that is nearest to a number."""
    patch.setattr(_edges, "_first_double", lambda number, _scale: float(number))


def numbers_are_cut_to_their_column(patch: Patch) -> None:
    """PostgreSQL rounds what a column is compared with as it rounds what it keeps."""
    bind = _edges.NumberEdge.process_bind_param

    def faulty(self: Any, value: Any, dialect: Any) -> Any:
        is_cut = dialect.name == "postgresql" and abs(value) < 10**15
        return bind(self, round(value, self.scale) if is_cut else value, dialect)

    patch.setattr(_edges.NumberEdge, "process_bind_param", faulty)


def numbers_are_compared_as_kept(patch: Patch) -> None:
    """Of two numbers SQLite compares the doubles, not what they are read as."""
    patch.setattr(_pairs, "read_number", lambda number, _scale: number)


def two_moments_are_compared_as_kept(patch: Patch) -> None:
    """Of two moments SQLite compares the texts, whatever their forms."""
    patch.setattr(_pairs, "whole_moment", lambda moment: moment)
    patch.setattr(_pairs, "naive_moment", lambda moment: moment)


def nothing_differs_from_nothing(patch: Patch) -> None:
    """``!=`` between attributes is NULL where one of them is missing."""
    patch.setitem(_pairs._OPERATORS, Test.NE, operators.ne)


def decisions_take_two_nothings_for_equal(patch: Patch) -> None:
    """Two missing attributes are equal, in decisions."""
    patch.setitem(_decide._COMPARE_BOTH, Test.EQ, operator.eq)


def a_null_of_json_is_a_value(patch: Patch) -> None:
    """Where JSON is null there is something, in SQL."""
    patch.setattr(_sql, "is_json_null", lambda _value: sa.false())


def columns_of_json_are_never_null(patch: Patch) -> None:
    """What is declared NOT NULL is not asked, though JSON has a null of its own."""
    present = _sql._present

    def faulty(leaf: Leaf, attribute: Any) -> Any:
        is_required = attribute.name == "json_of_own"
        return not leaf.is_negated if is_required else present(leaf, attribute)

    patch.setattr(_sql, "_present", faulty)


def enums_take_any_text(patch: Patch) -> None:
    """A text that is none of an enum's is sent to the database."""
    patch.setattr(_plan, "_beyond", lambda _column, _value: False)


def now_goes_on(patch: Patch) -> None:
    """Every part of a decision has a moment of its own."""
    ticks = itertools.count()

    def later() -> Any:
        known = _moment.known_moment()
        tick = timedelta(microseconds=next(ticks) % 2)
        return known + tick if known.year < 9000 else known - tick

    patch.setattr(binding, "decision_moment", later)


def days_begin_elsewhere(patch: Patch) -> None:
    """The date of a moment is that of another zone."""
    after = binding.moment_after
    zone = timezone(timedelta(hours=-9))
    patch.setattr(
        binding,
        "moment_beside",
        lambda now, column: (
            after(now).astimezone(zone).date()
            if column.kind is Kind.DATE and 1 < after(now).year < 9999
            else after(now)
        ),
    )


def pages_begin_with_rows_of_others(patch: Patch) -> None:
    """The walk for who has many rows forgets whose each row is."""
    patch.setattr(_page, "_by_exists", lambda _term: sa.true())


# with the kind of attribute that it is about, a database that shows it, and a seed that soon finds
# it when counts are quick
FAULTS = [
    (not_equal_ignores_null, None, "sqlite", 1),
    (negation_leaves_null, None, "sqlite", 1),
    (texts_are_patterns, "text", "postgresql", 2),
    (the_database_sorts, "text", "english postgresql", 0),
    (all_of_nothing_is_false, None, "sqlite", 0),
    (two_anys_are_of_one_row, "integer", "sqlite", 0),
    (nothing_equals_nothing, "moment", "sqlite", 0),
    (decisions_take_nothing_for_equal, "moment", "sqlite", 0),
    (no_object_has_no_other_value, None, "sqlite", 1),
    (everything_is_in_nothing, None, "sqlite", 1),
    (none_is_a_value, "uuid", "sqlite", 5),
    (integers_have_no_bounds, "integer", "sqlite", 3),
    (callers_share_parameters, None, "sqlite", 0),
    (wall_clocks_are_compared, "moment", "sqlite", 0),
    (moments_have_one_text, "moment", "sqlite", 1),
    (numbers_have_one_double, "number", "sqlite", 1),
    (numbers_are_cut_to_their_column, "number", "postgresql", 2),
    (numbers_are_compared_as_kept, "number", "sqlite", 3),
    (two_moments_are_compared_as_kept, "moment", "sqlite", 4),
    (nothing_differs_from_nothing, "number", "sqlite", 5),
    (decisions_take_two_nothings_for_equal, "choice one", "sqlite", 1),
    (a_null_of_json_is_a_value, "other", "sqlite", 0),
    (columns_of_json_are_never_null, "other", "postgresql", 0),
    (enums_take_any_text, "choice one", "postgresql", 0),
    (now_goes_on, "moment", "sqlite", 2),
    (days_begin_elsewhere, "day", "sqlite", 2),
    (pages_begin_with_rows_of_others, None, "sqlite", 0),
]


@pytest.mark.usefixtures("same_everywhere")
@pytest.mark.parametrize(
    ("fault", "only", "condition_connection", "soon"),
    FAULTS,
    indirect=["condition_connection"],
    ids=[fault.__name__ for fault, *_ in FAULTS],
)
def test_a_fault_is_found(
    fault: Callable[[Patch], None],
    only: str | None,
    condition_connection: sa.Connection,
    soon: int,
    monkeypatch: Patch,
) -> None:
    """Within a bounded number of cases; the check is that of `test_conditions`."""
    fault(monkeypatch)

    @settings(
        max_examples=MOST_CASES,
        phases=[Phase.generate],
        database=None,
        derandomize=True,  # a fault that was found is found again
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases(depth=1, only=only))
    def agree(case: Case) -> None:
        check(case, condition_connection)

    with pytest.raises(AssertionError):
        agree() if is_full() else seed(soon)(agree)()
