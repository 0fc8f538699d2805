"""Versions of a handler: which workers claim what, and which function runs it."""

import pytest
from pydantic import BaseModel
from tests.unit.actions.durables import OWNER, Bench

from licet.actions.durable.attempt import Attempt
from licet.errors import ConfigurationError


@pytest.fixture
def bench(database):
    return Bench(database)


class Old(BaseModel):
    a: int


class New(BaseModel):
    a: int
    unit: str


def old(action, body: Old):
    return {"old": body.a}


def new(action, body: New):
    return {"new": body.a, "unit": body.unit}


def run_all(bench, **options) -> int:
    """How many attempts a worker of these versions makes until it finds nothing more."""
    job = bench.job(**options)
    for n_attempts in range(9):
        held = job.runs.claim(OWNER, job.action.lease)
        if held is None:
            return n_attempts
        Attempt(job, held, lambda write: write()).complete()
    raise AssertionError("There was always one more.")


def submit(bench, version: int) -> str:
    return bench.submit(body={"a": 1, "unit": "mm"}, handler_version=version)


class TestClaims:
    def test_a_worker_claims_its_own_version(self, bench):
        """In a rolling deploy old workers end old actions, and new workers new ones."""
        first, second = submit(bench, 1), submit(bench, 2)
        assert run_all(bench, handler=new, body_model=New, version=2) == 1
        assert bench.state(first) == "queued ACTIVE {}"
        assert run_all(bench, handler=old, body_model=Old) == 1
        assert bench.state(first) == "ended SUCCEEDED {'old': 1}"
        assert bench.state(second) == "ended SUCCEEDED {'new': 1, 'unit': 'mm'}"

    def test_an_older_handler_may_be_kept(self, bench):
        """A program with both runs both, each with the body of its own annotation."""
        first, second = submit(bench, 1), submit(bench, 12)
        options = {"handler": new, "body_model": New, "version": 12, "versions": {1: old}}
        assert run_all(bench, **options) == 2
        assert bench.state(first) == "ended SUCCEEDED {'old': 1}"
        assert bench.state(second) == "ended SUCCEEDED {'new': 1, 'unit': 'mm'}"

    @pytest.mark.parametrize("version", [2, 11, 21, 112])
    def test_numbers_that_look_alike(self, bench, version):
        """Version 12 is none of 2, 11, 21 and 112."""
        submit(bench, version)
        assert run_all(bench, version=12, versions={1: old}) == 0

    def test_a_named_action(self, bench):
        """A message that names an action of another version leaves it queued."""
        action_id = submit(bench, 2)
        assert bench.runs.claim_one(OWNER, bench.job().action.lease, action_id) is None
        assert bench.runs.claim_ready(OWNER, bench.job().action.lease) is None


@pytest.mark.parametrize(
    "options",
    [
        {"version": 0},
        {"version": True},
        {"version": 1.5},
        {"version": 2**31},
        {"versions": {0: old}},
        {"versions": {1: old}},
        {"version": 2, "versions": {1: "old"}},
        {"max_recoveries": 0},
    ],
)
def test_what_cannot_be(bench, options):
    """A version is a whole number, each has one handler, and a worker may be lost."""
    with pytest.raises(ConfigurationError, match="The durable action of 'unit'"):
        bench.job(**options)
