"""The documents of the reference site and of the conference, by an independent validator."""

from __future__ import annotations

from pathlib import Path

import pytest
from openapi_spec_validator import validate
from services.open_event.app import create_app as create_conference
from services.site import create_app as create_site
from tests.unit.rest.openapi.apps import harbour

from licet.rest.openapi import About, document_of
from licet.rest.openapi.sharing import resolved

PLACES = {"site": create_site, "conference": create_conference}
CONFIG = {"LICET_WORKER_THREADS": 0, "LICET_ACCOUNTS": True}


@pytest.fixture(scope="module", params=[*PLACES, "harbour"])
def app(request, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "harbour":
        return harbour(folder, LICET_ACCOUNTS=True)
    return PLACES[request.param]({"LICET_INSTANCE_PATH": str(folder), **CONFIG})


@pytest.fixture(scope="module")
def document(app):
    return document_of(app, About(title="tests"))


def rules_of(app):
    """Each method and rule that a view answers: no automatic OPTIONS, and no HEAD beside a GET."""
    for rule in app.url_map.iter_rules():
        automatic = {"OPTIONS"} if rule.provide_automatic_options else set()
        for method in rule.methods - automatic - ({"HEAD"} if "GET" in rule.methods else set()):
            yield method, rule


def filled(app, path):
    """A path of the document with a value for each parameter, to be routed."""
    adapter = app.url_map.bind("localhost")
    for value in ("7", "docs.css", "6b1f6e9a-1111-4222-8333-444455556666"):
        text = "".join(value if part.endswith("}") else part for part in split(path))
        if adapter.test(text, method="GET") or adapter.allowed_methods(text):
            return adapter, text
    raise AssertionError(f"{path} is not routed")


def split(path):
    return [piece for part in path.replace("{", "\0{").split("\0") for piece in halves(part)]


def halves(part):
    head, brace, tail = part.partition("}")
    return [head + brace, tail]


def test_the_document_is_valid(document):
    """By openapi-spec-validator, as OpenAPI 3.1 with JSON Schema 2020-12."""
    validate(document)


def test_every_route_is_documented(app, document):
    """Each method of each rule is an operation of some path."""
    from licet.rest.openapi.rules import path_of, same_path

    known = {
        (method.upper(), same_path(path))
        for path, item in document["paths"].items()
        for method in item
    }
    routed = {(method, same_path(path_of(rule.rule))) for method, rule in rules_of(app)}
    assert routed
    assert routed - known == set()


def test_every_documented_operation_is_routed(app, document):
    """The app's own map of URLs takes each path with each method."""
    operations = [(path, method) for path, item in document["paths"].items() for method in item]
    assert operations
    for path, method in operations:
        adapter, text = filled(app, path)
        assert method.upper() in adapter.allowed_methods(text), (method, path)


def test_nothing_of_the_services_is_unknown(app, document):
    """Each view tells its schemas, but for those of this test, pages, and what callbacks decide."""
    unknown = {
        path
        for path, item in document["paths"].items()
        for one in item.values()
        if "x-licet-unknown" in one
    }
    assert {path for path in unknown if not path.startswith("/auth/")} <= {"/log/{file}", "/search"}


def test_each_operation_has_access_and_refusals(document):
    """x-licet-access is what the audit knows; at least one status from 400 on has a reason."""
    for path, item in document["paths"].items():
        for method, one in item.items():
            assert one["x-licet-access"], (method, path)
            refusals = [s for s in one["responses"] if s[0] in "45"]
            assert refusals, (method, path)
            assert all(resolved(document, one["responses"][s])["description"] for s in refusals)


def test_examples_fit_their_schemas(document):
    """Each example of a body and of an answer, where the example is a whole document."""
    from jsonschema import Draft202012Validator

    whole = {**document, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    tried = 0
    for item in document["paths"].values():
        for one in item.values():
            for content in one.get("requestBody", {}).get("content", {}).values():
                schema = {**content["schema"], "components": whole["components"]}
                for example in content.get("examples", {}).values():
                    Draft202012Validator(schema).validate(example["value"])
                    tried += 1
    assert tried
