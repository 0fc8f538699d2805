"""What a durable action's handler is given: steps, progress, log, pauses, and word to stop."""

import logging
import os
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.unit.actions.durables import START, Bench
from tests.unit.actions.making import ALICE, BOB, make_log_query

from licet.actions import lifecycle
from licet.actions.documents import ActionStatus, ActionStatusValue
from licet.actions.durable.declaration import Retry
from licet.actions.durable.running import ActionCancelled, ActionStopped, Reason
from licet.errors import ActionFailure, ConfigurationError, StoreUnavailable, UsageError

NO_WAIT = Retry(wait_seconds=0)


@pytest.fixture
def bench(sqlite_database):
    return Bench(sqlite_database)


def cancel(bench, action_id):
    assert bench.runs.request_cancel(bench.runs.find(action_id), BOB)


def steal(bench, action_id):
    """Let another worker have the action."""
    seen = bench.runs.find(action_id)
    bench.runs.change(seen, lifecycle.lose_lease(seen.life, bench.clock(), max_recoveries=9))
    bench.claim()


def unthrottled(action):
    """Have the database asked at the next call, as a quarter of a second later."""
    action._checked_at = float("-inf")
    action._progress_at = float("-inf")


class TestWhatItKnows:
    def test_the_request_and_the_attempt(self, bench):
        """What was asked for, by whom, and which attempt this is."""
        deadline = START + timedelta(hours=1)
        action_id = bench.submit(body={"n": 3}, label="three", deadline=deadline.isoformat())
        seen = {}

        def handler(action, body):
            seen.update(vars(action), body=body, caller=action.auth.effective_identity)

        bench.run(handler)
        assert seen["action_id"] == action_id
        assert seen["creator_id"] == seen["caller"] == ALICE
        assert (seen["label"], seen["attempt"], seen["deadline"]) == ("three", 1, deadline)
        assert seen["body"] == {"n": 3}

    def test_there_is_no_token(self, bench):
        """A dependent token cannot be had, and the error says why."""
        bench.submit()
        told = []

        def handler(action, _body):
            auth = action.auth
            for ask in (auth.get_dependent_tokens, lambda: auth.get_authorizer_for_scope("s")):
                with pytest.raises(ConfigurationError) as caught:
                    ask()
                told.append(str(caught.value))

        bench.run(handler)
        assert all("stored without its caller's token" in text for text in told)


class TestSteps:
    def test_a_completed_step_is_not_run_again(self, bench):
        """Its result is there in the next attempt."""
        action_id = bench.submit()
        ran = []

        def handler(action, _body):
            first = action.step("first", lambda: ran.append("first") or {"n": 1})
            if action.attempt == 1:
                raise ConnectionError
            return {
                "first": first,
                "second": action.step("second", lambda n: ran.append("second") or n, 2),
            }

        bench.run(handler, max_attempts=2, retry=NO_WAIT)
        bench.run(handler, max_attempts=2, retry=NO_WAIT)
        assert ran == ["first", "second"]
        assert bench.state(action_id) == "ended SUCCEEDED {'first': {'n': 1}, 'second': 2}"

    def test_steps_of_one_name_are_counted(self, bench):
        """A step in a loop is another one each time round."""
        action_id = bench.submit()
        bench.run(lambda action, _body: {"n": [action.step("s", int, n) for n in "123"]})
        assert bench.state(action_id) == "ended SUCCEEDED {'n': [1, 2, 3]}"

    def test_a_result_is_the_same_now_and_later(self, bench):
        """It comes back as JSON makes it, the first time as well."""
        action_id = bench.submit()
        bench.run(lambda action, _body: {"is": repr(action.step("s", lambda: (1, {2: "x"})))})
        assert "[1, {'2': 'x'}]" in bench.state(action_id)

    def test_what_a_step_raises_is_the_handlers(self, bench):
        """A step that raises is not completed, and may be caught and tried again."""
        action_id = bench.submit()

        def handler(action, _body):
            with pytest.raises(ZeroDivisionError):
                action.step("s", lambda: 1 / 0)
            return {"n": action.step("s", lambda: 1)}

        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"

    @pytest.mark.parametrize(
        ("result", "code"), [(float("nan"), "ResultNotJSON"), ("x" * 999, "ResultTooLarge")]
    )
    def test_results_that_cannot_be_stored(self, bench, result, code):
        """They fail the action, and another attempt would not mend it."""
        action_id = bench.submit()
        bench.run(lambda action, _body: action.step("s", lambda: result), max_attempts=3)
        assert bench.state(action_id) == f"ended FAILED {code}"

    @pytest.mark.parametrize("name", ["", "x" * 201])
    def test_names(self, bench, name):
        """A name has 1 to 200 characters."""
        action_id = bench.submit()
        bench.run(lambda action, _body: action.step(name, int))
        assert bench.state(action_id) == "ended FAILED UsageError"

    def test_a_step_within_a_step(self, bench):
        """Its result would be stored twice: refused."""
        bench.submit()

        def handler(action, _body):
            with pytest.raises(UsageError, match="begun within another"):
                action.step("outer", lambda: action.step("inner", int))

        bench.run(handler)

    def test_between_steps_a_worker_can_stop(self, bench):
        """The running step ends and is stored; the action is given back, and goes on behind it."""
        action_id = bench.submit()
        ran = []

        def handler(action, _body):
            action.step(
                "first",
                lambda: (ran.append("first"), attempt.control.stop(Reason.SHUTDOWN)) and 1,
            )
            action.log("C", "is written all the same")
            action.progress(0.5)
            return {"n": action.step("second", lambda: ran.append("second") or 2)}

        attempt = bench.attempt(handler)
        attempt.complete()
        assert (ran, bench.life(action_id).phase) == (["first"], "queued")
        assert bench.life(action_id).attempt == 1
        bench.run(handler)
        assert ran == ["first", "second"]


