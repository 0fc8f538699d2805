"""Examples of a document, replayed against the live app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request
from pydantic import BaseModel
from tests.unit.rest.openapi.apps import add_boat, harbour

from licet import Licet
from licet.authn import embedded_issuer
from licet.errors import ConfigurationError
from licet.rest import public
from licet.rest.openapi import Content, Example, documented
from licet.testing import Contract, ContractBroken, Given, served
from licet.testing.serving import client_of_tests, send


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return harbour(tmp_path_factory.mktemp("harbour"))


@pytest.fixture(scope="module")
def contract(app: Flask):
    """The harbour's: each set-up makes the boat that the example shows."""
    made = Contract(app)

    @made.setup("boat*")
    def a_boat(case):
        key = add_boat(app, name="text", berth="text", seal="text")
        token = embedded_issuer(app).mint("ann", [])
        return Given(values={"7001": key}, headers={"Authorization": f"Bearer {token}"})

    @made.setup("search_get")
    def nothing(_case):
        return None

    return made


CASES = ("boat_changed_patch", "boat_shown_get", "boats_listed_get", "search_get")


def case_of(contract, name):
    (found,) = contract.cases(name)
    return found


def test_decorated_endpoints_have_an_example_each(contract):
    """Made of their schemas; of the plain view that is documented, none was given."""
    found = {case.operation_id for case in contract.cases() if not case.path.startswith("/v1")}
    assert found == {*CASES, "boat_added_post"}


@pytest.mark.parametrize("name", CASES)
def test_an_example_is_what_the_server_does(contract, name):
    """Over HTTP, with the key of the boat that was made in place of the example's."""
    with contract.served() as live:
        assert live.replay(case_of(contract, name)).status == 200


def test_a_refusal_is_told_with_the_operation(contract):
    """Ann is no harbourmaster."""
    told = r"boat_added_post \(POST /boats\), example 'example': .* status 201, and the answer 403"
    with contract.served() as live, pytest.raises(ContractBroken, match=told):
        live.replay(case_of(contract, "boat_added_post"))


def test_an_example_without_a_set_up_fails(app):
    """With the line that would make one."""
    other = Contract(app)
    told = r'no set-up: write one with @contract.setup\("search_get"\)'
    with other.served() as live, pytest.raises(ContractBroken, match=told):
        live.replay(case_of(other, "search_get"))


def test_a_set_up_of_no_operation_is_refused(contract):
    """The nearest name is told."""
    with pytest.raises(ConfigurationError, match="boat_shown_get"):
        contract.setup("boat_show_get")


def test_set_ups_by_name_come_before_patterns(contract):
    """Whichever was declared first."""
    other = Contract(contract.app)
    exact = other.setup("boat_shown_get")(lambda case: {})
    pattern = other.setup("boat_*")(lambda case: {})
    assert other.setup_of(case_of(other, "boat_shown_get")) is exact
    assert other.setup_of(case_of(other, "boat_changed_patch")) is pattern


TIDE = {"place": "pier", "metres": 2.5, "next": [{"at": 6}, {"at": 18}]}
SCHEMA = {
    "type": "object",
    "properties": {"metres": {"type": "number"}},
    "required": ["place", "metres"],
}


def tides(folder: Path, answer: Any, example: Example, schema: Any = SCHEMA) -> Contract:
    """The contract of an app that answers this, with this example."""
    app = Flask("tides", instance_path=str(folder))
    Licet(app)

    @app.route("/tides", methods=["GET"])
    @public
    @documented("The tide.", answer=schema, examples=[example])
    def tide():
        return app.response_class(json.dumps(answer), content_type="application/json")

    contract = Contract(app)
    contract.setup("tide_get")(lambda case: None)
    return contract


def replayed(contract):
    with contract.served() as live:
        return live.replay(case_of(contract, "tide_get"))


