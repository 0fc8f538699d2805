"""What the operations of a provider take and answer, for the OpenAPI document of its app.

Source: seed documents 000 and 001; the public action provider specification 2024-03-14.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from licet.actions.documents import (
    ActionLogReturn,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    render_description,
)
from licet.actions.enumeration import DEFAULT_LOG_PAGE, DEFAULT_PAGE, MAX_PAGE, ROLES
from licet.authz.declared.marks import Access, AccessKind, mark
from licet.wire.described import (
    ACTION,
    Answer,
    Content,
    Described,
    Example,
    Parameter,
    described_by,
)
from licet.wire.samples import NO_SAMPLE, sample_of

__all__ = ["describe_operation", "serves"]

F = TypeVar("F", bound=Callable[..., Any])

_ID: Final = "6b1f6e9a-2222-4333-8444-555566667777"  # stands for the action of an example's set-up
_CALLER: Final[Mapping[int, str]] = {
    401: "No token was sent, or it is not acceptable.",
    403: "The token lacks the provider's scope, or the caller may not do this.",
    503: "The store, or who checks tokens, does not answer.",
}
_FOUND: Final = {404: "There is no such action for the caller."}
_OWN: Final = {501: "The provider does not do this."}
_UUID: Final = {"type": "string", "minLength": 1, "pattern": "^[^/]*$"}
_ACTION_ID: Final = Parameter(name="action_id", place="path", schema=_UUID, is_required=True)
_WAIT: Final = Parameter(
    name="Prefer",
    place="header",
    description="wait=SECONDS answers once the state has changed; at most 30.",
)
_CORS: Final = {"Access-Control-Allow-Origin": "Any origin may read it."}


class _Provider(Protocol):
    """A provider, as far as its document depends on it."""

    @property
    def durable(self) -> object: ...

    @property
    def description(self) -> ActionProviderDescription: ...


def serves(name: str, *, admits: str) -> Callable[[F], F]:
    """Say of a view of a provider which operation it is, and whom it admits.

    The audit and the access matrix read whom, the OpenAPI document of the app the rest.
    """

    def describe(provider: _Provider, method: str, _rule: str) -> Described:
        is_durable = provider.durable is not None
        return describe_operation(name, provider.description, method, is_durable=is_durable)

    access = Access(kind=AccessKind.ACTION, text=admits)
    return lambda view: mark(described_by(describe)(view), access)


def describe_operation(
    operation: str, description: ActionProviderDescription, method: str, *, is_durable: bool
) -> Described:
    """One operation of a provider.

    Args:
        operation: its name in the interface; ``introspect`` for the description.
        description: the provider's.
        method: of the request.
        is_durable: whether workers run its actions, so that the store answers.
    """
    if operation == "introspect":
        return _introspect(description, method)
    found = _OPERATIONS[operation](description, is_durable)
    is_public = "public" in description.visible_to
    return Described(
        summary=found.summary,
        parameters=found.parameters,
        body=found.body,
        answers=found.answers,
        refusals={**_CALLER, **found.refusals, **({} if is_durable else _OWN)},
        errors=ACTION,
        examples=found.examples if is_durable else (),
        scopes=(description.globus_auth_scope,),
        takes_no_cookie=True,
        is_hidden=not is_public,
    )


def _introspect(description: ActionProviderDescription, method: str) -> Described:
    is_public = "public" in description.visible_to
    shown = {401: _CALLER[401], 404: "There is no such provider for the caller."}
    common: dict[str, Any] = {"errors": ACTION, "takes_no_cookie": True, "is_hidden": not is_public}
    if method == "OPTIONS":
        preflight = Answer(status=204, description="What other origins may send.", headers=_CORS)
        refusals = {404: shown[404]}
        told = "What other origins may send."
        return Described(
            summary=told, answers=(preflight,), refusals=refusals, may_be_nobody=True, **common
        )
    content = Content(schema=_DESCRIPTION, name="ActionProvider")
    return Described(
        summary=f"What the provider {description.title} does.",
        description=description.description or "",
        answers=(
            Answer(status=200, description="Its description.", content=content, headers=_CORS),
        ),
        refusals={404: shown[404]} if is_public else shown,
        may_be_nobody=is_public,
        scopes=() if is_public else (description.globus_auth_scope,),
        examples=(Example(answer=json.loads(render_description(description))),),
        **common,
    )


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_MAYBE: Final = {"type": ["string", "null"]}
_DESCRIPTION: Final = {
    "type": "object",
    "properties": {
        "globus_auth_scope": {"type": "string"},
        "title": {"type": "string"},
        "admin_contact": {"type": "string"},
        "synchronous": {"type": "boolean"},
        "input_schema": {"type": "object", "description": "A JSON schema of a request's body."},
        "types": {"type": "array", "items": {"type": "string", "enum": ["ACTION", "EVENT"]}},
        "api_version": {"type": "string"},
        "subtitle": _MAYBE,
        "description": _MAYBE,
        "keywords": {"type": ["array", "null"], "items": {"type": "string"}},
        "visible_to": _TEXTS,
        "runnable_by": _TEXTS,
        "administered_by": {"type": ["array", "null"], "items": {"type": "string"}},
        "maximum_deadline": {"type": "string"},
        "log_supported": {"type": ["boolean", "null"]},
        "event_types": {"type": ["array", "null"], "items": {"type": "string"}},
    },
    "required": ["globus_auth_scope", "title", "admin_contact", "synchronous", "input_schema"],
}


# --- running -------------------------------------------------------------------------------------


def _run(description: ActionProviderDescription, is_durable: bool) -> Described:  # noqa: FBT001 - of one caller
    return Described(
        summary=f"Run {description.title}.",
        description="The same request_id and body again are answered with the same action.",
        parameters=(_WAIT,) if is_durable else (),
        body=Content(schema=_request_schema(description)),
        answers=(
            _status(202, "The action, which has started."),
            _status(200, "The action that the same request started before, or that has ended."),
        ),
        refusals={
            400: "The body is no JSON, or is not what the interface asks for.",
            409: "The request_id came before, with another request.",
            413: "The body is too large.",
            422: "The body does not fit the provider's schema, or a member is wrong.",
        },
        examples=_run_examples(description),
    )


def _input_of(description: ActionProviderDescription) -> Any:
    schema = description.input_schema
    if isinstance(schema, str):
        schema = json.loads(schema)
    return schema.model_json_schema() if isinstance(schema, type) else schema


def _request_schema(description: ActionProviderDescription) -> dict[str, Any]:
    """`ActionRequest` with the provider's own schema for its body."""
    found = ActionRequest.model_json_schema()
    found.pop("title", None)
    inner = {key: value for key, value in _input_of(description).items() if key != "$schema"}
    found["properties"] = {**found["properties"], "body": Content(schema=inner)}
    for one in found["properties"].values():
        if isinstance(one, dict) and one.get("default", 0) is None:
            del one["default"]
    return found