class TestProgress:
    def test_it_can_be_seen(self, bench):
        """The fraction is in the details, the text is what people are shown."""
        action_id = bench.submit()

        def handler(action, _body):
            action.progress(0.25, "sampling " + "x" * 80)
            return vars(bench.store.get(action_id))

        bench.run(lambda action, body: {"seen": str(handler(action, body)["details"])})
        assert "{'progress': 0.25}" in bench.state(action_id)

    def test_long_texts_are_cut(self, bench):
        """At most 64 characters, an ellipsis in place of the rest."""
        action_id = bench.submit()
        bench.run(
            lambda action, _body: (
                action.progress(0.5, "x" * 80)
                or {"text": bench.store.get(action_id).display_status}
            )
        )
        assert bench.life(action_id).details["text"] == "x" * 63 + "…"

    def test_it_is_not_stored_each_time(self, bench):
        """Ten times a second is enough; the last one is stored in the end."""
        action_id = bench.submit()
        seen = []

        def handler(action, _body):
            for n in range(100):
                action.progress(n / 100)
            seen.append(bench.store.get(action_id).details["progress"])
            action.flush()
            seen.append(bench.store.get(action_id).details["progress"])

        bench.run(handler)
        assert seen[0] < 0.99 == seen[1]

    @pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
    def test_it_is_a_fraction(self, bench, fraction):
        """From 0 to 1."""
        bench.submit()

        def handler(action, _body):
            with pytest.raises(ValueError, match=r"from 0\.0 to 1\.0"):
                action.progress(fraction)

        bench.run(handler)


class TestDatabaseAway:
    """What can wait waits; the handler goes on."""

    def away(self, *_args, **_options):
        raise StoreUnavailable

    def test_progress_is_stored_later(self, bench, monkeypatch):
        """The last one told is kept until it can be stored."""
        bench.submit()

        def handler(action, _body):
            with monkeypatch.context() as patch:
                patch.setattr(bench.runs, "progress", self.away)
                action.progress(0.1)
                action.progress(0.2)
            action.flush()
            assert bench.store.get(action.action_id).details == {"progress": 0.2}

        bench.run(handler)

    def test_a_question_is_asked_again(self, bench, monkeypatch, caplog):
        """Whether it was cancelled cannot be known now."""
        action_id = bench.submit()

        def handler(action, _body):
            with monkeypatch.context() as patch:
                patch.setattr(bench.runs, "cancel_requested_by", self.away)
                unthrottled(action)
                action.raise_if_cancelled()
            cancel(bench, action_id)
            unthrottled(action)
            assert action.is_cancelled

        bench.run(handler)
        assert "whether action" in caplog.text