@pytest.mark.parametrize(
    "example",
    [TIDE, {"metres": 2.5}, {"next": [{"at": 18}]}],
    ids=["whole", "one member", "one element"],
)
def test_an_example_may_leave_out(tmp_path, example):
    """Members and elements that the answer has besides."""
    assert replayed(tides(tmp_path, TIDE, Example(answer=example))).document() == TIDE


LIES = {
    "value": ({"metres": 3.5}, "/metres: the example has 3.5, and the answer 2.5"),
    "type": ({"metres": "2.5"}, "/metres: the example has '2.5', and the answer 2.5"),
    "member": ({"feet": 8}, "/feet: the example has 8, and the answer no such member"),
    "element": ({"next": [{"at": 7}]}, "/next/0: no element of the answer"),
    "emptiness": ({"next": []}, r"/next: the example has \[\], and the answer \[{'at': 6}"),
    "number": ({"next": [{}, {}, {}]}, "/next: the example has .* and the answer"),
    "truth": ({"metres": True}, "/metres: the example has True"),
    "null": ({"place": None}, "/place: the example has None, and the answer 'pier'"),
}


@pytest.mark.parametrize(("example", "told"), LIES.values(), ids=LIES)
def test_a_lying_example_fails_with_operation_and_place(tmp_path, example, told):
    """A wrong value, type, member or element, each at its place."""
    with pytest.raises(ContractBroken, match=told) as raised:
        replayed(tides(tmp_path, TIDE, Example(answer=example)))
    assert "tide_get (GET /tides), example 'example'" in str(raised.value)


def test_an_answer_that_does_not_fit_its_schema_fails(tmp_path):
    """Also where the example says nothing of the place."""
    answer = {**TIDE, "metres": "much"}
    with pytest.raises(ContractBroken, match="/metres: the answer does not fit its schema"):
        replayed(tides(tmp_path, answer, Example(answer={"place": "pier"})))


def test_what_varies_is_compared_by_type(tmp_path):
    """A pointer, or one with a star."""
    example = Example(answer={"metres": 9, "next": [{"at": 1}]}, varies=("/metres", "/next/*/at"))
    assert replayed(tides(tmp_path, TIDE, example)).status == 200
    example = Example(answer={"next": []}, varies=("/next",))
    assert replayed(tides(tmp_path, TIDE, example)).status == 200
    example = Example(answer={"next": [{"at": 1}]}, varies=("/*/at",))
    with pytest.raises(ContractBroken, match="/next/0"):
        replayed(tides(tmp_path, TIDE, example))
    example = Example(answer={"metres": "9"}, varies=("/metres",))
    with pytest.raises(ContractBroken, match="/metres"):
        replayed(tides(tmp_path, TIDE, example))


def test_a_body_that_the_document_does_not_have_fails(tmp_path):
    """And the other way round, another media type."""
    with pytest.raises(ContractBroken, match="has a body, and the document none"):
        replayed(tides(tmp_path, TIDE, Example(), None))


def test_a_status_that_the_document_does_not_have_fails(tmp_path):
    """Though the server answers it."""
    contract = tides(tmp_path, TIDE, Example(status=404))
    contract.app.view_functions["tide"] = public(lambda: ({}, 404))
    case = case_of(contract, "tide_get")
    with contract.served() as live, pytest.raises(ContractBroken, match="has no answer 404"):
        live.replay(case)


def test_the_data_is_brought_back_before_each_case(tmp_path):
    """By the function that the contract was given."""
    seen = []
    contract = tides(tmp_path, TIDE, Example())
    again = Contract(contract.app, reset=lambda: seen.append("reset"))
    again.setup("tide_get")(lambda case: seen.append(case.name))
    replayed(again)
    replayed(again)
    assert seen == ["reset", "example"] * 2


