"""One error in the document of each style, and ``LICET_ERROR_SHAPE``."""

import json

import pytest
from flask import abort
from werkzeug.exceptions import BadRequest, NotFound

from licet import Licet
from licet.errors import InvalidRequest, MalformedRequest, ObjectNotFound, RateLimited
from licet.errors.places import FieldError, json_pointer
from licet.rest import public
from licet.rest.shapes import as_json_api, as_message, as_problem

FAULTS = [
    FieldError(detail="No.", pointer="/data/attributes/title"),
    FieldError(detail="Nor.", parameter="sort"),
    FieldError(detail="Not.", header="If-Match"),
]


def test_a_problem_has_an_entry_for_each_fault():
    """Pointers are URI fragments, as RFC 9457 has them."""
    body, status, headers = as_problem(InvalidRequest(errors=FAULTS), "/x")
    assert (status, headers["Content-Type"]) == (422, "application/problem+json")
    assert json.loads(body)["errors"] == [
        {"detail": "No.", "pointer": "#/data/attributes/title"},
        {"detail": "Nor.", "parameter": "sort"},
        {"detail": "Not.", "header": "If-Match"},
    ]


def test_json_api_has_an_error_object_for_each_fault():
    """The status is a string, and the source has the place."""
    body, status, headers = as_json_api(MalformedRequest(errors=FAULTS), "/x")
    assert (status, headers["Content-Type"]) == (400, "application/vnd.api+json")
    found = json.loads(body)["errors"]
    assert [one["source"] for one in found] == [
        {"pointer": "/data/attributes/title"},
        {"parameter": "sort"},
        {"header": "If-Match"},
    ]
    assert {one["status"] for one in found} == {"400"}
    assert {one["code"] for one in found} == {"malformed_request"}


def test_json_api_has_one_error_object_of_an_error_without_places():
    """Of anybody's errors, and of unexpected ones, which tell their id alone."""
    (found,) = json.loads(as_json_api(NotFound(), "/x")[0])["errors"]
    assert (found["status"], found["code"], found["title"]) == ("404", "not_found", "Not Found")
    body, status, _ = as_json_api(KeyError("secret"), "/x", error_id="7f")
    assert status == 500
    assert json.loads(body)["errors"][0]["id"] == "7f"
    assert "secret" not in body


def test_the_message_shape_is_that_of_seed_document_004():
    """The message, and the places where there are some."""
    body, status, headers = as_message(BadRequest("bad"), "/x")
    assert json.loads(body) == {"_status": "ERR", "_error": {"message": "bad"}}
    assert (status, headers["Content-Type"]) == (400, "application/json")
    body, *_ = as_message(InvalidRequest(errors=FAULTS), "/x")
    assert len(json.loads(body)["_error"]["errors"]) == 3


@pytest.mark.parametrize("shape", [as_problem, as_message, as_json_api])
def test_headers_of_an_error_are_in_every_shape(shape):
    """Whoever has to wait is told how long."""
    _, status, headers = shape(RateLimited(retry_after_seconds=3), "/x")
    assert (status, headers["Retry-After"]) == (429, "3")


def test_a_pointer_escapes_what_pointers_are_made_of():
    """RFC 6901: ~ and / have names; indexes are numbers."""
    assert json_pointer("a/b", 0, "c~d", "") == "/a~1b/0/c~0d/"
    assert json_pointer() == ""


@pytest.mark.parametrize("all_errors", [False, True])
def test_an_app_answers_its_errors_in_the_shape_that_it_asks_for(app, all_errors):
    """Licet's own in any case, and all others where LICET_PROBLEM_ERRORS is on."""
    app.config.update(
        LICET_ERROR_SHAPE="message", LICET_PROBLEM_ERRORS=all_errors, LICET_EMBEDDED_ISSUER=False
    )
    Licet(app)

    def licets():
        raise ObjectNotFound

    def fail():
        raise KeyError("secret")

    app.add_url_rule("/licets", view_func=public(licets))
    app.add_url_rule("/own", view_func=public(lambda: abort(409, "busy")), endpoint="own")
    app.add_url_rule("/fail", view_func=public(fail))
    client = app.test_client()
    message = {"_status": "ERR", "_error": {"message": "There is no such object."}}
    assert client.get("/licets").json == message
    own, unknown, failed = (client.get(url) for url in ("/own", "/nowhere", "/fail"))
    assert (own.status_code, unknown.status_code, failed.status_code) == (409, 404, 500)
    assert [bool(one.is_json) for one in (own, unknown, failed)] == [all_errors] * 3
    if all_errors:
        assert client.post("/licets").json["_status"] == "ERR"
        assert failed.json["_error"].keys() == {"message", "error_id"}