class TestLog:
    def test_lines_are_the_callers_to_read(self, bench):
        """With the time, and any details."""
        action_id = bench.submit()
        bench.run(lambda action, _body: action.log("SAMPLE", "sample 1", value=4))
        (entry,) = bench.store.read_log(action_id, make_log_query()).entries
        assert (entry.code, entry.description, entry.details) == (
            "SAMPLE",
            "sample 1",
            {"value": 4},
        )
        assert entry.time == START.isoformat()


class TestPause:
    def test_it_waits_and_goes_on_behind_the_pause(self, bench):
        """The steps before are not run again, and no attempt is lost."""
        action_id = bench.submit()
        ran = []

        def handler(action, _body):
            action.step("before", lambda: ran.append("before"))
            action.pause("Consent", "Please agree", required_scope="s", resolution_url="http://x/y")
            return {"n": action.step("after", lambda: ran.append("after") or 1)}

        bench.run(handler)
        status = bench.store.get(action_id)
        assert (status.status, status.details.code) == ("INACTIVE", "Consent")
        assert status.details["required_scope"] == "s"
        assert status.details["resolution_url"] == "http://x/y"
        seen = bench.runs.find(action_id)
        assert bench.runs.change(seen, lifecycle.resume(seen.life, START))
        bench.run(handler)
        assert ran == ["before", "after"]
        assert bench.state(action_id) == "ended SUCCEEDED {'n': 1}"
        assert bench.log_codes(action_id) == ["PAUSED"]

    def test_the_second_pause_of_a_code_is_another(self, bench):
        """A pause in a loop waits each time round."""
        action_id = bench.submit()

        def handler(action, _body):
            for _ in range(2):
                action.pause("Consent", "Please agree")

        for _ in range(2):
            bench.run(handler)
            seen = bench.runs.find(action_id)
            assert seen.life.phase == "paused"
            bench.runs.change(seen, lifecycle.resume(seen.life, START))
        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {}"

    def test_a_handler_that_swallows_it(self, bench):
        """Its action waits all the same, and what it returns counts for nothing."""
        action_id = bench.submit()

        def handler(action, _body):
            try:
                action.pause("Consent", "d")
            except BaseException:  # noqa: BLE001 - what must not be done
                return {"n": 1}

        bench.run(handler)
        assert bench.state(action_id) == "paused INACTIVE Consent"

    def test_it_was_cancelled_meanwhile(self, bench):
        """It is ended, not left waiting."""
        action_id = bench.submit()

        def handler(action, _body):
            cancel(bench, action_id)
            action.pause("Consent", "d")

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED Cancelled"


class TestCancel:
    @pytest.mark.parametrize(
        "call",
        [
            lambda action: action.raise_if_cancelled(),
            lambda action: action.progress(0.5),
            lambda action: action.log("C", "d"),
            lambda action: action.step("s", int),
            lambda action: action.pause("C", "d"),
        ],
        ids=["raise_if_cancelled", "progress", "log", "step", "pause"],
    )
    def test_the_next_call_tells(self, bench, call):
        """Whichever it is; cleaning up is the handler's."""
        action_id = bench.submit()
        cleaned = []

        def handler(action, _body):
            cancel(bench, action_id)
            unthrottled(action)
            assert action.is_cancelled
            try:
                call(action)
            finally:
                cleaned.append(True)

        bench.run(handler)
        assert cleaned
        assert bench.state(action_id) == "ended FAILED Cancelled"
        assert bench.life(action_id).details["description"] == f"Cancelled by {BOB}"

    def test_no_except_exception_swallows_it(self, bench):
        """A handler that catches every Exception is told all the same."""
        action_id = bench.submit()

        def handler(action, _body):
            cancel(bench, action_id)
            unthrottled(action)
            try:
                action.raise_if_cancelled()
            except Exception:  # noqa: BLE001 - as above
                return {}

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED Cancelled"

    def test_whoever_swallows_it_is_cancelled_all_the_same(self, bench):
        """A result that comes after the message does not count."""
        action_id = bench.submit()

        def handler(action, _body):
            cancel(bench, action_id)
            unthrottled(action)
            with pytest.raises(ActionCancelled):
                action.raise_if_cancelled()
            return {"n": 1}

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED Cancelled"

    def test_who_does_not_look_may_finish(self, bench):
        """A result that comes before the message counts."""
        action_id = bench.submit()
        bench.run(lambda _action, _body: cancel(bench, action_id))
        assert bench.state(action_id) == "ended SUCCEEDED {}"

    def test_a_worker_in_this_process_hears_at_once(self, bench):
        """Without asking the database."""
        action_id = bench.submit()
        seen = []

        def handler(action, _body):
            cancel(bench, action_id)
            seen.append(action.is_cancelled)
            attempt.control.stop(Reason.CANCELLED)
            action.raise_if_cancelled()

        attempt = bench.attempt(handler)
        attempt.complete()
        assert (seen, bench.state(action_id)) == ([False], "ended FAILED Cancelled")

    def test_it_was_cancelled_before_it_was_begun(self, bench):
        """The handler is not called."""
        action_id = bench.submit()
        held = bench.attempt(lambda *_: pytest.fail("called"))
        cancel(bench, action_id)
        bench.runs.change(
            bench.runs.find(action_id), lifecycle.give_back(bench.life(action_id), START)
        )
        bench.run(lambda *_: pytest.fail("called"))
        assert bench.state(action_id) == "ended FAILED Cancelled"
        held.complete()


