"""`replay`: a handler is broken off behind each step, called again, and compared."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, current_app
from pydantic import BaseModel

from licet.errors import ActionFailure, UsageError
from licet.testing import Replayed, ReplayMismatch, replay


def twice(n):
    return 2 * n


class Input(BaseModel):
    n: int


class TestHandlersThatCanBeTakenUpAgain:
    def test_each_step_runs_once(self):
        """The handler is called once more than it has steps, and once with all results."""
        ran, called = [], []

        def handler(action, body: Input):
            called.append(body.n)
            first = action.step("first", lambda: ran.append("first") or 1)
            action.pause("Wait", "for somebody")
            return {"n": first + action.step("second", lambda: ran.append("second") or body.n)}

        assert replay(handler, {"n": 2}) == Replayed(
            result={"n": 3}, steps=("first", "pause Wait", "second"), n_attempts=5
        )
        assert ran == ["first", "second"]
        assert called == [2] * 5

    def test_side_by_side(self):
        """What was lost with a worker is made again, what was stored is not."""
        found = replay(
            lambda action, _: action.parallel(
                [action.call("twice", twice, n) for n in range(5)], threads=1
            )
        )
        assert found.result == [0, 2, 4, 6, 8]

    def test_an_app_context(self):
        """Threads have one, where the test has."""
        app = Flask("here")
        with app.app_context():
            found = replay(
                lambda action, _: action.parallel(
                    [action.call("name", lambda: current_app.name)] * 2, threads=2
                )
            )
        assert found.result == ["here", "here"]

    def test_progress_and_log(self):
        """They may be told, and nothing comes of it."""

        def handler(action, _body):
            action.progress(0.5, "half")
            action.log("CODE", "text")
            return action.auth.effective_identity

        assert replay(handler).n_attempts == 2

    def test_no_more_breaks_than_wanted(self):
        """A handler of many steps runs to its end behind that."""
        found = replay(
            lambda action, _: [action.step("twice", twice, n) for n in range(100)], max_breaks=3
        )
        assert (len(found.steps), found.n_attempts) == (100, 5)

    def test_cleaning_up(self):
        """What is raised, or returned, while it is broken off does not count."""
        ways = []

        def handler(action, _body):
            try:
                action.step("a", twice, 1)
                return "whole"
            finally:
                ways.append(1)
                if len(ways) == 1:
                    raise ValueError

        assert replay(handler).result == "whole"


class TestHandlersThatCannot:
    @pytest.mark.parametrize(
        ("steps", "words"),
        [
            (lambda a, n: [a.step(x, twice, 1) for x in ("ab" if n == 1 else "ba")], "'a'.*'b'"),
            (lambda a, n: (a.step("a", twice, n), a.step("b", twice, 1)), "'a'.*other arguments"),
            (lambda a, n: (a.step(f"a{n}", twice, 1), a.step("b", twice, 1)), "'a1'.*'a2'"),
            (lambda a, n: a.step("a", twice if n == 1 else str, 1), ":twice.* of builtins:str"),
            (lambda a, n: [a.step("a", twice, 1) for _ in range(3 - n)], "returned without asking"),
            (lambda a, n: [a.step("a", twice, 1) for _ in range(n)], "one more"),
            (lambda a, n: a.pause(f"P{n}", "x"), "the 'pause P1', .* the 'pause P2'"),
        ],
        ids=["order", "argument", "name", "function", "fewer", "more", "pause"],
    )
    def test_it_says_which(self, steps, words):
        """Another order, argument, name, function or number of steps in a later attempt."""
        numbers = itertools.count(1)
        with pytest.raises(ReplayMismatch, match=words):
            replay(lambda action, _: steps(action, next(numbers)) and {}, max_breaks=5)

    @pytest.mark.parametrize("is_asked", [True, False])
    def test_another_thread(self, is_asked):
        """A step there has no place, and its name is told, also when nobody looks at it."""

        def handler(action, _body):
            with ThreadPoolExecutor(1) as pool:
                future = pool.submit(action.step, "aside", twice, 1)
            return future.result() if is_asked else {}

        with pytest.raises(UsageError, match="'aside' is begun in another thread"):
            replay(handler)

    def test_what_it_raises_is_raised(self):
        """A handler that fails is no mismatch."""

        def handler(action, _body):
            action.step("a", twice, 1)
            raise ActionFailure("Broken", "It is broken.")

        with pytest.raises(ActionFailure, match="Broken"):
            replay(handler)
