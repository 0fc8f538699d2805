"""The OpenAPI 3.1 document of everything that is registered in an app.

Resources of JSON:API, decorated endpoints, providers, accounts and views with `documented` are told
whole. Of any other view the document has the path, the methods and the access, and it says in
``x-licet-unknown`` what it does not know.

Source: OpenAPI Specification 3.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from flask import Flask

from licet.authz.callers.asking import policies_of
from licet.authz.declared.declarations import Declaration, declarations
from licet.authz.declared.marks import Access, AccessKind
from licet.errors.names import refuse_unknown
from licet.rest.endpoints.notes import notes_of
from licet.rest.jsonapi.resource import served_by
from licet.rest.jsonapi.responses import answers_errors_of
from licet.rest.openapi.access import (
    OWN,
    access_words,
    security_of,
    security_schemes,
    with_csrf,
    with_own_scheme,
)
from licet.rest.openapi.components import Components
from licet.rest.openapi.endpoints import describe_endpoint
from licet.rest.openapi.operations import EXAMPLES, Rendering
from licet.rest.openapi.resources import describe_resource
from licet.rest.openapi.rules import (
    METHODS,
    hosts_of,
    methods_of,
    path_of,
    path_parameters,
    same_path,
    view_for,
)
from licet.rest.openapi.sharing import share
from licet.settings.state import app_state
from licet.wire.described import (
    JSON_API,
    MESSAGE,
    PROBLEM,
    Answer,
    Content,
    Described,
    Example,
    description_of,
)

__all__ = ["ALSO", "About", "document_of"]

ALSO: Final = "x-licet-also"
VERSION: Final = "3.1.1"
_MOUNT: Final = "mount "
_OF_KINDS: Final[Mapping[AccessKind, Mapping[int, str]]] = {
    AccessKind.PUBLIC: {400: "The request is malformed."},
    AccessKind.REQUIRES: {401: "Nobody is signed in.", 403: "The caller may not do this."},
    AccessKind.AUTHENTICATED: {401: "Nobody is signed in.", 403: "The caller may not do this."},
    AccessKind.POLICY: {
        401: "A token was sent, and it is not acceptable; or nobody is signed in.",
        403: "The caller may not do this.",
        404: "There is no such object for the caller.",
    },
    AccessKind.ACTION: {401: "No token was sent, or it is not acceptable."},
}
_FILE: Final = Described(
    summary="A file of the app.",
    answers=(
        Answer(status=200, description="The file.", content=Content(schema={}, media_type="*/*")),
        Answer(status=304, description="The caller has it already."),
    ),
    refusals={404: "There is no such file."},
    may_be_nobody=True,
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a document says of the whole app."""

    title: str
    version: str = "1"
    description: str = ""
    root: str = "/"  # the path that the app is mounted at
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)  # by operation


def document_of(app: Flask, about: About, *, shows_hidden: bool = True) -> dict[str, Any]:
    """The document.

    Args:
        app: the app, with all of its routes.
        about: its title and the like.
        shows_hidden: also operations of which only some callers may know, such as those of a
            provider that is not visible to the public.
    """
    return _Document(app, about, shows_hidden=shows_hidden).as_dict()


@dataclass
class _Ids:
    """The names of operations: each once."""

    given: set[str] = field(default_factory=set)
    by_endpoint: dict[tuple[str, str], str] = field(default_factory=dict)

    def give(self, wanted: str, endpoint: str, method: str) -> tuple[str, str | None]:
        """A name, and the one that the same operation has under its first rule."""
        first = self.by_endpoint.get((endpoint, method))
        name = wanted if first is None else f"{wanted}_alias"
        number = 2
        while name in self.given:
            name, number = f"{wanted}_{number}", number + 1
        self.given.add(name)
        self.by_endpoint.setdefault((endpoint, method), name)
        return name, first