def test_a_case_tells_what_is_sent_and_answered(contract, tmp_path):
    """For set-ups: documents of one resource, of several, and of none."""
    added = case_of(contract, "boat_added_post")
    assert added.body.keys() >= {"name", "berth"}
    assert str(added) == f"boat_added_post/{added.name}"
    shown = [{"data": [{"attributes": {"is-open": True}}, {}]}, {"data": {"attributes": {"n": 1}}}]
    told = []
    for answer in (*shown, {"data": []}, TIDE, None, [1]):
        (case,) = tides(tmp_path, answer, Example(answer=answer)).cases("tide_get")
        told.append(case.attributes)
    assert told == [{"is_open": True}, {"n": 1}, {}, {}, {}, {}]


def answering(folder, body, kind, methods=("GET",), **options):
    """The contract of an app with one view, which answers this and is documented like that."""
    app = Flask("texts", instance_path=str(folder))
    Licet(app)
    options = {"answer": {}, "name": "tide_get", "examples": [Example()], **options}
    view = documented("A text.", **options)(lambda: Response(body, content_type=kind))
    app.add_url_rule("/text", "text", public(view), methods=methods)
    contract = Contract(app)
    contract.setup("tide_get")(lambda case: None)
    return contract


def test_an_answer_that_is_no_json_is_held_to_its_type_and_text(tmp_path):
    """Its text, where the example has one; a document of JSON is not what a page says."""
    text = {"media_type": "text/plain"}
    assert replayed(answering(tmp_path, "high", "text/plain", **text)).media_type == "text/plain"
    text["examples"] = [Example(answer="high")]
    assert replayed(answering(tmp_path, "high", "text/plain", **text)).body == b"high"
    with pytest.raises(ContractBroken, match="the example has 'high', and the answer 'low'"):
        replayed(answering(tmp_path, "low", "text/plain", **text))
    pages = {"media_type": "*/*", "examples": [Example(answer={"a": 1})]}
    with pytest.raises(ContractBroken, match="and the answer '<b>'"):
        replayed(answering(tmp_path, "<b>", "text/html", **pages))


def test_an_answer_that_is_no_json_after_all_fails(tmp_path):
    """With its operation."""
    with pytest.raises(ContractBroken, match=r"tide_get .* the answer is no application/json"):
        replayed(answering(tmp_path, "{", "application/json"))


def test_a_head_has_the_status_and_type_of_its_example(tmp_path):
    """It has no body."""
    contract = answering(tmp_path, "{}", "application/json", methods=["HEAD"])
    assert replayed(contract).body == b""


def test_an_answer_without_a_place_in_the_document_fails(tmp_path):
    """The example has one, and the document none."""
    examples = [Example(answer={"a": 1})]
    contract = answering(tmp_path, "", "text/plain", answer=None, examples=examples)
    with pytest.raises(ContractBroken, match="the example has an answer, and the document none"):
        replayed(contract)


def test_a_server_that_is_gone_is_an_oserror(app):
    """It names the request."""
    with served(app) as url:
        pass
    refused = pytest.raises(OSError, match=r"GET http://127\.0\.0\.1")
    with client_of_tests() as client, refused:
        send(client, "GET", f"{url}/boats", {})


def echo(folder: Path, example: Example, rule: str = "/echo", given: Any = None, **options: Any):
    """What an app that answers with the request got, by the example of its one view."""
    app = Flask("echo", instance_path=str(folder))
    Licet(app)

    @public
    @documented("It.", name="echo", answer={"type": "object"}, examples=[example], **options)
    def view(**place):
        form = {**request.form, **{name: one.filename for name, one in request.files.items()}}
        sent = request.get_json(silent=True)
        query = request.args.to_dict(flat=False)
        return {"json": sent, "form": form, "query": query, "who": request.headers.get("X-Who")}

    app.add_url_rule(rule, "view", view, methods=["POST"])
    contract = Contract(app, headers={"X-Who": "staff"})
    contract.setup("echo")(lambda case: given)
    with contract.served() as live:
        return live.replay(case_of(contract, "echo")).document()


