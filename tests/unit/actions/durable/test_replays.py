"""A later attempt asks for what is stored, or ends the action: programs that change, and order."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.actions.durables import Bench, Died

from licet.actions import ActionStopped, Retry
from licet.actions.durable.steps import recorded
from licet.actions.durable.steps.arguments import digest_of, function_name
from licet.actions.durable.steps.recorded import Mark
from licet.errors import ActionFailure, UsageError

NO_WAIT = Retry(wait_seconds=0)


@pytest.fixture
def bench(database):
    return Bench(database)


def details_of(bench, action_id):
    return bench.life(action_id).details


def count(first, last):
    return last - first + 1


def pay(who):
    return f"paid {who}"


def refund(who):
    return f"refunded {who}"


class TestAnotherProgram:
    """With the default declaration: one attempt, whose worker is lost."""

    def two(self, bench, first, second):
        action_id = bench.submit()

        def dies(action, body):
            first(action, body)
            raise Died

        bench.run_or_die(dies)
        bench.run(second)
        return action_id

    def test_other_chunks(self, bench):
        """Other arguments at a place: the action fails instead of counting half."""
        action_id = self.two(
            bench,
            lambda action, _: [action.step("n", count, at, at + 9) for at in (1, 11)],
            lambda action, _: {
                "counted": sum(action.step("n", count, at, at + 19) for at in (1, 21))
            },
        )
        assert bench.state(action_id) == "ended FAILED StepMismatch"
        told = details_of(bench, action_id)["description"]
        assert "Place 1 holds the step 'n' of tests.unit.actions.durable.test_replays:count" in told
        assert "with other arguments" in told
        assert "20" not in told

    def test_another_order(self, bench):
        """Nobody gets what was paid to somebody else, or is paid twice."""
        paid = []

        def pay_one(who):
            paid.append(who)

        action_id = self.two(
            bench,
            lambda action, _: action.step("pay", pay_one, "ann"),
            lambda action, _: [action.step("pay", pay_one, who) for who in ("bob", "ann")],
        )
        assert bench.state(action_id) == "ended FAILED StepMismatch"
        assert paid == ["ann"]

    @pytest.mark.parametrize(
        ("second", "words"),
        [
            (lambda a: a.step("refund", pay, "ann"), "step 'pay' of tests.*for the step 'refund'"),
            (lambda a: a.step("pay", refund, "ann"), ":pay, and .*:refund"),
            (lambda a: a.pause("Wait", "x"), "for the 'pause Wait'"),
            (lambda a: None, "returned without asking for it"),
            (lambda a: a.parallel([a.call("pay", pay, who) for who in "ab"]), "other arguments"),
        ],
    )
    def test_another_step(self, bench, second, words):
        """A name, a function, a pause, or nothing at all: the description names both."""
        action_id = self.two(
            bench, lambda a, _: a.step("pay", pay, "ann"), lambda a, _: second(a) and {}
        )
        assert bench.state(action_id) == "ended FAILED StepMismatch"
        assert re.search(words, details_of(bench, action_id)["description"])

    def test_it_is_not_tried_again(self, bench):
        """Another attempt would find the same, however many there may be."""
        action_id = bench.submit()

        def first(action, _body):
            action.step("a", int)
            raise ConnectionError

        bench.run(first, max_attempts=9, retry=NO_WAIT)
        bench.run(lambda action, _: action.step("b", int), max_attempts=9, retry=NO_WAIT)
        assert bench.state(action_id) == "ended FAILED StepMismatch"

    def test_a_handler_that_catches_everything(self, bench):
        """It is told by what is no Exception, again and again, and its result does not count."""
        told = []

        def second(action, _body):
            for _ in range(2):
                try:
                    action.step("b", told.append, "ran")
                except ActionStopped as stopped:
                    told.append(stopped.reason.value)
            return {}

        action_id = self.two(bench, lambda action, _: action.step("a", int), second)
        assert bench.state(action_id) == "ended FAILED StepMismatch"
        assert "ran" not in told
        assert len(told) == 2

    def test_a_gap_is_the_rest_of_one_parallel(self, bench):
        """A step at an empty place is not made while another is stored behind it."""
        ran = []

        def one(number):
            ran.append(number)

        action_id = bench.submit()
        held = bench.claim()
        for number in (0, 2):
            mark = Mark(number + 1, function_name(one), digest_of([number], {}))
            bench.runs.add_step(held, f"n #{number + 1}", "null", mark)
        bench.lose_worker(action_id)
        bench.run(lambda action, _: [action.step("n", one, number) for number in (0, 2)] and {})
        assert bench.state(action_id) == "ended FAILED StepMismatch"
        told = details_of(bench, action_id)["description"]
        assert "at place 2, where nothing is stored, while place 3 holds the step 'n'" in told
        assert ran == []

    def test_more_behind_what_is_stored(self, bench):
        """What comes after the stored steps may be changed."""
        action_id = self.two(
            bench,
            lambda action, _: action.step("a", int, "1"),
            lambda action, _: {"n": [action.step("a", int, "1"), action.step("new", int, "2")]},
        )
        assert bench.state(action_id) == "ended SUCCEEDED {'n': [1, 2]}"


class TestStepsOfAnEarlierLicet:
    """They have no place, and are found by a name and a count until their action ends."""

    def test_they_are_replayed(self, bench):
        """Also where steps with a place follow, and after one that old code stored behind them."""
        action_id = bench.submit()
        held = bench.claim()
        for number in (1, 2):
            bench.runs.add_step(held, f"n #{number}", str(number))
        bench.runs.add_step(held, "pause Wait #1", "null")
        bench.lose_worker(action_id)

        def handler(action, _body):
            first = [action.step("n", int, "9") for _ in range(2)]
            action.pause("Wait", "not again")
            found = [*first, action.step("n", int, "3")]
            if action.recoveries == 1:
                raise Died
            return {"n": [*found, action.step("n", int, "8"), action.step("n", int, "5")]}

        bench.run_or_die(handler)
        held = bench.claim()
        bench.runs.add_step(held, "n #4", "4")  # by a process of the old code
        bench.lose_worker(action_id)
        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': [1, 2, 3, 4, 5]}"


class TestOtherThreads:
    """Which of two threads is first is a matter of chance: their steps have no place."""

    def test_a_step_is_refused(self, bench):
        """The error names the way that there is."""
        action_id = bench.submit()

        def handler(action, _body):
            with ThreadPoolExecutor(1) as pool, pytest.raises(UsageError, match="parallel"):
                pool.submit(action.step, "a", int).result()
            return {}

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED UsageError"

    def test_one_that_nobody_looks_at(self, bench):
        """A handler that does not ask what became of it has not done its work."""
        action_id = bench.submit()

        def handler(action, _body):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(action.pause, "Wait", "x")
            return {}

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED UsageError"


class TestParallel:
    def test_results_are_in_order(self, bench):
        """Whoever is first."""
        action_id = bench.submit()
        turns = [threading.Event() for _ in range(3)]

        def one(number):
            if number < 2:
                assert turns[number + 1].wait(20)
            turns[number].set()
            return number

        bench.run(
            lambda action, _: {
                "n": action.parallel([action.call("n", one, n) for n in range(3)], threads=3)
            }
        )
        assert bench.state(action_id) == "ended SUCCEEDED {'n': [0, 1, 2]}"

    def test_only_what_is_missing_runs_again(self, bench):
        """Each result is stored as it comes."""
        action_id = bench.submit()
        ran = []

        def one(number):
            ran.append(number)
            if len(ran) == 3:
                raise ConnectionError
            return number

        def handler(action, _body):
            return {"n": action.parallel([action.call("n", one, n) for n in range(4)], threads=1)}

        options = {"max_attempts": 2, "retry": NO_WAIT}
        bench.run(handler, **options)
        bench.run(handler, **options)
        assert ran == [0, 1, 2, 2, 3]
        assert bench.state(action_id) == "ended SUCCEEDED {'n': [0, 1, 2, 3]}"

    def test_the_first_exception_is_raised_after_the_others(self, bench):
        """What has begun ends and is stored; nothing more begins."""
        action_id = bench.submit()
        began, failed = threading.Event(), threading.Event()
        ran = []

        def slow():
            began.set()
            assert failed.wait(20)
            ran.append("slow")

        def fails():
            assert began.wait(20)
            failed.set()
            raise ActionFailure("Broken", "It is broken.")

        def handler(action, _body):
            calls = [("slow", slow), ("fails", fails), ("never", lambda: ran.append("never"))]
            action.parallel([action.call(*each) for each in calls], threads=2)

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED Broken"
        assert ran[0] == "slow"

    def test_it_is_tried_again_by_the_handler(self, bench):
        """The same calls have the same places; other calls do not take those of the ones done."""
        action_id = bench.submit()
        ran = []

        def flaky(number):
            ran.append(number)
            if number == 1 and ran.count(1) < 3:
                raise ConnectionError
            return number

        def handler(action, _body):
            calls = [action.call("n", flaky, n) for n in range(2)]
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    action.parallel(calls, threads=1)
            got = action.step("other", int, "7")
            if action.recoveries == 0:
                raise Died
            return {"n": got}

        bench.run_or_die(handler)
        assert ran == [0, 1, 1]
        ran.clear()
        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 7}"
        assert ran == [1, 1]

    @pytest.mark.parametrize("threads", [0, 65])
    def test_threads(self, bench, threads):
        """A number of threads that a process can have."""
        action_id = bench.submit()
        bench.run(lambda action, _: action.parallel([], threads=threads))
        assert bench.state(action_id) == "ended FAILED UsageError"

    def test_nothing(self, bench):
        """No calls have no places."""
        action_id = bench.submit()
        bench.run(lambda action, _: {"n": action.parallel([])})
        assert bench.state(action_id) == "ended SUCCEEDED {'n': []}"


class TestStepsThatRaised:
    def test_a_retry_within_the_handler(self, bench):
        """The same step again has the same place; its result is read later, and nothing raised."""
        action_id = bench.submit()
        ran = []

        def flaky():
            ran.append(1)
            if len(ran) == 1:
                raise ConnectionError
            return len(ran)

        def handler(action, _body):
            for _ in range(2):
                try:
                    got = action.step("a", flaky)
                except ConnectionError:
                    continue
                break
            if action.recoveries == 0:
                raise Died
            return {"n": got}

        bench.run_or_die(handler)
        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 2}"
        assert len(ran) == 2

    def test_another_step_instead(self, bench):
        """The one that raised is made again, raises again, and the other is read."""
        action_id = bench.submit()
        ran = []

        def first():
            ran.append("first")
            raise ConnectionError

        def handler(action, _body):
            try:
                action.step("a", first)
            except ConnectionError:
                got = action.step("b", lambda: ran.append("second") or 2)
            if action.recoveries == 0:
                raise Died
            return {"n": got}

        bench.run_or_die(handler)
        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 2}"
        assert ran == ["first", "second", "first"]

    def test_one_that_succeeds_later(self, bench):
        """Its result is stored then, and the handler's other way is a mismatch."""
        action_id = bench.submit()
        ran = []

        def first():
            ran.append("first")
            if len(ran) == 1:
                raise ConnectionError

        def handler(action, _body):
            try:
                action.step("a", first)
            except ConnectionError:
                action.step("b", int)
            if action.recoveries == 0:
                raise Died
            return {}

        bench.run_or_die(handler)
        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED StepMismatch"


