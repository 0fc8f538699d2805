"""One operation of a document, from what is known of a view: described, decorated, declared."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from licet.rest.openapi.components import Components
from licet.rest.openapi.errors import error_content
from licet.rest.openapi.schemas import UNKNOWN
from licet.wire.described import NOTHING, PAGE, Answer, Content, Described, Example, Parameter

__all__ = ["EXAMPLES", "Rendering", "summary_of"]

EXAMPLES: Final = "x-licet-examples"
_NOT_KNOWN: Final = "The view does not describe itself: its bodies and answers are not known."


def summary_of(view: Any) -> str:
    """The first line of a view's docstring, without its full stop; empty without one."""
    found: Any = inspect.unwrap(view) if callable(view) else view
    while isinstance(found, partial):
        found = inspect.unwrap(found.func)
    text = (getattr(found, "__doc__", None) or "").strip()
    return text.partition("\n")[0].strip()


class Rendering:
    """Writes operations as the document has them.

    Args:
        components: the schemas of the document.
        errors: the shape of the app's own errors.
        has_pages: whether some of these are pages, as where Flask itself answers.
        always: the reasons for refusals that any operation may give, by status.
    """

    def __init__(
        self,
        components: Components,
        errors: str,
        always: Mapping[int, str],
        *,
        has_pages: bool = False,
    ) -> None:
        self._components, self._has_pages = components, has_pages
        self._errors, self._always = errors, dict(always)

    def operation(
        self, described: Described | None, in_path: list[Parameter], view: Any
    ) -> dict[str, Any]:
        """The operation object, without what the audit and the rule say.

        Args:
            described: what is known of it; None when nothing is.
            in_path: the parameters of the rule.
            view: the view, whose docstring is the summary of what describes itself in no other way.
        """
        known = described or Described(unknown=_NOT_KNOWN)
        found: dict[str, Any] = {"summary": known.summary or summary_of(view)}
        if known.description:
            found["description"] = known.description
        if known.tag:
            found["tags"] = [known.tag]
        if parameters := [*self._parameters(known, in_path)]:
            found["parameters"] = parameters
        if known.body is not None:
            found["requestBody"] = self._request_body(known.body)
        is_narrow = any(
            "minLength" not in one.schema or "maxLength" in one.schema for one in in_path
        )
        found["responses"] = dict(sorted(self._responses(known, is_narrow=is_narrow).items()))
        if known.unknown or self._unknown_parts(known):
            found[UNKNOWN] = " ".join(filter(None, [known.unknown, *self._unknown_parts(known)]))
        self.add_examples(found, known)
        return found

    def _unknown_parts(self, known: Described) -> list[str]:
        contents = [known.body, *(one.content for one in known.answers)]
        return [one.unknown for one in contents if one is not None and one.unknown]

    # --- requests --------------------------------------------------------------------------------

    def _parameters(self, known: Described, in_path: list[Parameter]) -> Iterator[dict[str, Any]]:
        told = {one.name: one for one in known.parameters if one.place == "path"}
        for one in in_path:
            yield self._parameter(told.get(one.name, one), described=one)
        for one in known.parameters:
            if one.place != "path":
                yield self._parameter(one)

    def _parameter(self, one: Parameter, described: Parameter | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {"name": one.name, "in": one.place}
        if text := one.description or (described.description if described else ""):
            found["description"] = text
        if one.is_required or one.place == "path":
            found["required"] = True
        return {**found, "schema": self._components.of(self._resolved(dict(one.schema)))}

    def _request_body(self, body: Content) -> dict[str, Any]:
        content = {body.media_type: {"schema": self._schema(body, is_body=True)}}
        return {"required": body.is_required, "content": content}

    # --- answers ---------------------------------------------------------------------------------

    def _responses(self, known: Described, *, is_narrow: bool) -> dict[str, Any]:
        """The answers; `is_narrow`: the rule takes not every text, and the app answers the rest."""
        found = {str(one.status): self._answer(one) for one in known.answers}
        own = [self._errors, PAGE] if self._has_pages else [self._errors]
        shapes = [known.errors] if known.errors else own
        for status, reason in {**self._always, **known.refusals}.items():
            others = own if status == 404 and is_narrow else []
            found.setdefault(str(status), self._refusal([*shapes, *others], reason))
        if known.unknown and not known.answers:
            found["default"] = {"description": known.unknown}
        return found

    def _answer(self, one: Answer) -> dict[str, Any]:
        found: dict[str, Any] = {"description": one.description}
        if one.headers:
            found["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in one.headers.items()
            }
        if one.content is not None:
            found["content"] = {one.content.media_type: {"schema": self._schema(one.content)}}
        return found

    def _refusal(self, shapes: list[str], reason: str) -> dict[str, Any]:
        contents = map(error_content, shapes)
        found = {one.media_type: {"schema": self._schema(one)} for one in contents}
        return {"description": reason, "content": found}

    # --- schemas ---------------------------------------------------------------------------------

    def _schema(self, content: Content, *, is_body: bool = False) -> dict[str, Any]:
        schema = content.schema
        if schema is None:
            return {UNKNOWN: content.unknown or _NOT_KNOWN}
        if isinstance(schema, Content):
            return self._schema(schema, is_body=is_body)
        if isinstance(schema, Mapping):
            return self._components.of(self._resolved(dict(schema)), name=content.name)
        return self._components.of(schema, is_body=is_body)

    def _resolved(self, value: Any) -> Any:
        """The schema with references for the contents in it."""
        if isinstance(value, Content):
            return self._schema(value)
        if isinstance(value, list | tuple):
            return [self._resolved(one) for one in value]
        if isinstance(value, Mapping):
            return {key: self._resolved(one) for key, one in value.items()}
        return value

    # --- examples --------------------------------------------------------------------------------

    def add_examples(self, found: dict[str, Any], known: Described) -> None:
        """Write the examples into the operation, whole and where OpenAPI has their parts."""
        examples = list(known.examples)
        if examples:
            found[EXAMPLES] = [_as_dict(one) for one in examples]
        for one in examples:
            self._add_example(found, known, one)

    def _add_example(self, found: dict[str, Any], known: Described, one: Example) -> None:
        """Write an example where OpenAPI has it: at parameters, the body, and the answer."""
        given = {"path": one.path, "query": one.query, "header": one.headers}
        for parameter in found.get("parameters", ()):
            values = given.get(parameter["in"], {})
            if parameter["name"] in values:
                value = _typed(values[parameter["name"]], parameter["schema"])
                parameter.setdefault("examples", {})[one.name] = {"value": value}
        if one.body is not NOTHING and known.body is not None:
            content = found["requestBody"]["content"][known.body.media_type]
            content.setdefault("examples", {})[one.name] = {"value": one.body}
        answer = found["responses"].get(str(one.status), {})
        if one.answer is not NOTHING:
            for content in answer.get("content", {}).values():
                content.setdefault("examples", {})[one.name] = {"value": one.answer}


def _typed(text: Any, schema: Mapping[str, Any]) -> Any:
    is_whole = (
        isinstance(text, str) and schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text)
    )
    return int(text) if is_whole else text


def _as_dict(one: Example) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "status": one.status}
    for name, value in (("path", one.path), ("query", one.query), ("headers", one.headers)):
        if value:
            found[name] = dict(value)
    documents = {"body": one.body, "answer": one.answer}
    found |= {name: value for name, value in documents.items() if value is not NOTHING}
    if one.varies:
        found["varies"] = list(one.varies)
    return found