class _Document:
    """Writes one document."""

    def __init__(self, app: Flask, about: About, *, shows_hidden: bool) -> None:
        self._app, self._about, self._shows_hidden = app, about, shows_hidden
        has_pages = not app_state(app).settings.problem_errors
        settings = app_state(app).settings.rest
        shape = MESSAGE if settings.error_shape == "message" else PROBLEM
        always = {429: "Too many requests: Retry-After says when."} if settings.rate_limit else {}
        self._components = Components()
        self._rendering = Rendering(self._components, shape, always, has_pages=has_pages)
        self._schemes = security_schemes(app)
        self._ids = _Ids()
        self._paths: dict[str, dict[str, Any]] = {}
        self._by_shape: dict[str, str] = {}
        self._unused = set(about.examples)
        self._hosts = hosts_of(app.url_map)

    def as_dict(self) -> dict[str, Any]:
        """The document, in an order that is always the same."""
        found, mounts = self._declared()
        for one in found:
            for method in methods_of(one):
                self._add(one, method)
        if self._unused and self._shows_hidden:
            refuse_unknown("The app has no operation", sorted(self._unused), self._ids.given)
        info = {"title": self._about.title, "version": self._about.version}
        if self._about.description:
            info["description"] = self._about.description
        document: dict[str, Any] = {
            "openapi": VERSION,
            "info": info,
            "servers": [{"url": self._about.root}],
            "paths": dict(sorted(self._paths.items())),
            "components": {
                "schemas": self._components.as_dict(),
                "securitySchemes": self._schemes,
            },
            "tags": [{"name": name} for name in self._tags()],
        }
        share(document)
        if mounts:
            document["x-licet-mounts"] = [
                {"path": one.rule, "access": access_words(one.access)} for one in mounts
            ]
        return document

    def _declared(self) -> tuple[list[Declaration], list[Declaration]]:
        """What is served by rules, in the order of their registration; and the mounts."""
        order = {
            (str(rule.endpoint), rule.rule): number
            for number, rule in enumerate(self._app.url_map.iter_rules())
        }
        found = declarations(self._app)
        mounts = [one for one in found if one.endpoint.startswith(_MOUNT)]
        served = [one for one in found if (one.endpoint, one.rule) in order]
        return sorted(served, key=lambda one: order[one.endpoint, one.rule]), mounts

    def _tags(self) -> list[str]:
        operations = (one for item in self._paths.values() for one in item.values())
        return sorted({tag for one in operations if isinstance(one, dict) for tag in one["tags"]})

    # --- operations ------------------------------------------------------------------------------

    def _add(self, one: Declaration, method: str) -> None:
        view = self._app.view_functions.get(one.endpoint)
        handler = view_for(view, method)
        described = self._described(one, view, handler, method)
        if described.is_hidden and not self._shows_hidden:
            return
        described = with_csrf(described, method, self._schemes)
        path = self._by_shape.setdefault(same_path(path_of(one.rule)), path_of(one.rule))
        item = self._paths.setdefault(path, {})
        if method not in METHODS:
            item.setdefault("x-licet-other-methods", []).append(method)
            return
        in_path = [*path_parameters(one.rule)]
        operation = self._rendering.operation(described, in_path, handler)
        _rename_parameters(operation, path_of(one.rule), path)
        told = self._with_access(operation, one, described, method)
        if hosts := self._hosts.get((one.endpoint, one.rule)):
            told["x-licet-hosts"] = sorted(hosts)
        first = item.setdefault(method.lower(), told)
        if first is not told:  # OpenAPI has one place for rules that differ in converters or hosts
            first.setdefault(ALSO, []).append({"x-licet-rule": one.rule, **told})

    def _with_access(
        self, operation: dict[str, Any], one: Declaration, described: Described, method: str
    ) -> dict[str, Any]:
        wanted = described.name or _id_of(one.endpoint, method)
        name, first = self._ids.give(wanted, one.endpoint, method)
        blueprint = one.endpoint.rpartition(".")[0].replace(".", "-")
        found = self._with_own_examples(operation, described, name)
        found = {"operationId": name, "tags": [blueprint or "app"], **found}
        found["security"] = security_of(self._app, one.access, described, self._schemes)
        found["x-licet-access"] = access_words(one.access)
        if {OWN: []} in found["security"]:
            self._schemes = with_own_scheme(self._app, self._schemes)
        if not one.access:
            found["x-licet-undeclared"] = True
        if first is not None:
            found["x-licet-alias-of"] = first
            if name not in self._about.examples:
                _drop_examples(found)
        return found

    def _with_own_examples(
        self, operation: dict[str, Any], described: Described, name: str
    ) -> dict[str, Any]:
        """The operation with the app's own examples instead of those that were made."""
        own = self._about.examples.get(name)
        if own is None:
            return operation
        self._unused.discard(name)
        _drop_examples(operation)
        self._rendering.add_examples(operation, replace(described, examples=tuple(own)))
        return operation

    def _described(self, one: Declaration, view: Any, handler: Any, method: str) -> Described:
        found = description_of(handler, method, one.rule)
        if found is None and (served := served_by(view)) is not None:
            found = describe_resource(served, method)
        if found is None and (notes := notes_of(handler) or notes_of(view)):
            found = describe_endpoint(notes, method, one.rule, policies_of(self._app))
        if found is None and _is_static(view):
            return _FILE
        found = found or Described(unknown=_UNKNOWN)
        says_all = bool(found.errors or (found.may_be_nobody and found.refusals))
        if says_all:
            return found
        errors = JSON_API if answers_errors_of(self._app, one.endpoint.rpartition(".")[0]) else ""
        refusals = {**_reasons(one.access, one.rule), **found.refusals}
        return replace(found, refusals=refusals, errors=errors)


_UNKNOWN: Final = "The view does not describe itself: its bodies and answers are not known."


def _reasons(access: tuple[Access, ...], rule: str) -> dict[int, str]:
    """The refusals that follow from the declared access and from the rule."""
    found: dict[int, str] = {}
    for one in access:
        found.update(_OF_KINDS[one.kind])
    if any(path_parameters(rule)):
        found.setdefault(404, "There is nothing at this path.")
    return found or {400: "The request is malformed."}


def _is_static(view: Any) -> bool:
    named = getattr(view, "__name__", "")
    is_flask = getattr(view, "__module__", None) == "flask.app" and named == "<lambda>"
    return is_flask or named == "send_static_file"


def _id_of(endpoint: str, method: str) -> str:
    words = re.sub(r"[^a-zA-Z0-9]+", "_", endpoint).strip("_")
    return f"{words}_{method.lower()}"


def _rename_parameters(operation: dict[str, Any], own: str, path: str) -> None:
    """Give the parameters of the path the names that the path has under which they are told."""
    if own == path:
        return
    names = dict(zip(_names(own), _names(path), strict=True))
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            one["name"] = names[one["name"]]
    for one in operation.get(EXAMPLES, ()):
        one["path"] = {names.get(name, name): text for name, text in one.get("path", {}).items()}


def _names(path: str) -> Iterator[str]:
    return (found[1] for found in re.finditer(r"{([^}]*)}", path))


def _drop_examples(operation: dict[str, Any]) -> None:
    """Leave out the examples of a second rule: they are those of the first."""
    operation.pop(EXAMPLES, None)
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    contents = [one for body in bodies for one in body.get("content", {}).values()]
    for one in (*operation.get("parameters", ()), *contents):
        one.pop("examples", None)