def _run_examples(description: ActionProviderDescription) -> tuple[Example, ...]:
    body = sample_of(_input_of(description))
    if body is NO_SAMPLE:
        return ()
    asked = {"request_id": "an id of your own", "body": body, "label": "A first run"}
    answer = {"status": ActionStatusValue.ACTIVE.value, "label": "A first run"}
    return (Example(body=asked, status=202, answer=answer),)


def _status_content() -> Content:
    """`ActionStatus` as it is answered: with all of its members, nulls included."""
    schema = ActionStatus.model_json_schema(mode="serialization")
    # a year and days are no duration of JSON Schema's format, which is RFC 3339's
    schema["properties"]["release_after"] = {**_MAYBE, "description": "An ISO 8601 duration."}
    return Content(schema={**schema, "required": [*schema["properties"]]}, name="ActionStatus")


def _status(status: int, told: str) -> Answer:
    return Answer(status=status, description=told, content=_status_content())


def _of_action(
    summary: str, parameters: tuple[Parameter, ...] = (), refusals: Mapping[int, str] | None = None
) -> Described:
    example = Example(path={"action_id": _ID}, answer={"action_id": _ID})
    return Described(
        summary=summary,
        parameters=(_ACTION_ID, *parameters),
        answers=(_status(200, "The action's state."),),
        refusals={**_FOUND, **(refusals or {})},
        examples=(example,),
    )


def _log(_description: ActionProviderDescription, _is_durable: bool) -> Described:  # noqa: FBT001 - as above
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_LOG_PAGE}
    content = Content(schema=ActionLogReturn)
    example = Example(path={"action_id": _ID}, answer={"has_next_page": False})
    return Described(
        summary="What the action wrote while it ran.",
        parameters=(_ACTION_ID, Parameter(name="limit", schema=limit), Parameter(name="marker")),
        answers=(Answer(status=200, description="A page of its log.", content=content),),
        refusals={**_FOUND, 422: "A parameter is wrong."},
        examples=(example,),
    )


def _enumerate(_description: ActionProviderDescription, _is_durable: bool) -> Described:  # noqa: FBT001 - as above
    statuses = ", ".join(value.value for value in ActionStatusValue)
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}
    listed = {"type": "array", "items": _status_content()}
    told = "The newest of them first."
    return Described(
        summary="The caller's actions.",
        parameters=(
            Parameter(name="status", description=f"With commas between them: {statuses}."),
            Parameter(name="roles", description=f"Of {', '.join(sorted(ROLES))}."),
            Parameter(name="limit", schema=limit),
            Parameter(name="marker", description="Of the Link header of the page before."),
        ),
        answers=(
            Answer(
                status=200,
                description=told,
                content=Content(schema=listed),
                headers={"Link": "The next page, where there is one."},
            ),
        ),
        refusals={422: "A parameter is wrong."},
        examples=(Example(answer=[{"label": "A first run"}]),),
    )


_ENDED: Final = {409: "The state of the action does not allow it."}
_OPERATIONS: Final[Mapping[str, Callable[[ActionProviderDescription, bool], Described]]] = {
    "run": _run,
    "enumerate": _enumerate,
    "log": _log,
    "status": lambda _, is_durable: _of_action(
        "The action's present state.", (_WAIT,) if is_durable else ()
    ),
    "cancel": lambda _, __: _of_action("Ask the action to end.", refusals=_ENDED),
    "release": lambda _, __: _of_action("Forget a completed action.", refusals=_ENDED),
    "resume": lambda _, __: _of_action("Go on with an INACTIVE action.", refusals=_ENDED),
}
