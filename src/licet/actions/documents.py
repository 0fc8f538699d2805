"""The documents of the Action Provider Interface, as pydantic models.

Decides what each document holds and how it is written as JSON. Whether a request fits a provider
(its input schema, its deadline) is `licet.actions.interface.validation`'s.

Source: seed documents 000 and 001; the public action provider specification 2024-03-14.1.
"""

from __future__ import annotations

import inspect
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import to_json, to_jsonable_python

from licet.actions._types import (
    Duration,
    IsoTime,
    Label,
    LenientTime,
    PlainText,
    Principal,
    PrincipalSet,
    RequestId,
    StrictDuration,
    StrictTime,
    clipped,
)
from licet.actions._written import Written

__all__ = [
    "AbstractActionRepository",
    "ActionFailedDetails",
    "ActionInactiveDetails",
    "ActionLogEntry",
    "ActionLogReturn",
    "ActionProviderDescription",
    "ActionProviderJsonEncoder",
    "ActionRequest",
    "ActionStatus",
    "ActionStatusValue",
    "EventType",
    "ExtensibleCodeDescription",
    "PaginationWrapper",
    "ProviderType",
    "SubscriptableObject",
    "convert_to_json",
    "now_isoformat",
    "render",
    "render_description",
]


def now_isoformat() -> str:
    """The present moment, in UTC, as ISO 8601 text."""
    return datetime.now(UTC).isoformat()


class ProviderType(StrEnum):
    """What a provider provides."""

    Action = "ACTION"
    Event = "EVENT"


class EventType(StrEnum):
    """What an event provider may tell of."""

    STARTED = "STARTED"
    STATUS_UPDATE = "STATUS_UPDATE"
    LOG_UPDATE = "LOG_UPDATE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class ActionStatusValue(StrEnum):
    """The states of an action."""

    SUCCEEDED = "SUCCEEDED"  # final
    FAILED = "FAILED"  # final; also what cancelling leads to
    ACTIVE = "ACTIVE"  # → INACTIVE, SUCCEEDED, FAILED
    INACTIVE = "INACTIVE"  # needs somebody; → ACTIVE by resume, FAILED by cancel


COMPLETE: Final = frozenset({ActionStatusValue.SUCCEEDED, ActionStatusValue.FAILED})