def test_a_result_that_is_no_json_names_its_step(bench):
    """Which of many steps it was."""
    action_id = bench.submit()
    bench.run(lambda action, _: action.step("odd", object))
    assert bench.state(action_id) == "ended FAILED ResultNotJSON"
    assert "The result of the step 'odd' has no JSON" in details_of(bench, action_id)["description"]


def test_results_are_read_in_batches(bench, monkeypatch):
    """A later attempt never asks for more bytes at once than a batch has."""
    monkeypatch.setattr(recorded, "RESULT_BYTES", 1500)
    monkeypatch.setattr(recorded, "MARKS", 7)
    action_id = bench.submit()
    read = []
    results = bench.runs.step_results

    def watched(held, first, last):
        found = results(held, first, last)
        read.append(sum(len(text) for _, text in found))
        return found

    bench.runs.step_results = watched

    def handler(action, _body):
        sizes = [len(action.step("s", lambda n: "x" * n, 30 * n)) for n in range(30)]
        if action.recoveries == 0:
            raise Died
        return {"bytes": sum(sizes)}

    bench.run_or_die(handler)
    bench.run(handler)
    assert bench.state(action_id) == f"ended SUCCEEDED {{'bytes': {30 * sum(range(30))}}}"
    assert max(read) <= 1500
    assert 9 <= len(read) < 30
