"""`documented`: what a plain view takes and answers, said beside it.

@app.get("/tides/<place>")
@public
@documented("The next high tide.", answer=Tide, refusals={404: "There is no such place."})
def tide(place): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from licet.errors.names import knows_its_options
from licet.rest.openapi.endpoints import query_parameters
from licet.rest.openapi.schemas import as_json_schema, unknown_parts
from licet.wire.described import Answer, Content, Described, Example, described_by

__all__ = ["documented"]

F = TypeVar("F", bound=Callable[..., Any])


@knows_its_options
def documented(
    summary: str,
    *,
    answer: Any = None,
    status: int = 200,
    body: Any = None,
    query: Any = None,
    refusals: Mapping[int, str] | None = None,
    answers: Mapping[int, str] | None = None,
    media_type: str = "application/json",
    examples: Iterable[Example] = (),
    description: str = "",
    name: str = "",
    tag: str = "",
    is_hidden: bool = False,
) -> Callable[[F], F]:
    """Tell the OpenAPI document about a view. Nothing is checked by it.

    It stands next to the view function, below the guards.

    Args:
        summary: one line.
        answer: what it answers: a pydantic class, a JSON schema, or a `Content`; None for no body.
        status: of that answer.
        body: what it takes, as `answer`.
        query: a pydantic class whose fields are the parameters of the query.
        refusals: the reason for each status of 400 or more, beside those of its guards.
        answers: what other statuses below 400 mean, which have no body.
        media_type: of the answer.
        examples: requests and their answers, which `licet.testing.Contract` replays.
        description: more than the summary.
        name: the operation's, unique in the app.
        tag: under which the operation is listed; its blueprint's name when not given.
        is_hidden: only some callers may know of it: it is in no document for everybody.
    """
    content = None if answer is None else _content(answer, media_type, is_body=False)
    others = [Answer(status=code, description=told) for code, told in (answers or {}).items()]
    described = Described(
        summary=summary,
        description=description,
        name=name,
        tag=tag,
        parameters=() if query is None else tuple(query_parameters(query)),
        body=None if body is None else _content(body, "application/json", is_body=True),
        answers=(Answer(status=status, description=summary, content=content), *others),
        refusals=refusals or {},
        examples=tuple(examples),
        is_hidden=is_hidden,
    )
    return described_by(described)


def _content(schema: Any, media_type: str, *, is_body: bool) -> Content:
    if isinstance(schema, Content):
        return schema
    found, _ = as_json_schema(schema, is_body=is_body)
    unknown = " ".join(unknown_parts(found))
    return Content(schema=schema, media_type=media_type, unknown=unknown)
