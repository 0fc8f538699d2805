"""Examples of a document, replayed against the live app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from tests.unit.rest.openapi.apps import add_boat, harbour

from licet import Licet
from licet.authn import embedded_issuer
from licet.errors import ConfigurationError
from licet.rest import public
from licet.rest.openapi import Example, documented
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
    [TIDE, {"metres": 2.5}, {"next": [{"at": 18}]}, {"next": []}],
    ids=["whole", "one member", "one element", "no element"],
)
def test_an_example_may_leave_out(tmp_path, example):
    """Members and elements that the answer has besides."""
    assert replayed(tides(tmp_path, TIDE, Example(answer=example))).document() == TIDE


LIES = {
    "value": ({"metres": 3.5}, "/metres: the example has 3.5, and the answer 2.5"),
    "type": ({"metres": "2.5"}, "/metres: the example has '2.5', and the answer 2.5"),
    "member": ({"feet": 8}, "/feet: the example has 8, and the answer no such member"),
    "element": ({"next": [{"at": 7}]}, "/next/0: no element of the answer"),
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
    for answer in (*shown, {"data": []}, TIDE, None):
        (case,) = tides(tmp_path, answer, Example(answer=answer)).cases("tide_get")
        told.append(case.attributes)
    assert told == [{"is_open": True}, {"n": 1}, {}, {}, {}]


def test_an_answer_that_is_no_json_is_held_to_its_type_alone(tmp_path):
    """What a page says is nobody's contract."""
    contract = tides(tmp_path, TIDE, Example())
    contract.app.view_functions["tide"] = public(lambda: Response("high", mimetype="text/plain"))
    case = case_of(contract, "tide_get")
    case.operation["responses"]["200"]["content"]["text/plain"] = {"schema": {}}
    with contract.served() as live:
        assert live.replay(case).media_type == "text/plain"


def test_a_server_that_is_gone_is_an_oserror(app):
    """It names the request."""
    with served(app) as url:
        pass
    refused = pytest.raises(OSError, match=r"GET http://127\.0\.0\.1")
    with client_of_tests() as client, refused:
        send(client, "GET", f"{url}/boats", {})
