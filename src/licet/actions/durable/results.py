"""What a handler's return value, or its exception, makes of its action.

Decides the last details of an action; nothing that a handler returns or raises is a 500, and no
text of an exception reaches the caller, except an `ActionFailure`'s, which is meant to.
"""

from __future__ import annotations

import math
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from licet.actions._types import clipped
from licet.actions.documents import (
    COMPLETE,
    ActionStatus,
    ActionStatusValue,
    convert_to_json,
)
from licet.actions.lifecycle import Ending
from licet.errors import ActionFailure, LicetError
from licet.wire.text import readable

__all__ = ["ResultNotJSON", "ResultTooLarge", "ending_of_error", "ending_of_result", "result_json"]

MAX_CODE: Final = 128


class ResultNotJSON(LicetError):
    """What a handler or a step returned has no JSON form; `what` names its kind or the mistake."""

    code_name = "result_not_json"


class ResultTooLarge(LicetError):
    """What a handler or a step returned is longer than may be stored."""

    code_name = "result_too_large"


def result_json(result: object, max_bytes: int, *, what: str = "The result") -> str:
    """A result as the JSON that is stored; `what` it is, for the error.

    Raises:
        ResultNotJSON: it has no JSON form: NaN, infinities, objects, cycles, deep nesting.
        ResultTooLarge: it is longer than `max_bytes`.
    """
    return _as_json(result, max_bytes, what)[0]


def _as_json(result: object, max_bytes: int, what: str = "The result") -> tuple[str, Any]:
    """The JSON of a result, and its value when that is read again."""
    try:
        text = to_json(
            result, fallback=convert_to_json, inf_nan_mode="constants", serialize_unknown=False
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise ResultNotJSON(f"{what} has no JSON form: {type(error).__name__}.") from error
    if len(text) > max_bytes:
        raise ResultTooLarge(
            f"{what} has {len(text)} bytes of JSON, and at most {max_bytes} are stored. Store "
            "it elsewhere and return where it is, or raise LICET_MAX_RESULT_BYTES."
        )
    try:
        value = from_json(text, allow_inf_nan=True)
        _refuse_nan(value)
    except ValueError as error:
        raise ResultNotJSON(f"{what} has no JSON form: {error}.") from error
    return text.decode(), value


def _refuse_nan(value: object) -> None:
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError("it holds NaN or an infinity")
        if isinstance(found, dict):
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)


def ending_of_result(result: object, max_bytes: int) -> Ending:
    """How an action ends whose handler returned.

    Raises:
        ResultNotJSON, ResultTooLarge: the result cannot be stored.
    """
    if result is None or (type(result) is dict and not result):
        return Ending(status=ActionStatusValue.SUCCEEDED, details={})
    if isinstance(result, ActionStatus):
        if result.status not in COMPLETE:
            raise ResultNotJSON(
                f"The handler returned a status of {result.status}: return SUCCEEDED or FAILED, "
                "and call action.pause to wait for somebody."
            )
        details = _as_json(result.details, max_bytes)[1]
        return Ending(status=result.status, details=details, display_status=result.display_status)
    if not isinstance(result, dict | BaseModel):
        raise ResultNotJSON(
            f"The handler returned {type(result).__name__}: return a dict, a pydantic model or an "
            "ActionStatus."
        )
    return Ending(status=ActionStatusValue.SUCCEEDED, details=_as_json(result, max_bytes)[1])


def ending_of_error(error: BaseException, max_bytes: int) -> Ending:
    """How an action ends whose handler raised, if it is not tried again."""
    if isinstance(error, ActionFailure):
        code, description = readable(str(error.code)), readable(str(error.description))
        details = {**error.details, "code": code, "description": description}
        try:
            found = _as_json(details, max_bytes)[1]
        except (ResultNotJSON, ResultTooLarge):
            found = {"code": code[:MAX_CODE], "description": "(its details cannot be stored)"}
        return _failed(found)
    code = type(error).__name__
    if isinstance(error, ResultNotJSON | ResultTooLarge):
        return _failed({"code": code, "description": str(error)})
    return _failed(
        {"code": code, "description": f"The action failed with {code}. Its log tells where."}
    )


def _failed(details: dict[str, Any]) -> Ending:
    return Ending(
        status=ActionStatusValue.FAILED,
        details=details,
        display_status=str(clipped(str(details["code"]))),
    )
