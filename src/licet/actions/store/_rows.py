"""Between a row of the store and an `ActionStatus`.

What is in the database was a valid document when it was written, so reading builds the document
without checking every field again: that is half of the time of a status request.
"""

from __future__ import annotations

import json
import logging
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
from licet.errors import UnstorableDocument

__all__ = ["duration_text", "json_text", "principals_text", "status_of", "unchecked_status"]

log = logging.getLogger(__name__)
_NOBODY: Final = "[]"
_UNSAID: Final = "null"
_FIELDS: Final = frozenset(ActionStatus.model_fields)


def unchecked_status(**values: Any) -> ActionStatus:
    """The document of these values: all eleven, in their order, as they were checked before.

    It is made as pickle makes it: `model_construct` takes more than twice as long, for each status
    that is read and each action that is submitted.
    """
    status = ActionStatus.__new__(ActionStatus)
    status.__setstate__(
        {
            "__dict__": values,
            "__pydantic_fields_set__": set(_FIELDS),
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return status


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
    return unchecked_status(
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


def _principals(text: str) -> set[str] | None:
    if text == _NOBODY:
        return set()
    return None if text == _UNSAID else set(from_json(text))


def principals_text(principals: set[str] | None) -> str:
    """A set of principals as JSON, sorted."""
    if principals is None:
        return _UNSAID
    return json.dumps(sorted(principals)) if principals else _NOBODY


def json_text(value: object) -> str:
    """What a provider's code gave to be kept, as JSON that can be read again.

    Raises:
        UnstorableDocument: it has no such form: lone surrogates, objects, more than 200 levels.
    """
    if isinstance(value, dict) and not value:  # all that most actions have to say
        return "{}"
    try:
        text = render(value)
        from_json(text)
    except ValueError as error:
        log.error("What the provider gave to be stored has no JSON form: %s", error)  # noqa: TRY400 - told in one line
        raise UnstorableDocument("The provider's details have no JSON form.") from error
    return text.decode()


@lru_cache(maxsize=256)
def duration_text(duration: timedelta) -> str:
    """A duration in ISO 8601."""
    return render(duration).decode().strip('"')