class TestDeadline:
    def test_the_next_call_tells(self, bench):
        """The action has failed, whatever the handler does."""
        action_id = bench.submit(deadline=(START + timedelta(hours=1)).isoformat())

        def handler(action, _body):
            bench.clock.advance(3601)
            unthrottled(action)
            with pytest.raises(ActionStopped, match="deadline"):
                action.raise_if_cancelled()

        bench.run(handler)
        assert bench.state(action_id) == "ended FAILED DeadlineExceeded"

    def test_it_had_passed_before(self, bench):
        """The handler is not called."""
        action_id = bench.submit(deadline=(START + timedelta(hours=1)).isoformat())
        bench.clock.advance(3601)
        bench.run(lambda *_: pytest.fail("called"))
        assert bench.state(action_id) == "ended FAILED DeadlineExceeded"


class TestLeaseLost:
    @pytest.mark.parametrize(
        "call",
        [
            lambda action: action.progress(0.5),
            lambda action: action.log("C", "d"),
            lambda action: action.step("s", int),
            lambda action: action.pause("C", "d"),
            lambda action: unthrottled(action) or action.raise_if_cancelled(),
        ],
        ids=["progress", "log", "step", "pause", "raise_if_cancelled"],
    )
    def test_the_next_call_tells(self, bench, call):
        """And nothing of what this worker does then is stored."""
        action_id = bench.submit()
        before = []

        def handler(action, _body):
            steal(bench, action_id)
            before.append(bench.runs.find(action_id))
            with pytest.raises(ActionStopped, match="lease lost"):
                call(action)
            return {"n": 1}

        bench.run(handler)
        assert [bench.runs.find(action_id)] == before

    def test_at_the_very_end(self, bench, caplog):
        """A result that comes too late is dropped, and the log says so."""
        action_id = bench.submit()
        bench.run(lambda _action, _body: steal(bench, action_id))
        assert bench.life(action_id).phase == "running"
        assert "lease on action" in caplog.text