PLACE = {
    "type": "object",
    "properties": {"place": {"type": "string"}, "map": {"type": "string", "format": "binary"}},
    "required": ["place"],
    "additionalProperties": False,
}


class Near(BaseModel):
    near: list[str]


REQUESTS = {
    "another member": (Example(body={"plaice": "pier"}), {}, "the whole of the body: the body"),
    "another type": (Example(body={"place": 1}), {}, "at /place: the body does not fit its schema"),
    "no body": (Example(), {}, "the document demands a body"),
    "a body": (Example(body={}), {"body": None}, "a body, and the document none"),
    "no parameter": (Example(body={"place": ""}), {"query": Near}, "parameter 'near'"),
    "a parameter": (Example(body={"place": ""}, query={"q": "1"}), {}, "no parameter 'q' in the"),
    "no place": (Example(), {"rule": "/<place>"}, "no value for 'place' in the path"),
    "a place": (Example(path={"plaice": "x"}), {}, "the path has no parameter 'plaice'"),
    "another form": (
        Example(body={"place": ""}, headers={"content-type": "text/json"}),
        {},
        "sends text/json, and the document has application/json",
    ),
}


@pytest.mark.parametrize(("example", "options", "told"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_the_document_does_not_have_fails(tmp_path, example, options, told):
    """Though the server takes it."""
    with pytest.raises(ContractBroken, match=rf"echo \(POST .*{told}"):
        echo(tmp_path, example, **{"body": PLACE, **options})


def test_the_request_of_a_refusal_may_be_wrong(tmp_path):
    """It is what is refused."""
    refused = Example(body={"plaice": 1}, status=404)
    with pytest.raises(ContractBroken, match="status 404, and the answer 200"):
        echo(tmp_path, refused, body=PLACE)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_is_sent_as_one(tmp_path, kind):
    """As the document has it."""
    found = echo(
        tmp_path, Example(body={"place": "pier"}), body=Content(schema=PLACE, media_type=kind)
    )
    assert (found["json"], found["form"]) == (None, {"place": "pier"})


def test_a_file_is_sent_as_one(tmp_path):
    """A member whose format is binary."""
    form = Content(schema=PLACE, media_type="multipart/form-data")
    found = echo(tmp_path, Example(body={"place": "pier", "map": "…"}), body=form)
    assert found["form"] == {"place": "pier", "map": "map"}


def test_a_text_is_sent_as_it_is(tmp_path):
    """Of a media type that is neither JSON nor a form; what is no text cannot be sent as one."""
    text = Content(schema={}, media_type="text/plain")
    assert echo(tmp_path, Example(body="pier"), body=text)["json"] is None
    with pytest.raises(ContractBroken, match="text/plain is written as text, and the example has"):
        echo(tmp_path, Example(body={"place": "pier"}), body=text)


def test_a_parameter_may_be_given_more_than_once(tmp_path):
    """By a list."""
    found = echo(tmp_path, Example(query={"near": ["a", "b"]}), query=Near)
    assert found["query"] == {"near": ["a", "b"]}


def test_headers_of_one_name_are_one(tmp_path):
    """However they are written: that of the set-up counts."""
    assert echo(tmp_path, Example(), given=Given(headers={"x-who": "guest"}))["who"] == "guest"
    assert echo(tmp_path, Example())["who"] == "staff"


def test_a_set_up_that_yields_is_refused(tmp_path):
    """It would not be run to its end."""
    with pytest.raises(ConfigurationError, match="returns a Given, a dict or None, and not"):
        echo(tmp_path, Example(), given=(one for one in ()))


def test_cases_of_no_operation_are_refused(contract):
    """As set-ups are: a test of no case passes."""
    with pytest.raises(ConfigurationError, match="boat_shown_get"):
        contract.cases("boat_show_get")


def test_operations_without_an_example_are_told(contract):
    """No case tests them."""
    found = contract.untested()
    assert {"tide_get", "log_get"} <= set(found)
    assert not set(found) & set(CASES)