class ActionProviderDescription(Written):
    """What introspection tells of a provider.

    `input_schema` is a JSON schema as a dict or as text, or a pydantic class. `maximum_deadline` is
    an ISO 8601 duration; `visible_to` and `runnable_by` list principal URNs, ``public`` or
    ``all_authenticated_users``.

    A field that does not exist is refused, also in a document that is read: it may be the
    program's own. Another provider's is read by ``model_validate(document, extra="ignore")``.

    Raises:
        UnknownName: a keyword is no field's name; pydantic's ValidationError with the same text,
            where a document is read.
    """

    model_config = ConfigDict(extra="forbid")

    globus_auth_scope: str
    title: str
    admin_contact: str
    synchronous: bool
    input_schema: str | dict[str, Any] | type[BaseModel]
    types: list[ProviderType] = Field(default_factory=lambda: [ProviderType.Action])
    api_version: str = "1.0"
    subtitle: str | None = None
    description: str | None = None
    keywords: list[str] | None = None
    visible_to: list[str] = Field(default_factory=lambda: ["public"])
    runnable_by: list[str] = Field(default_factory=lambda: ["all_authenticated_users"])
    administered_by: list[str] | None = None
    maximum_deadline: str = "P30D"
    log_supported: bool | None = False
    event_types: list[EventType] | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_fields(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            unknown = [str(e["loc"][0]) for e in error.errors() if e["type"] == "extra_forbidden"]
            cls.refuse_unknown_fields(unknown)
            raise


class ActionRequest(Written):
    """What a client sends to start an action; unknown fields of what is sent are ignored."""

    request_id: RequestId = Field(max_length=512)
    body: dict[str, Any]
    label: Label | None = None
    deadline: StrictTime | None = None
    release_after: StrictDuration | None = None
    monitor_by: PrincipalSet = Field(default_factory=set)
    manage_by: PrincipalSet = Field(default_factory=set)
    allowed_clients: list[str] = Field(default_factory=list)


class SubscriptableObject(BaseModel):
    """Lets a document with open fields be read like a dict."""

    model_config = ConfigDict(extra="allow")

    def __getitem__(self, key: str) -> Any:
        return self._members().get(key)

    def __len__(self) -> int:
        return len(self._members())

    def __contains__(self, key: object) -> bool:
        return key in self._members()

    def keys(self) -> Iterator[str]:
        """The names of all fields, open ones included."""
        return iter(self._members())

    def pop(self, key: str, *default: Any) -> Any:
        """Take a field out, and its value.

        Raises:
            KeyError: there is none, and no default.
        """
        open_fields = self.__pydantic_extra__ or {}
        return (open_fields if key in open_fields else self.__dict__).pop(key, *default)

    def _members(self) -> dict[str, Any]:
        return {**self.__dict__, **(self.__pydantic_extra__ or {})}


class ExtensibleCodeDescription(SubscriptableObject):
    """A code, a description, and whatever else a provider adds."""

    code: str
    description: str


class ActionFailedDetails(ExtensibleCodeDescription):
    """The details of a FAILED action."""


class ActionInactiveDetails(ExtensibleCodeDescription):
    """The details of an INACTIVE action: what it waits for, and where to give it."""

    required_scope: str | None = None
    resolution_url: str | None = None


class PaginationWrapper(Written):
    """Where a page stands in a list."""

    limit: int
    has_next_page: bool = False
    marker: str | None = None


class ActionLogEntry(ExtensibleCodeDescription):
    """One line of an action's log."""

    time: Any = Field(default_factory=now_isoformat)
    details: Any = None


class ActionLogReturn(PaginationWrapper):
    """A page of an action's log.

    Paging fields may be left out: `limit` is then the number of entries. Fields beyond these are
    kept and sent, as seed document 000's example does with ``time`` and ``details``.
    """

    model_config = ConfigDict(extra="allow")

    limit: int = -1
    entries: list[ActionLogEntry] = Field(default_factory=list)

    def model_post_init(self, _context: Any) -> None:
        """Let a limit that nobody gave be the number of entries."""
        if self.limit < 0:
            self.limit = len(self.entries)


class ActionStatus(Written):
    """The state of an action: always these eleven members in JSON, nulls included.

    `start_time` is ISO 8601 text, as in every version of the original toolkit; naive times are UTC.
    Assignments are checked like construction.
    """

    model_config = ConfigDict(validate_assignment=True)

    action_id: PlainText = Field(
        default_factory=lambda: str(uuid.uuid4()), min_length=1, max_length=128
    )
    status: ActionStatusValue
    creator_id: Principal
    details: Annotated[
        SerializeAsAny[ExtensibleCodeDescription] | dict[str, Any] | str,
        Field(union_mode="left_to_right"),
    ]
    start_time: IsoTime = Field(default_factory=now_isoformat)
    completion_time: LenientTime | None = None
    label: Label | None = None
    display_status: Annotated[str | None, BeforeValidator(clipped)] = None
    monitor_by: PrincipalSet | None = Field(default_factory=set)
    manage_by: PrincipalSet | None = Field(default_factory=set)
    release_after: Duration | None = None

    def is_complete(self) -> bool:
        """Whether the action has ended and nothing about it will change."""
        return self.status in COMPLETE


def convert_to_json(o: Any) -> Any:
    """`o` in terms of JSON types: documents, classes of documents, sets, times, durations.

    Raises:
        TypeError: it is none of these.
    """
    if inspect.isclass(o) and issubclass(o, BaseModel):
        return o.model_json_schema()
    if isinstance(o, set | frozenset):
        return sorted(o, key=str)
    try:
        return to_jsonable_python(o)
    except ValueError as error:
        raise TypeError(str(error)) from error


class ActionProviderJsonEncoder(json.JSONEncoder):
    """For `json.dumps(document, cls=ActionProviderJsonEncoder)`."""

    def default(self, o: Any) -> Any:
        """What `json` cannot write by itself."""
        return convert_to_json(o)


def render(document: object) -> bytes:
    """A document, or a list of them, as JSON.

    Raises:
        ValueError: something in it has no JSON form.
    """
    return to_json(document, fallback=convert_to_json, inf_nan_mode="null")


def render_description(description: ActionProviderDescription) -> bytes:
    """What a provider says of itself, its input schema as an object in whatever form it was given.

    Raises:
        ValueError: the schema is text that is no JSON.
    """
    document = description.model_dump(mode="json", exclude={"input_schema"})
    schema: Any = description.input_schema
    if inspect.isclass(schema) and issubclass(schema, BaseModel):
        schema = schema.model_json_schema()
    document["input_schema"] = json.loads(schema) if isinstance(schema, str) else schema
    return render({name: document[name] for name in type(description).model_fields})


class AbstractActionRepository(ABC):
    """What a blueprint asks of a provider's own storage.

    With one, the callbacks of status, cancel, release and resume get an `ActionStatus` instead of
    an id, and what they return is stored (or removed, for release).

    Source: the original toolkit's interface of the same name.
    """

    @abstractmethod
    def get(self, action_id: str) -> ActionStatus | None:
        """The action, or None."""

    @abstractmethod
    def store(self, action: ActionStatus) -> None:
        """Keep the action in its present state."""

    @abstractmethod
    def remove(self, action: ActionStatus) -> None:
        """Forget the action."""