class TestFailures:
    def test_an_exception_ends_it(self, bench, caplog):
        """Its class is the code; the log of the service has the whole of it."""
        action_id = bench.submit()

        def handler(_action, _body):
            raise KeyError("a secret")

        bench.run(handler)
        status = bench.store.get(action_id)
        assert status.details.code == status.display_status == "KeyError"
        assert "secret" not in str(status.details)
        assert "secret" in caplog.text

    def test_the_actions_log_says_where(self, bench):
        """Files, lines and functions; no text and no values."""
        action_id = bench.submit()

        def handler(_action, _body):
            raise KeyError("a secret")

        bench.run(handler, max_attempts=2)
        (entry,) = bench.store.read_log(action_id, make_log_query()).entries
        assert entry.description == "KeyError in attempt 1 of 2"
        assert entry.details["traceback"][-1].startswith("test_running.py:")
        assert "secret" not in str(entry)

    def test_attempts_are_counted(self, bench):
        """It is tried again until none is left."""
        action_id = bench.submit()

        def handler(_action, _body):
            raise ConnectionError

        for n in (1, 2):
            bench.run(handler, max_attempts=3, retry=NO_WAIT)
            assert bench.life(action_id).attempt == n + 1
        bench.run(handler, max_attempts=3, retry=NO_WAIT)
        assert bench.state(action_id) == "ended FAILED ConnectionError"

    def test_one_that_was_cancelled_is_not_tried_again(self, bench):
        """Who asked for its end gets it, when its attempt fails."""
        action_id = bench.submit()

        def handler(_action, _body):
            cancel(bench, action_id)
            raise ConnectionError

        bench.run(handler, max_attempts=3)
        assert bench.state(action_id) == "ended FAILED Cancelled"

    def test_a_failure_for_the_caller(self, bench, caplog):
        """It is no bug: it is told in one line."""
        action_id = bench.submit()

        def handler(_action, _body):
            raise ActionFailure("NoPaper", "Tray 2 is empty", tray=2)

        bench.run(handler, max_attempts=3)
        assert bench.state(action_id) == "ended FAILED NoPaper"
        assert "Traceback" not in caplog.text

    @pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
    def test_exits_end_the_action_and_nothing_else(self, bench, error):
        """A handler that calls sys.exit() ends its action as failed, at once."""
        action_id = bench.submit()

        def handler(_action, _body):
            raise error

        bench.run(handler, max_attempts=3)
        assert bench.state(action_id) == f"ended FAILED {type(error).__name__}"

    def test_a_status_may_be_returned(self, bench):
        """FAILED, with details and a text."""
        action_id = bench.submit()

        def handler(action, _body):
            return ActionStatus(
                status=ActionStatusValue.FAILED,
                creator_id=action.creator_id,
                details={"code": "E", "description": "d"},
                display_status="No paper",
            )

        bench.run(handler)
        assert bench.store.get(action_id).display_status == "No paper"

    def test_a_handler_that_forks(self, bench):
        """What returns in the child ends there; the parent's action is the parent's."""
        action_id = bench.submit()

        def handler(_action, _body):
            pid = os.fork()
            if pid == 0:
                return {"from": "child"}
            return {"exit": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}

        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'exit': 70}"

    def test_a_file_whose_name_is_no_text(self, bench, caplog):
        """What it raised is stored all the same."""
        caplog.set_level(logging.CRITICAL)  # pytest-xdist cannot pass on the line of the log
        action_id = bench.submit()
        bench.run(lambda *_: exec(compile("1 / 0", "a\udcff.py", "exec")))
        assert bench.state(action_id) == "ended FAILED ZeroDivisionError"

    @pytest.mark.parametrize("where", ["in the handler", "in a step"])
    def test_a_fork_that_goes_on(self, bench, tmp_path, where):
        """In the child no step is made, whether the fork returned there or raised."""
        action_id, made = bench.submit(), tmp_path / "made"

        def forked():
            pid = os.fork()
            if pid == 0 and where == "in a step":
                raise ValueError
            return pid

        def step():
            with made.open("a") as file:
                file.write("once ")

        def handler(action, _body):
            pid = 0
            with suppress(ValueError):
                pid = action.step("fork", forked) if where == "in a step" else forked()
            action.step("made", step)
            return {"exit": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}

        bench.run(handler)
        assert bench.state(action_id) == "ended SUCCEEDED {'exit': 70}"
        assert made.read_text() == "once "

    def test_who_lost_the_right(self, bench):
        """The handler is not called."""
        action_id = bench.submit()
        bench.may_still_run = lambda caller: caller.effective_identity != ALICE
        bench.run(lambda *_: pytest.fail("called"))
        assert bench.state(action_id) == "ended FAILED NoLongerAuthorized"


def test_a_handlers_own_threads(bench):
    """They may tell progress and write lines."""
    action_id = bench.submit()

    def handler(action, _body):
        threads = [
            threading.Thread(target=lambda: (action.progress(0.5), action.log("C", "d")))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    bench.run(handler)
    assert bench.log_codes(action_id) == ["C"] * 4
