"""What a handler returns or raises, as the end of its action."""

import math
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel
from tests.ids import shown
from tests.unit.actions.making import make_status

from licet.actions.durable.results import (
    ResultNotJSON,
    ResultTooLarge,
    ending_of_error,
    ending_of_result,
    result_json,
)
from licet.errors import ActionFailure

MAX = 1000
DEEP: list = []
for _ in range(300):
    DEEP = [DEEP]
CIRCLE: dict = {}
CIRCLE["self"] = CIRCLE


class Output(BaseModel):
    at: datetime
    tags: set[str]


class TestResults:
    @pytest.mark.parametrize(
        ("result", "details"),
        [
            (None, {}),
            ({}, {}),
            (
                {"n": 1, "nested": {"a": [1.5, None, True]}},
                {"n": 1, "nested": {"a": [1.5, None, True]}},
            ),
            ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, {"at": "2030-01-01T00:00:00Z"}),
            (
                Output(at=datetime(2030, 1, 1, tzinfo=UTC), tags={"x"}),
                {"at": "2030-01-01T00:00:00Z", "tags": ["x"]},
            ),
            (
                {"code": "fine", "description": "a result"},
                {"code": "fine", "description": "a result"},
            ),
        ],
    )
    def test_what_succeeds(self, result, details):
        """Dicts, models and nothing are the details of a success."""
        ending = ending_of_result(result, MAX)
        assert (ending.status, ending.details) == ("SUCCEEDED", details)

    def test_a_status_says_how_it_ends(self):
        """An ActionStatus may say FAILED, and what people are shown."""
        status = make_status("FAILED", details={"code": "E", "description": "d"})
        status.display_status = "Out of paper"
        ending = ending_of_result(status, MAX)
        assert ending.status == "FAILED"
        assert ending.details == {"code": "E", "description": "d"}
        assert ending.display_status == "Out of paper"

    @pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
    def test_a_status_that_is_no_end(self, status: str):
        """A handler that has returned has ended."""
        with pytest.raises(ResultNotJSON, match="return SUCCEEDED or FAILED"):
            ending_of_result(make_status(status), MAX)

    @pytest.mark.parametrize("result", [1, "text", [1], object(), iter(()), True])
    def test_what_is_no_result(self, result):
        """Anything else is told by its kind."""
        with pytest.raises(ResultNotJSON, match=f"returned {type(result).__name__}"):
            ending_of_result(result, MAX)

    @pytest.mark.parametrize(
        "value",
        [
            math.nan,
            math.inf,
            -math.inf,
            [math.nan],
            {"a": {"b": [math.inf]}},
            object(),
            DEEP,
            CIRCLE,
            "\ud800",
            b"\xff",
            {1: object()},
        ],
        ids=shown,
    )
    def test_what_is_not_json(self, value):
        """NaN, infinities, objects, cycles, lone surrogates: refused, and not stored as null."""
        with pytest.raises(ResultNotJSON):
            ending_of_result({"value": value}, MAX)

    def test_what_is_too_large(self):
        """The error gives the size and the limit, and what to do."""
        assert len(result_json("x" * (MAX - 2), MAX)) == MAX
        with pytest.raises(ResultTooLarge, match=r"1001 bytes .* 1000 .*LICET_MAX_RESULT_BYTES"):
            result_json("x" * (MAX - 1), MAX)


class TestErrors:
    def test_the_text_of_an_exception_stays_here(self):
        """Its class is the code; its text may hold anything."""
        ending = ending_of_error(ValueError("password=hunter2"), MAX)
        assert (ending.status, ending.details["code"]) == ("FAILED", "ValueError")
        assert "hunter2" not in str(ending)

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
    def test_every_exception_is_one(self, error: BaseException):
        """A handler that wants to exit ends its action."""
        assert ending_of_error(error, MAX).details["code"] == type(error).__name__

    def test_a_failure_that_is_meant_for_the_caller(self):
        """An ActionFailure's code, text and details reach the caller."""
        ending = ending_of_error(ActionFailure("NoPaper", "Tray 2 is empty", tray=2), MAX)
        assert ending.details == {"code": "NoPaper", "description": "Tray 2 is empty", "tray": 2}
        assert ending.display_status == "NoPaper"

    @pytest.mark.parametrize("detail", [math.nan, "x" * MAX, object()])
    def test_a_failure_that_cannot_be_stored(self, detail):
        """Its code remains."""
        ending = ending_of_error(ActionFailure("NoPaper", "d", detail=detail), MAX)
        assert ending.details == {
            "code": "NoPaper",
            "description": "(its details cannot be stored)",
        }

    @pytest.mark.parametrize("error", [ResultTooLarge("1 of 2"), ResultNotJSON("a set")])
    def test_our_own_errors_say_what_happened(self, error: Exception):
        """What we say about a result holds nothing of the result."""
        assert ending_of_error(error, MAX).details["description"] == str(error)
