"""Between a row of the store and an `ActionStatus`.

What is in the database was a valid document when it was written, so reading builds the document
without checking every field again: that is half of the time of a status request.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

from licet.actions._types import parse_duration
from licet.actions.documents import (
    ActionStatus,
    ActionStatusValue,
    ExtensibleCodeDescription,
    render,
)

__all__ = ["duration_text", "principals_text", "status_of"]

_NOBODY: Final = "[]"


def status_of(
    action_id: str,
    status: str,
    creator_id: str,
    details: str,
    start_time: str,
    completion_time: str | None,
    label: str | None,
    display_status: str | None,
    monitor_by: str,
    manage_by: str,
    release_after: str | None,
) -> ActionStatus:
    """The document of a row, its columns in the order in which the statements select them."""
    return ActionStatus.model_construct(
        action_id=action_id,
        status=ActionStatusValue(status),
        creator_id=creator_id,
        details=_details(details),
        start_time=start_time,
        completion_time=None
        if completion_time is None
        else datetime.fromisoformat(completion_time),
        label=label,
        display_status=display_status,
        monitor_by=_principals(monitor_by),
        manage_by=_principals(manage_by),
        release_after=None if release_after is None else parse_duration(release_after),
    )


def _details(text: str) -> Any:
    details = from_json(text)
    if (
        isinstance(details, dict)
        and isinstance(details.get("code"), str)
        and isinstance(details.get("description"), str)
    ):
        return ExtensibleCodeDescription.model_validate(details)
    return details


def _principals(text: str) -> set[str]:
    return set() if text == _NOBODY else set(from_json(text))


def principals_text(principals: set[str] | None) -> str:
    """A set of principals as JSON, sorted."""
    return json.dumps(sorted(principals)) if principals else _NOBODY


@lru_cache(maxsize=256)
def duration_text(duration: timedelta) -> str:
    """A duration in ISO 8601."""
    return render(duration).decode().strip('"')
