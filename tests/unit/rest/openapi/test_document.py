"""The OpenAPI document of an app, read as clients read it."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
from flask import Blueprint, Flask, session
from flask.views import MethodView
from pydantic import BaseModel
from tests.unit.rest.openapi.apps import Wanted, harbour

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription
from licet.authn import embedded_issuer
from licet.authz import PUBLIC, declare, declare_decorator, requires_auth
from licet.rest import public
from licet.rest.jsonapi.responses import answer_errors_of
from licet.rest.openapi import About, Example, OpenApi, document_of, documented
from licet.rest.openapi.sharing import resolved
from licet.testing import Contract, Given

UNKNOWN = "x-licet-unknown"


def document(app):
    return document_of(app, About(title="tests"))


@pytest.fixture
def harbour_document(tmp_path: Path):
    return document(harbour(tmp_path))


@pytest.fixture
def app(tmp_path: Path):
    app = Flask("pier", instance_path=str(tmp_path))
    Licet(app)
    return app


def schema_at(found, operation, status="200"):
    content = next(iter(operation["responses"][status]["content"].values()))
    return resolved(found, content["schema"])


def parameters(operation):
    return {one["name"]: one for one in operation["parameters"]}


def test_a_list_has_the_parameters_of_pages(harbour_document):
    """Each parameter that the decorator reads is documented, sort_field with its fields."""
    found = parameters(harbour_document["paths"]["/boats"]["get"])
    assert set(found) == {"page_num", "page_size", "sort_field", "sort_direction", "cursor"}
    assert set(found["sort_field"]["schema"]["enum"]) >= {"name", "id"}
    page = schema_at(harbour_document, harbour_document["paths"]["/boats"]["get"])
    assert page["required"] == ["_items", "_meta"]


def test_a_body_has_what_may_be_sent_and_an_answer_what_is_shown(harbour_document):
    """The id is the server's: no body has it, and answers do."""
    operation = harbour_document["paths"]["/boats"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    body = resolved(harbour_document, body)
    assert set(body["properties"]) == {"name", "berth"}
    assert body["required"] == ["name"]
    assert body["additionalProperties"] is False
    shown = schema_at(harbour_document, operation, "201")
    assert set(shown["properties"]) == {"id", "name", "berth", "seal", "_etag"}
    assert shown["properties"]["id"]["readOnly"] is True


def test_a_guarded_change_needs_its_version(harbour_document):
    """If-Match is demanded where check_etag says so, and 412 and 428 have their reasons."""
    operation = harbour_document["paths"]["/boats/{boat}"]["patch"]
    found = parameters(operation)
    assert found["If-Match"]["required"] is True
    assert found["boat"]["schema"]["type"] == "integer"
    assert {"401", "403", "404", "412", "415", "422", "428"} <= set(operation["responses"])
    assert "If-None-Match" in parameters(harbour_document["paths"]["/boats/{boat}"]["get"])


def test_each_operation_tells_its_access(harbour_document):
    """What the audit knows is in x-licet-access, and security follows from it."""
    post = harbour_document["paths"]["/boats"]["post"]
    assert post["x-licet-access"] == [
        {"kind": "authenticated", "text": "one of harbourmaster", "resource": "boats"}
    ]
    assert post["security"] == [{"bearer": []}]
    assert {} in harbour_document["paths"]["/boats"]["get"]["security"]


def test_each_operation_has_a_refusal_with_its_reason(harbour_document):
    """Public ones as well."""
    for item in harbour_document["paths"].values():
        for operation in item.values():
            refusals = [one for s, one in operation["responses"].items() if s >= "4"]
            reasons = [resolved(harbour_document, one)["description"] for one in refusals]
            assert all(reasons), operation["operationId"]
            assert reasons


def test_what_many_operations_say_is_said_once(harbour_document):
    """As a component, to which their parameters and answers refer; nothing refers to nowhere."""
    text, components = json.dumps(harbour_document), harbour_document["components"]
    for kind in ("parameters", "responses"):
        assert components[kind]
        for name, one in components[kind].items():
            assert text.count(f'"#/components/{kind}/{name}"') >= 10, name
            assert text.count(json.dumps(one)) == 1, name
        told = set(re.findall(rf'"#/components/{kind}/([^"]+)"', text))
        assert told == set(components[kind])


def test_a_schema_that_cannot_be_known_says_so(harbour_document):
    """In the operation, and at the place of the schema."""
    operation = harbour_document["paths"]["/search"]["get"]
    assert "Session004 does not tell its fields" in operation[UNKNOWN]
    assert "Session004 does not tell its fields" in json.dumps(operation["responses"]["200"])


def test_a_plain_view_says_that_it_is_not_known(harbour_document):
    """Path, access and docstring are there; the answers are the default one, which says why."""
    operation = harbour_document["paths"]["/log/{file}"]["get"]
    assert operation["summary"] == "Lines of the harbour's log."
    assert "does not describe itself" in operation[UNKNOWN]
    assert set(operation["responses"]) == {"401", "403", "404", "default"}


def test_a_documented_view_is_told_whole(harbour_document):
    """Its schema, the parameters of its query, and its own refusal."""
    operation = harbour_document["paths"]["/tides/{place}"]["get"]
    assert UNKNOWN not in operation
    assert set(parameters(operation)) == {"place", "limit", "name"}
    assert schema_at(harbour_document, operation)["properties"]["metres"]["maximum"] == 20
    assert operation["responses"]["404"]["description"] == "There is no such place."


def test_errors_have_the_shape_of_the_app(tmp_path):
    """Problem documents, or seed document 004's."""
    found = document(harbour(tmp_path, LICET_ERROR_SHAPE="message"))
    schema = schema_at(found, found["paths"]["/boats"]["post"], "422")
    assert set(schema["required"]) == {"_status", "_error"}


def test_errors_may_be_pages_where_flask_answers(tmp_path):
    """Unless problem documents are made of all of them."""
    for is_on, types in (
        (False, {"application/problem+json", "text/html"}),
        (True, {"application/problem+json"}),
    ):
        found = document(harbour(tmp_path, LICET_PROBLEM_ERRORS=is_on))
        operation = found["paths"]["/boats/{boat}"]["get"]
        assert set(operation["responses"]["404"]["content"]) == types


def test_what_no_rule_takes_is_answered_in_the_shape_of_the_app(tmp_path):
    """A view among resources has their errors; a key that its converter does not take, others."""
    app = harbour(tmp_path, LICET_PROBLEM_ERRORS=True)
    for rule in ("/numbers/<int:key>", "/names/<key>"):
        blueprint = Blueprint(rule.split("/")[1], __name__)
        blueprint.add_url_rule(rule, "view", public(lambda key: {}))
        answer_errors_of(blueprint)
        app.register_blueprint(blueprint)
    paths = document(app)["paths"]

    def kinds(path):
        return {*paths[path]["get"]["responses"]["404"]["content"]}

    assert kinds("/names/{key}") == {"application/vnd.api+json"}
    answer = app.test_client().get("/numbers/-1")
    assert kinds("/numbers/{key}") == {"application/vnd.api+json", answer.mimetype}
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_rate_limits_are_documented_where_there_are_some(tmp_path):
    """Any operation may be answered 429 then."""
    found = document(harbour(tmp_path, LICET_RATE_LIMIT="100/minute"))
    assert "429" in found["paths"]["/tides/{place}"]["get"]["responses"]


def test_two_classes_of_one_name_are_two_schemas(app):
    """The second gets a number; the same class twice is one."""

    def tide(kind):
        class Tide(BaseModel):
            pass

        return type("Tide", (BaseModel,), {"__annotations__": {"metres": kind}})

    first, second = tide(int), tide(str)
    for path, schema in (("/a", first), ("/b", second), ("/c", first)):
        view = documented("A tide.", answer=schema)(lambda: "")
        app.add_url_rule(path, path, public(view))
    found = document(app)
    assert {"Tide", "Tide2"} <= set(found["components"]["schemas"])
    assert "Tide3" not in found["components"]["schemas"]
    kinds = [
        schema_at(found, found["paths"][path]["get"])["properties"]["metres"]["type"]
        for path in ("/a", "/b", "/c")
    ]
    assert kinds == ["integer", "string", "integer"]


def test_a_class_view_is_told_by_its_methods(app):
    """Each with its own decorators and access."""

    class Tides(MethodView):
        @public
        @documented("Read it.", answer={"type": "object"})
        def get(self):
            return {}

        def post(self):
            """Write it."""

    app.add_url_rule("/tides", view_func=Tides.as_view("tides"))
    item = document(app)["paths"]["/tides"]
    assert item["get"]["summary"] == "Read it."
    assert item["post"]["summary"] == "Write it."
    assert item["post"]["x-licet-undeclared"] is True


def test_paths_that_differ_in_names_alone_are_one(app):
    """OpenAPI takes no second spelling: the parameter has the first one's name."""
    app.add_url_rule("/a/<int:key>", "first", public(lambda key: ""), methods=["GET"])
    app.add_url_rule("/a/<name>", "second", public(lambda name: ""), methods=["POST", "GET"])
    found = document(app)["paths"]
    assert "/a/{name}" not in found
    (parameter,) = found["/a/{key}"]["post"]["parameters"]
    assert parameter["name"] == "key"


def test_operations_that_differ_in_converters_alone_are_told_both(app):
    """The second beside the first, with its own access and examples, which are replayed."""
    by_name = documented("It.", answer={"type": "object"}, examples=[Example(path={"key": "x"})])
    app.add_url_rule("/a/<int:key>", "first", public(lambda key: {}))
    app.add_url_rule("/a/<name>", "second", requires_auth()(by_name(lambda name: {})))
    operation = document(app)["paths"]["/a/{key}"]["get"]
    (also,) = operation["x-licet-also"]
    assert (also["operationId"], also["x-licet-rule"]) == ("second_get", "/a/<name>")
    assert operation["security"] != also["security"] == [{"bearer": []}]
    contract = Contract(app)
    token = {"Authorization": f"Bearer {embedded_issuer(app).mint('ann', [])}"}
    contract.setup("second_get")(lambda case: Given(headers=token))
    (case,) = contract.cases("second_get")
    with contract.served() as live:
        assert live.replay(case).status == 200


def test_hosts_of_rules_are_told(tmp_path):
    """One path of two subdomains is two operations."""
    app = Flask("hosts", instance_path=str(tmp_path), subdomain_matching=True)
    Licet(app)
    app.add_url_rule("/a", "first", public(lambda: ""))
    app.add_url_rule("/a", "second", requires_auth()(lambda: ""), subdomain="staff")
    app.add_url_rule("/me", "me", public(lambda user: ""), subdomain="<user>")
    found = document(app)["paths"]
    assert "x-licet-hosts" not in found["/a"]["get"]
    (also,) = found["/a"]["get"]["x-licet-also"]
    assert (also["operationId"], also["x-licet-hosts"]) == ("second_get", ["staff"])
    assert found["/me"]["get"]["x-licet-hosts"] == ["<user>"]


def test_a_parameter_has_the_example_of_its_own_place(app):
    """One name may be in the path and in the query."""
    example = Example(path={"limit": "a"}, query={"limit": "3"})
    view = documented("It.", answer={}, query=Wanted, examples=[example])(lambda limit: "")
    app.add_url_rule("/it/<limit>", "it", public(view))
    parameters = document(app)["paths"]["/it/{limit}"]["get"]["parameters"]
    shown = {one["in"]: one["examples"] for one in parameters if one["name"] == "limit"}
    assert shown == {"path": {"example": {"value": "a"}}, "query": {"example": {"value": 3}}}


def test_the_app_may_give_examples_of_a_second_rule(app):
    """They are of the second one, which has none otherwise."""
    view = public(documented("It.", answer={}, name="it", examples=[Example()])(lambda: ""))
    app.add_url_rule("/a", "it", view)
    app.add_url_rule("/b", "it")
    app.add_url_rule("/c", "it")
    api = OpenApi(app, title="tests", examples={"it_alias": [Example(name="own")]})
    found = api.document()["paths"]
    assert found["/b"]["get"]["x-licet-examples"][0]["name"] == "own"
    assert "x-licet-examples" not in found["/c"]["get"]


def test_a_partial_function_has_the_summary_of_its_function(app):
    """Not that of functools.partial."""

    def tide(place):
        """Read it."""

    app.add_url_rule("/it", "it", public(functools.partial(tide, "pier")))
    assert document(app)["paths"]["/it"]["get"]["summary"] == "Read it."


def provider(name, **options):
    description = ActionProviderDescription(
        globus_auth_scope=f"https://auth.globus.org/scopes/{name}",
        title=name,
        admin_contact="a@example.org",
        synchronous=False,
        input_schema={
            "type": "object",
            "properties": {"tide": {"$ref": "#/definitions/tide"}},
            "required": ["tide"],
            "definitions": {"tide": {"type": "number"}},
        },
        **options,
    )
    return ActionProviderBlueprint(
        name, __name__, url_prefix=f"/{name}", provider_description=description
    )


def test_a_provider_is_told_with_its_own_input_schema(app):
    """References of draft 7 lead to the document's components; both spellings are there."""
    blueprint = provider("tide")
    app.register_blueprint(blueprint)
    found = document(app)
    body = found["paths"]["/tide/run"]["post"]["requestBody"]["content"]["application/json"]
    request = resolved(found, body["schema"])
    inner = resolved(found, request["properties"]["body"])
    assert resolved(found, inner["properties"]["tide"]) == {"type": "number"}
    alias = found["paths"]["/tide/actions"]["post"]
    assert alias["x-licet-alias-of"] == found["paths"]["/tide/run"]["post"]["operationId"]
    assert found["paths"]["/tide/run"]["post"]["security"] == [
        {"bearer": ["https://auth.globus.org/scopes/tide"]}
    ]


def test_a_provider_that_is_not_public_is_not_told_to_everybody(app):
    """The served document has no word of it, and the command line's has all."""
    app.register_blueprint(provider("hidden", visible_to=["all_authenticated_users"]))
    app.register_blueprint(provider("open"))
    OpenApi(app, title="tests")
    served = app.test_client().get("/openapi.json")
    assert "hidden" not in served.text
    assert "/open/run" in served.json["paths"]
    assert "/hidden/run" in document(app)["paths"]


def test_a_view_may_be_hidden(app):
    """With its schemas and its tag."""
    view = documented("Of staff.", answer=Wanted, tag="staff", is_hidden=True)(lambda: "")
    app.add_url_rule("/staff", "staff", requires_auth()(view))
    api = OpenApi(app, title="tests")
    served = app.test_client().get("/openapi.json").text
    assert not [word for word in ("staff", "Wanted") if word in served]
    assert "/staff" in api.document()["paths"]


def test_a_mount_is_told_beside_the_paths(app):
    """What it serves is not known, only where it is."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from licet.authz import declare_mount

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/files": lambda *_: []})
    declare_mount(app, "/files", PUBLIC)
    assert document(app)["x-licet-mounts"] == [
        {"path": "/files", "access": [{"kind": "public", "text": "public"}]}
    ]


def test_names_of_operations_are_unique(app):
    """Two views that choose one name get two."""
    for path in ("/a", "/b"):
        app.add_url_rule(path, path, public(documented("A.", name="same")(lambda: "")))
    found = document(app)["paths"]
    ids = [found[path]["get"]["operationId"] for path in ("/a", "/b")]
    assert len(set(ids)) == 2


def test_the_document_is_always_the_same(tmp_path):
    """Two apps of one factory have one document, so that a file of it can be compared."""
    first, second = (harbour(tmp_path) for _ in range(2))
    assert json.dumps(document(first)) == json.dumps(document(second))


def test_static_files_are_files(app):
    """Their folder is not known to have any schema."""
    declare(app, "static", access=PUBLIC)
    found = document(app)["paths"]["/static/{filename}"]["get"]
    assert set(found["responses"]) == {"200", "304", "404"}


def test_nobody_is_let_in_where_licet_knows_no_way_in(tmp_path):
    """An app that signs its callers in by itself: no security at all would let in everybody."""
    app = Flask("own", instance_path=str(tmp_path))
    app.config["LICET_EMBEDDED_ISSUER"] = False
    Licet(app)

    def login_required(view):
        @functools.wraps(view)
        def guarded(**arguments):
            return view(**arguments) if "user" in session else ("", 401)

        return guarded

    declare_decorator(app, login_required)
    app.add_url_rule("/open", "open", public(lambda: ""))
    app.add_url_rule("/mine", "mine", login_required(lambda: ""))
    found = document(app)
    told = {path: item["get"]["security"] for path, item in found["paths"].items()}
    assert (told["/open"], told["/mine"]) == ([{}], [{"app": []}])
    assert found["components"]["securitySchemes"]["app"]["name"] == "session"


def test_changes_take_the_csrf_token_where_browsers_have_sessions(app, tmp_path):
    """Not what is read, nor an app without sessions, nor a form, which has its own member."""
    found = document(harbour(tmp_path, LICET_ACCOUNTS=True))
    told = {
        f"{method} {path}"
        for path, item in found["paths"].items()
        for method, one in item.items()
        for parameter in one.get("parameters", ())
        if resolved(found, parameter)["name"] == "X-CSRF-Token"
    }
    assert {"post /boats", "patch /boats/{boat}", "post /v1/piers"} <= told
    assert not {one for one in told if one.startswith("get")}
    assert "post /auth/sign-in" not in told
    assert '"X-CSRF-Token"' not in json.dumps(document(app))


def test_forms_of_pages_are_told_with_their_fields(tmp_path):
    """And with the token of the page."""
    found = document(harbour(tmp_path, LICET_ACCOUNTS=True))["paths"]

    def form(name):
        body = found[f"/auth/{name}"]["post"]["requestBody"]["content"]
        return body["application/x-www-form-urlencoded"]["schema"]

    signing_in = {"email", "password", "scope", "next", "csrf_token"}
    assert form("sign-in")["properties"].keys() == signing_in
    assert form("sign-in")["required"] == ["email", "password"]
    assert form("you/password")["required"] == ["current_password", "new_password"]
    assert form("you/sign-out")["properties"].keys() == {"csrf_token"}
