"""Media types, spellings of URLs, and what every answer of JSON:API has."""

import json

import pytest
from tests.unit.rest.jsonapi.conference import TYPE


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        TYPE,
        "application/json",
        f"{TYPE};profile=x",
        f"{TYPE};charset=utf-8, {TYPE}",
        f"{TYPE};q=0.5",
        "text/html, */*;q=0.1",
        "nonsense;;",
    ],
)
def test_answers_are_of_json_api(conference, accept):
    """Whoever takes JSON:API in some form, or does not say, is answered in it."""
    response = conference.ask("GET", "/v1/events", headers={"Accept": accept} if accept else {})
    assert (response.status_code, response.headers["Content-Type"]) == (200, TYPE)
    assert "Accept" in response.headers.getlist("Vary")


@pytest.mark.parametrize("accept", [f"{TYPE};charset=utf-8", f'{TYPE};ext="https://x"'])
def test_a_form_that_is_not_spoken_is_not_acceptable(conference, accept):
    """406 when all that is taken of JSON:API has parameters that are not known."""
    response = conference.ask("GET", "/v1/events", headers={"Accept": accept})
    assert response.status_code == 406
    assert response.json["errors"][0]["source"] == {"header": "Accept"}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (TYPE, 201),
        (f"{TYPE};profile=x", 201),
        (f"{TYPE}; charset=utf-8", 415),
        (f'{TYPE};ext="https://x"', 415),
        ("application/json", 415),
        ("", 415),
    ],
)
def test_bodies_are_of_json_api(conference, content_type, status):
    """415 for another content type, and for parameters that are not known."""
    document = {"data": {"type": "event", "attributes": {"name": "x"}}}
    headers = {"Content-Type": content_type}
    response = conference.ask("POST", "/v1/events", "ann", document=document, headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize("path", ["/v1/events", "/v1/event", "/v1/events/1", "/v1/events/1/talks"])
def test_a_slash_at_the_end_makes_no_difference(conference, path):
    """URL and URL/ are one resource, without a redirect, and a type is another name."""
    with_slash = conference.ask("GET", f"{path}/")
    assert with_slash.status_code == 200
    assert with_slash.json["data"] == conference.get(path)["data"]


def test_writes_are_answered_at_both_spellings(conference):
    """Neither a POST nor a PATCH is redirected."""
    document = {"data": {"type": "event", "attributes": {"name": "x"}}}
    made = conference.ask("POST", "/v1/event/", "ann", document=document)
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/events/6")
    change = {"data": {"type": "event", "id": "6", "attributes": {"name": "y"}}}
    changed = conference.ask("PATCH", "/v1/events/6/", "ann", document=change)
    assert changed.json["data"]["attributes"]["name"] == "y"


@pytest.mark.parametrize("name", ["talk-file", "talk_file", "talkFile", "talk-files", "talkFiles"])
def test_a_type_has_many_spellings_on_the_way_in(conference, name):
    """Singular or the URL's name, dashed, underscored or in camel case; answered is one."""
    document = {"data": {"type": name, "attributes": {"path": "/x"}}}
    made = conference.ask("POST", "/v1/talk-files", "root", document=document)
    assert (made.status_code, made.json["data"]["type"]) == (201, "talk-file")


def test_answers_are_private(conference):
    """No cache gives one caller's answer to another."""
    for path, expected in (
        ("/v1/events", "no-store"),
        ("/v1/events/99", "no-store"),
        ("/v1/talks/1", "private, no-cache"),  # its ETag is asked about each time
    ):
        response = conference.ask("GET", path)
        assert response.headers["Cache-Control"] == expected
        varied = ", ".join(response.headers.getlist("Vary")).split(", ")
        assert sorted(varied) == ["Accept", "Authorization", "Cookie"]


def test_head_is_get_without_its_body(conference):
    """HEAD has the headers of GET."""
    response = conference.ask("HEAD", "/v1/events/1")
    assert (response.status_code, response.data) == (200, b"")


def test_errors_have_the_shape_of_json_api(conference):
    """Each error is in a list, with its status as a string."""
    response = conference.ask("GET", "/v1/events/99")
    assert response.headers["Content-Type"] == TYPE
    assert response.json == {
        "errors": [
            {
                "status": "404",
                "code": "not_found",
                "title": "Not Found",
                "detail": "There is no such object.",
            }
        ],
        "jsonapi": {"version": "1.1"},
    }


def test_guards_before_the_endpoints_answer_in_the_same_shape(conference):
    """What a function before the request raises is JSON:API's, too."""
    from licet.errors import MissingToken

    @conference.app.before_request
    def refuse():
        raise MissingToken

    conference.app.register_error_handler(401, lambda _error: ("mine", 401))
    response = conference.ask("GET", "/v1/events")
    assert response.json["errors"][0]["code"] == "missing_token"
    assert "WWW-Authenticate" in response.headers


def test_an_unexpected_exception_tells_nothing(conference, caplog):
    """500 with an id that the log has."""

    @conference.resources["event"].before_update
    def fail(_event):
        raise RuntimeError("a secret")

    conference.app.config["PROPAGATE_EXCEPTIONS"] = False
    change = {"data": {"type": "event", "id": "1", "attributes": {"name": "y"}}}
    response = conference.ask("PATCH", "/v1/events/1", "ann", document=change)
    (error,) = response.json["errors"]
    assert (response.status_code, error["status"]) == (500, "500")
    assert error["id"] in caplog.text
    assert "secret" not in response.text
    assert conference.rows(_event())[0]["name"] == "Open"


def _event():
    from tests.unit.rest.jsonapi.conference import Event

    return Event


def test_other_endpoints_of_the_app_keep_their_errors(conference):
    """JSON:API changes nothing outside of its own endpoints."""
    response = conference.ask("GET", "/elsewhere")
    assert response.status_code == 404
    assert response.headers["Content-Type"] != TYPE


def test_every_endpoint_says_what_guards_it(conference):
    """The audit finds no endpoint that nobody declared."""
    import licet

    licet.protect(conference.app)
    from licet.authz import declarations

    said = {(one.rule, tuple(one.methods)): one.access for one in declarations(conference.app)}
    own = {rule: access for (rule, _), access in said.items() if rule.startswith("/v1")}
    assert own
    assert all(own.values())
    assert json.dumps([access[0].text for access in own.values()])


def test_a_compressed_body_is_refused(conference):
    """415, with the types that are taken."""
    headers = {"Content-Encoding": "gzip"}
    made = conference.ask("POST", "/v1/events", "ann", data=b"{}", headers=headers)
    assert (made.status_code, made.headers["Accept"]) == (415, TYPE)
    assert made.json["errors"][0]["source"] == {"header": "Content-Encoding"}


def test_a_url_that_is_too_long_is_refused(conference):
    """414, as by every endpoint of the app."""
    asked = conference.ask("GET", f"/v1/events?filter[name]={'x' * 20_000}")
    assert (asked.status_code, asked.json["errors"][0]["code"]) == (414, "url_too_long")
