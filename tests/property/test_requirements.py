"""Combinators of requirements against plain boolean arithmetic, with answers that are none."""

from __future__ import annotations

import logging
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from licet.authz import Additional, Allows, C, Override, Requirement

INVALID = "invalid"


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """The log would fill with what is denied."""
    log = logging.getLogger("licet.authz")
    log.disabled = True
    yield
    log.disabled = False


OPS = [operator.and_, operator.or_, operator.xor, lambda a, b: a and not b]


@dataclass(frozen=True)
class Leaf(Requirement):
    """Gives one result, whoever is asked about."""

    number: int
    result: object

    def fulfill(self, user: object) -> object:
        if self.result == "raises":
            raise LookupError
        if self.result == "generator":
            return (each for each in [True])
        return self.result


LEAVES = st.builds(
    Leaf,
    st.integers(0, 3),
    st.sampled_from([True, False, True, False, None, 1, 0, "text", "", "raises", "generator"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(
            lambda parts, op, until, negated: C(*parts, op=op, until=until, negated=negated),
            st.lists(inner, max_size=4),
            st.sampled_from(OPS),
            st.sampled_from([None, True, False]),
            st.sampled_from([None, True, False]),
        )
        | st.builds(lambda parts: C.And(*parts), st.lists(inner, max_size=3))
        | st.builds(lambda parts: C.Or(*parts), st.lists(inner, max_size=3))
        | st.builds(lambda parts: C.Not(*parts), st.lists(inner, max_size=2))
    ),
    max_leaves=12,
)


class NoAnswer(Exception):
    """Something in the tree gives none."""


def expected(tree: Requirement, overridden: set[Requirement]) -> bool:
    """What the documentation says of the tree, step by step."""
    if isinstance(tree, Leaf):
        if tree.result in {"raises", "generator"}:
            raise NoAnswer
        return bool(tree.result)
    reduced = None
    for part in tree.requirements:
        if part in overridden:
            continue
        answer = expected(part, overridden)
        reduced = answer if reduced is None else bool(tree.op(reduced, answer))
        if tree.until is not None and tree.until == reduced:
            break
    if reduced is None:
        return True
    return not reduced if tree.negated else reduced


def expected_of_all(trees: list[Requirement], overridden: set[Requirement]) -> bool:
    try:
        return all(expected(tree, overridden) for tree in trees if tree not in overridden)
    except NoAnswer:
        event(INVALID)
        return False


@given(st.lists(TREES, max_size=3))
def test_checks_agree_with_arithmetic(trees: list[Requirement]) -> None:
    """Whatever is combined, the compiled check answers as the documentation says."""
    answer = Allows(identity_loader=object).fulfill(trees)
    assert answer is expected_of_all(trees, set())


@given(st.lists(TREES, max_size=3), st.lists(TREES, max_size=1), st.lists(LEAVES, max_size=3))
def test_overrides_and_additions_agree_with_arithmetic(
    trees: list[Requirement], added: list[Requirement], overridden: list[Requirement]
) -> None:
    """Additions are asked first, and what is overridden nowhere."""
    allows = Allows(identity_loader=object)
    with (
        allows.additional.additional(Additional(*added)),
        allows.overrides.override(Override(*overridden)),
    ):
        answer = allows.fulfill(trees)
    first = [each for each in added if each not in trees]
    assert answer is expected_of_all([*first, *trees], set(overridden))


@given(st.lists(TREES, min_size=1, max_size=4))
def test_no_answer_is_worth_no_entry(trees: list[Requirement]) -> None:
    """A check that asks something invalid first lets nobody pass, whatever stands around it."""
    bad = reduce(lambda tree, more: C(tree, more, negated=True), trees[1:], BROKEN)
    assert Allows(identity_loader=object).fulfill([C.Not(C.Or(bad, trees[0]))]) is False


BROKEN: Requirement = C(Leaf(0, "raises"))
