"""The contract of the Action Provider Interface, for every way of making a provider."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from tests.api.providers import (
    MAKERS,
    NOBODY,
    ON_ONE_ACTION,
    PREFIX,
    ROUTES,
    SCOPE,
    SECOND_SCOPE,
    STATUS_KEYS,
    THIRD_SCOPE,
    Site,
    assert_error,
    describe,
    make_callbacks,
    urn,
)

from licet.actions import ActionProviderBlueprint, ActionProviderConfig

NewSite = Callable[..., Site]
READING = ("status", "log")
MANAGING = ("cancel", "release", "resume")
WITHOUT_RESUME = ("store", "helper")


# Introspection


@pytest.mark.parametrize("path", [PREFIX, f"{PREFIX}/"])
def test_introspection_needs_no_token_and_no_slash(site: Site, path: str):
    """A public provider describes itself to everybody, under both spellings of its root."""
    response = site.client.get(path)

    assert response.status_code == 200
    assert response.json["globus_auth_scope"] == SCOPE
    assert response.json["input_schema"]["required"] == ["echo"]


def test_introspection_tells_every_field(site: Site):
    """The description's defaults are those of the specification."""
    told = site.call("introspect", by=None).json

    assert told["types"] == ["ACTION"]
    assert told["api_version"] == "1.0"
    assert told["visible_to"] == ["public"]
    assert told["runnable_by"] == ["all_authenticated_users"]
    assert told["maximum_deadline"] == "P30D"
    assert {"subtitle", "description", "keywords", "administered_by", "event_types"} <= set(told)


def test_introspection_renders_a_pydantic_class(new_site: NewSite):
    """A pydantic class is told as its JSON schema."""

    class Input(BaseModel):
        echo: str

    told = new_site(input_schema=Input).call("introspect", by=None).json

    assert told["input_schema"]["properties"]["echo"]["type"] == "string"


def test_introspection_parses_a_schema_in_text(new_site: NewSite):
    """A schema given as text is told as an object, which the original does not do."""
    told = new_site(input_schema='{"type": "object"}').call("introspect", by=None).json

    assert told["input_schema"] == {"type": "object"}


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer not-a-token", "nonsense\tx"])
def test_public_introspection_looks_at_no_token(site: Site, header: str):
    """On a public provider even a malformed token is not looked at."""
    response = site.call("introspect", by=None, headers={"Authorization": header})

    assert response.status_code == 200


def test_introspection_has_cors_headers(site: Site):
    """A browser anywhere may read a description."""
    response = site.call("introspect", by=None, headers={"Origin": "https://app.example"})

    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("visible_to", [["public"], [NOBODY], []])
@pytest.mark.parametrize("path", [PREFIX, f"{PREFIX}/"])
def test_preflight_is_answered_without_a_token(new_site: NewSite, path: str, visible_to: list[str]):
    """OPTIONS gives the CORS headers, also on providers that are not public."""
    response = new_site(visible_to=visible_to).client.options(path)

    assert response.status_code == 204
    assert response.data == b""
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization"


def test_head_of_introspection_has_headers_only(site: Site):
    """HEAD is GET without the body."""
    response = site.client.head(f"{PREFIX}/")

    assert response.status_code == 200
    assert response.data == b""
    assert int(response.headers["Content-Length"]) > 100


def test_introspection_honours_all_authenticated_users(new_site: NewSite):
    """Such a provider is told to whoever has a token, and to nobody else."""
    site = new_site(visible_to=["all_authenticated_users"])

    assert site.call("introspect").status_code == 200
    assert_error(site.call("introspect", by=None), 401, "UnauthorizedRequest")


def test_introspection_honours_identities(new_site: NewSite):
    """A listed identity sees the provider; for another it does not exist."""
    site = new_site(visible_to=[urn("alice")])

    assert site.call("introspect", by="alice").status_code == 200
    assert_error(site.call("introspect", by="bob"), 404, "ActionNotFound")


def test_introspection_honours_groups(new_site: NewSite):
    """A listed group's members see the provider."""
    site = new_site(visible_to=["urn:licet:group:staff"])

    assert site.call("introspect", groups=["staff"]).status_code == 200
    assert_error(site.call("introspect", groups=["other"]), 404, "ActionNotFound")


# Running


def test_run_starts_an_action(site: Site, spelling: str, user: str):
    """A new request is answered with 202 and all eleven members of the status."""
    response = site.run(user, spelling=spelling, label="mine")

    assert response.status_code == 202
    assert set(response.json) == STATUS_KEYS
    assert uuid.UUID(response.json["action_id"]).version == 4
    assert response.json["creator_id"] == urn(user)
    assert response.json["label"] == "mine"
    assert response.json["release_after"] == "P30D"
    assert response.json["completion_time"] is None


def test_run_answers_a_repeated_request_with_its_action(site: Site, spelling: str, user: str):
    """The same request_id and content start one action; the second answer is 200."""
    first = site.run(user, request_id="again", spelling=spelling)
    second = site.run(user, request_id="again", spelling=spelling)

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json["action_id"] == second.json["action_id"]


def test_both_spellings_share_their_request_ids(site: Site, user: str):
    """A request repeated under the other spelling is still the same request."""
    first = site.run(user, request_id="r", spelling="old")
    second = site.run(user, request_id="r", spelling="new")

    assert second.status_code == 200
    assert first.json == second.json


def test_run_refuses_a_request_id_with_other_content(site: Site, spelling: str, user: str):
    """A request_id that was used for something else is a conflict."""
    site.run(user, request_id="r")

    response = site.run(user, request_id="r", body={"echo": "other"}, spelling=spelling)

    assert_error(response, 409, "ActionConflict")


def test_request_ids_of_two_creators_do_not_meet(site: Site, user: str):
    """A request_id belongs to its creator."""
    first, second = site.started(user, request_id="r"), site.started("zoe-" + user, request_id="r")

    assert first != second


def test_a_request_id_is_free_after_release(site: Site, user: str):
    """After its action was released, the same request starts a new one."""
    first = site.started(user, request_id="r", state="SUCCEEDED")
    site.call("release", by=user, action_id=first)

    second = site.run(user, request_id="r", state="SUCCEEDED")

    assert second.status_code == 202
    assert second.json["action_id"] != first


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"],
)
def test_run_reads_json_whatever_the_content_type(site: Site, user: str, content_type: str | None):
    """The seed's curl names no JSON content type; curl then sends a form's."""
    asked = json.dumps({"request_id": "r", "body": {"echo": "hey"}})

    response = site.call("run", by=user, data=asked, content_type=content_type)

    assert response.status_code == 202


def test_run_ignores_unknown_fields_and_takes_a_number_as_request_id(site: Site, user: str):
    """Real clients send `tags`; a numeric request_id counts as its text."""
    first = site.run(user, request_id=7, tags=["x"])
    second = site.run(user, request_id="7")

    assert (first.status_code, second.status_code) == (202, 200)


@pytest.mark.parametrize("duration", ["P1Y", "P1M", "P1W", "PT12H", "P0D"])
def test_run_takes_iso_durations(site: Site, user: str, duration: str):
    """Years, months and weeks are durations."""
    assert site.run(user, release_after=duration).status_code == 202


def test_run_keeps_who_may_watch_and_manage(site: Site, user: str):
    """Both lists come back sorted, without duplicates."""
    watchers = sorted([urn("bob"), NOBODY])

    response = site.run(user, monitor_by=[*watchers, *watchers], manage_by=["urn:licet:group:ops"])

    assert response.json["monitor_by"] == watchers
    assert response.json["manage_by"] == ["urn:licet:group:ops"]


# Malformed requests


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"request_id": None}, "Field 'request_id': Input should be a valid string"),
        ({"body": []}, "Field 'body': Input should be a valid dictionary"),
        ({"body": "x"}, "Field 'body': Input should be a valid dictionary"),
        ({"label": ""}, "Field 'label': String should have at least 1 character"),
        ({"label": "x" * 65}, "Field 'label': String should have at most 64 characters"),
        ({"request_id": "a\x00"}, "Field 'request_id': must not contain NUL characters"),
        ({"release_after": "-P1D"}, "Field 'release_after': must not be negative"),
        ({"release_after": 5}, "Field 'release_after': must be an ISO 8601 duration"),
        ({"monitor_by": ["bob"]}, "Field 'monitor_by.0': must be a principal URN"),
        ({"manage_by": ["public"]}, "Field 'manage_by.0': must be a principal URN"),
        ({"manage_by": [NOBODY + "\n"]}, "Field 'manage_by.0': must be a principal URN"),
        ({"monitor_by": "x"}, "Field 'monitor_by': Input should be a valid set"),
        ({"deadline": "2999-01-01T00:00:00"}, "Field 'deadline': Input should have timezone info"),
        ({"deadline": "2001-01-01T00:00:00Z"}, "Field 'deadline': must lie in the future"),
        ({"deadline": "2999-01-01T00:00:00Z"}, "Field 'deadline': must lie at most P30D from now"),
        ({"deadline": "9999-12-31T23:59:59-12:00"}, "Field 'deadline': must lie at most P30D"),
        ({"deadline": 5}, "Field 'deadline': must be an ISO 8601 date and time"),
        ({"deadline": "tomorrow"}, "Field 'deadline': must be an ISO 8601 date and time"),
    ],
)
def test_run_refuses_malformed_fields(
    site: Site, spelling: str, fields: dict[str, Any], description: str
):
    """Every wrong field is a 422 that names it, never a 500."""
    response = site.run(spelling=spelling, **fields)

    assert_error(response, 422, "RequestValidationError")
    assert response.json["description"].startswith(description)


@pytest.mark.parametrize("field", ["request_id", "body"])
def test_run_demands_the_required_fields(site: Site, field: str):
    """A missing field is named."""
    asked = {"request_id": "r", "body": {"echo": "hey"}}
    del asked[field]

    response = site.call("run", data=json.dumps(asked))

    assert_error(response, 422, "RequestValidationError")
    assert response.json["description"] == f"Field '{field}': Field required"


def test_several_messages_are_joined(site: Site):
    """All wrong fields are told at once."""
    response = site.run(label="", request_id=None)

    messages = response.json["description"].split("; ")
    assert [m.split(":")[0] for m in messages] == ["Field 'request_id'", "Field 'label'"]


@pytest.mark.parametrize("raw", ["[]", "null", "1", '"x"', "true"])
def test_run_refuses_json_that_is_no_object(site: Site, raw: str):
    """The envelope is an object."""
    response = site.call("run", data=raw)

    assert_error(response, 422, "RequestValidationError")
    assert response.json["description"] == "Field '__root__': must be a JSON object"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b"[" * 5000, b'{"a": "\\ud800"}'],
    ids=["empty", "cut", "text", "not-utf8", "nan", "deep", "surrogate"],
)
def test_run_refuses_what_is_no_json(site: Site, spelling: str, raw: bytes):
    """Bytes that are not JSON are a 400."""
    response = site.call("run", spelling=spelling, data=raw)

    assert_error(response, 400, "BadActionRequest")
    assert response.json["description"].startswith("Invalid JSON: ")


def test_run_refuses_numbers_out_of_range(site: Site):
    """A number that only infinity could hold is refused."""
    response = site.call("run", data='{"request_id": "r", "body": {"echo": "x", "n": 1e999}}')

    assert response.status_code in (400, 422)


def test_schema_errors_tell_the_place_and_no_user_data(site: Site):
    """What the schema refuses is told by place and category; the user's data is left out."""
    response = site.run(body={"echo": 51423})

    assert_error(response, 422, "RequestValidationError")
    assert response.json["description"] == (
        "Field '$.echo' (category: 'type'): Input failed schema validation"
    )


def test_several_schema_errors_are_joined(site: Site):
    """All of them are told at once."""
    description = site.run(body={"state": 1}).json["description"]

    assert sorted(description.split("; ")) == [
        "Field '$' (category: 'required'): Input failed schema validation",
        "Field '$.state' (category: 'type'): Input failed schema validation",
    ]


@pytest.mark.parametrize("kind", ["callbacks", "store", "repository"], indirect=True)
def test_schema_errors_tell_the_real_message_on_demand(kind: str, instance: Any):
    """`scrub_validation_errors=False` gives the validator's own message."""
    config = ActionProviderConfig(scrub_validation_errors=False)
    site = Site(kind, make_callbacks(describe(), config=config), instance)

    description = site.run(body={"echo": 51423}).json["description"]

    assert re.fullmatch(r"Field '\$\.echo' \(category: 'type'\): 51423 is not .*", description)


def test_pydantic_input_errors_tell_the_place(new_site: NewSite):
    """A pydantic class's objections have the same form, with the path in the body."""

    class Inner(BaseModel):
        foo: int

    class Input(BaseModel):
        outer: list[Inner]

    response = new_site(input_schema=Input).run(body={"outer": [{"foo": "x"}]})

    assert_error(response, 422, "RequestValidationError")
    assert response.json["description"].startswith(
        "Field '$.outer[0].foo' (category: 'int_parsing'): "
    )


def test_a_deadline_within_the_limit_is_taken(new_site: NewSite):
    """The provider's own `maximum_deadline` counts."""
    site = new_site(maximum_deadline="PT1H")
    soon, late = (datetime.now(UTC) + timedelta(minutes=m) for m in (30, 90))

    assert site.run(deadline=soon.isoformat()).status_code == 202
    assert site.run(deadline=late.isoformat()).status_code == 422


@pytest.mark.parametrize("length", ["declared", "chunked"])
def test_a_body_over_the_limit_is_refused(new_site: NewSite, spelling: str, length: str):
    """`LICET_MAX_BODY_BYTES` bounds what is read, with and without a Content-Length."""
    site = new_site({"LICET_MAX_BODY_BYTES": 100})
    body = json.dumps({"request_id": "r", "body": {"echo": "x" * 100}})
    options: dict[str, Any] = {}
    if length == "chunked":
        options = {"environ_overrides": {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}}

    response = site.call("run", spelling=spelling, data=body, **options)

    assert_error(response, 413, "RequestTooLarge")
    assert "100 bytes" in response.json["description"]


def test_a_body_at_the_default_limit_is_read(site: Site, user: str):
    """One MiB passes; a byte more does not."""
    empty = json.dumps({"request_id": "r", "body": {"echo": ""}})
    full = empty.replace('""', '"' + "x" * (1024 * 1024 - len(empty)) + '"')

    assert site.call("run", by=user, data=full).status_code == 202
    assert site.call("run", by=user, data=full + " ").status_code == 413


# The operations on one action


def test_status_tells_the_action(site: Site, spelling: str, user: str):
    """The status is the one that running answered with."""
    started = site.run(user).json

    response = site.call("status", by=user, action_id=started["action_id"], spelling=spelling)

    assert response.status_code == 200
    assert response.json == started


def test_head_of_status_has_no_body(site: Site, user: str):
    """HEAD is GET without the body, under both spellings."""
    action_id = site.started(user)
    headers = {"Authorization": f"Bearer {site.token(user)}"}

    for path in (f"/{action_id}/status", f"/actions/{action_id}"):
        response = site.client.head(PREFIX + path, headers=headers)
        assert (response.status_code, response.data) == (200, b"")


def test_cancel_ends_the_action(site: Site, spelling: str, user: str):
    """A cancelled action is FAILED; CANCELLED never appears as a status."""
    action_id = site.started(user)

    response = site.call("cancel", by=user, action_id=action_id, spelling=spelling)

    assert response.status_code == 200
    assert response.json["status"] == "FAILED"
    assert response.json["details"]["code"] == "Cancelled"
    assert response.json["completion_time"] is not None
    assert site.call("status", by=user, action_id=action_id).json == response.json


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])
def test_cancelling_a_completed_action_answers_its_status(site: Site, user: str, state: str):
    """A completed action does not change any more."""
    action_id = site.started(user, state=state)
    before = site.call("status", by=user, action_id=action_id).json

    response = site.call("cancel", by=user, action_id=action_id)

    assert (response.status_code, response.json) == (200, before)


def test_release_answers_the_last_status_and_forgets(site: Site, spelling: str, user: str):
    """After its release an action is like any unknown one."""
    action_id = site.started(user, state="SUCCEEDED")
    before = site.call("status", by=user, action_id=action_id).json

    response = site.call("release", by=user, action_id=action_id, spelling=spelling)

    assert (response.status_code, response.json) == (200, before)
    for operation in ("status", "log", "cancel", "release"):
        gone = site.call(operation, by=user, action_id=action_id, spelling=spelling)
        assert_error(gone, 404, "ActionNotFound")


@pytest.mark.parametrize("state", ["ACTIVE", "INACTIVE"])
def test_an_incomplete_action_is_not_released(site: Site, spelling: str, user: str, state: str):
    """Releasing what has not ended is a conflict, and the action stays."""
    action_id = site.started(user, state=state)

    response = site.call("release", by=user, action_id=action_id, spelling=spelling)

    assert_error(response, 409, "ActionConflict")
    assert site.call("status", by=user, action_id=action_id).json["status"] == state


def test_resume_goes_on(site: Site, spelling: str, user: str):
    """An INACTIVE action becomes ACTIVE where there is a callback; elsewhere it is a 501."""
    action_id = site.started(user, state="INACTIVE")

    response = site.call("resume", by=user, action_id=action_id, spelling=spelling)

    if site.kind in WITHOUT_RESUME:
        assert_error(response, 501, "ActionProviderError")
    else:
        assert response.json["status"] == "ACTIVE"
        assert site.call("status", by=user, action_id=action_id).json["status"] == "ACTIVE"


def test_log_is_a_page_of_entries(site: Site, spelling: str, user: str):
    """The log callback is called, by the helper too, which the original forgets."""
    action_id = site.started(user)

    response = site.call("log", by=user, action_id=action_id, spelling=spelling)

    assert response.status_code == 200
    assert set(response.json) == {"limit", "has_next_page", "marker", "entries"}
    if site.kind != "store":
        assert response.json["entries"][0]["code"] == "STARTED"
        assert set(response.json["entries"][0]) == {"time", "code", "description", "details"}


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "since=yesterday", "until=%00"])
@pytest.mark.parametrize("kind", ["callbacks", "store", "helper"], indirect=True)
def test_log_refuses_malformed_queries(site: Site, user: str, query: str):
    """A limit or time that is none is a 422."""
    action_id = site.started(user)

    response = site.call("log", by=user, action_id=action_id, query_string=query)

    assert_error(response, 422, "RequestValidationError")


@pytest.mark.parametrize("operation", ON_ONE_ACTION)
@pytest.mark.parametrize(
    "action_id", ["nobody-knows-it", "%00", "a%00b", "%ff", "%F0%9F%90%A7", "x" * 5000, "..", "%0a"]
)
def test_unknown_ids_are_not_found(site: Site, spelling: str, operation: str, action_id: str):
    """Whatever an id holds, it is an unknown one."""
    if operation == "resume" and site.kind in WITHOUT_RESUME and site.kind != "store":
        pytest.skip("a provider with neither callback nor store cannot know its ids")

    response = site.call(operation, action_id=action_id, spelling=spelling)

    assert_error(response, 404, "ActionNotFound")


# Enumeration


def ids(response: Any) -> list[str]:
    """The ids of the listed actions."""
    assert response.status_code == 200, response.text
    return [action["action_id"] for action in response.json]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["ACTIVE"]),
        ("status=", ["ACTIVE"]),
        ("status=bogus", ["ACTIVE"]),
        ("status=bogus,SUCCEEDED", ["SUCCEEDED"]),
        ("status=Succeeded,failed", ["SUCCEEDED", "FAILED"]),
        ("status=active,inactive,succeeded,failed", ["ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED"]),
        ("status=active&roles=bogus", ["ACTIVE"]),
        ("status=active&roles=", ["ACTIVE"]),
        ("status=active&roles=monitor_by", []),
        ("status=active&roles=CREATOR_ID,manage_by", ["ACTIVE"]),
        ("status=\x00&roles=\x00", ["ACTIVE"]),
    ],
)
def test_enumeration_filters_by_status_and_role(
    site: Site, user: str, query: str, expected: list[str]
):
    """Unknown values are dropped; when none is left, the caller's active actions are listed."""
    states = ("ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED")
    by_state = {state: site.started(user, state=state) for state in states}

    response = site.call("enumerate", by=user, query_string=query)

    assert sorted(ids(response)) == sorted(by_state[state] for state in expected)


def test_enumeration_lists_newest_first(site: Site, user: str):
    """The last started action comes first, with all its members."""
    first, second = site.started(user), site.started(user)

    response = site.call("enumerate", by=user)

    assert ids(response) == [second, first]
    assert set(response.json[0]) == STATUS_KEYS


@pytest.mark.parametrize("role", ["monitor_by", "manage_by"])
def test_enumeration_finds_what_others_shared(site: Site, user: str, role: str):
    """An action shows up for those whom it lists, when they ask for that role."""
    action_id = site.started("owner-" + user, **{role: [urn(user)]})

    assert ids(site.call("enumerate", by=user, query_string={"roles": role})) == [action_id]
    assert ids(site.call("enumerate", by=user)) == []


def test_enumeration_finds_what_groups_share(site: Site, user: str):
    """A group's members find what lists the group."""
    action_id = site.started("owner-" + user, monitor_by=[f"urn:licet:group:{user}"])

    response = site.call(
        "enumerate", by=user, groups=[user], query_string={"roles": "creator_id,monitor_by"}
    )

    assert ids(response) == [action_id]


@pytest.mark.parametrize("kind", ["store"], indirect=True)
def test_enumeration_pages_through_the_store(site: Site, user: str):
    """The Link header leads to the next page until there is none."""
    started = [site.started(user) for _ in range(5)]

    headers = {"Authorization": f"Bearer {site.token(user)}"}
    page = site.call("enumerate", headers=headers, query_string={"limit": 2, "status": "active"})
    found = ids(page)
    while "Link" in page.headers:
        following = re.fullmatch(r'<(.+)>; rel="next"', page.headers["Link"]).group(1)
        page = site.client.get(following, headers=headers)
        found += ids(page)

    assert found == started[::-1]


@pytest.mark.parametrize("kind", ["store"], indirect=True)
def test_the_next_page_link_is_ascii(site: Site, user: str):
    """A host name in another script does not break the header."""
    for _ in range(2):
        site.started(user)

    page = site.call(
        "enumerate", by=user, query_string="limit=1", headers={"Host": "xn--bcher-kva.example"}
    )

    assert page.headers["Link"].isascii()


@pytest.mark.parametrize("kind", ["store"], indirect=True)
@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "marker=x", "marker=%00"])
def test_enumeration_refuses_malformed_pages(site: Site, query: str):
    """A page that cannot be is a 422."""
    response = site.call("enumerate", query_string=query)

    assert_error(response, 422, "RequestValidationError")


# Authorization


@pytest.mark.parametrize("operation", ["run", "enumerate", *ON_ONE_ACTION])
def test_every_operation_needs_a_token(site: Site, spelling: str, operation: str):
    """Without a token: 401, with the challenge that names no error (RFC 6750, section 3.1)."""
    response = site.call(operation, by=None, spelling=spelling)

    assert_error(response, 401, "UnauthorizedRequest")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="licet"'


@pytest.mark.parametrize(
    "header",
    ["Basic YTpi", "Bearer", "Bearer a b", "Bearer a.b.c", "Token x", "x" * 9000, "Bearer é"],
    ids=["basic", "bare", "two", "forged", "token", "long", "latin1"],
)
@pytest.mark.parametrize("operation", ["run", "status", "enumerate"])
def test_malformed_tokens_are_refused(site: Site, operation: str, header: str):
    """A token that is none: 401, with the error named in the challenge."""
    response = site.call(operation, by=None, headers={"Authorization": header})

    assert_error(response, 401, "UnauthorizedRequest")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="licet", error="invalid_token"'


def test_a_token_is_only_read_from_the_header(site: Site):
    """A token in the query is not looked at."""
    response = site.call("enumerate", by=None, query_string={"access_token": site.token("alice")})

    assert response.status_code == 401


@pytest.mark.parametrize("operation", ["run", "enumerate", *ON_ONE_ACTION])
def test_a_token_without_the_scope_is_refused(site: Site, spelling: str, operation: str):
    """A good token that lacks the scope: 403, and the challenge says which would do."""
    token = site.token("alice", scopes=["other"])

    response = site.call(
        operation, by=None, headers={"Authorization": f"Bearer {token}"}, spelling=spelling
    )

    assert_error(response, 403, "ActionForbidden")
    assert response.headers["WWW-Authenticate"] == (
        f'Bearer realm="licet", error="insufficient_scope", scope="{SCOPE}"'
    )


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ([SCOPE], 200),
        ([SECOND_SCOPE], 200),
        ([THIRD_SCOPE], 200),
        ([SECOND_SCOPE, "x"], 200),
        ([SCOPE, SECOND_SCOPE, THIRD_SCOPE], 200),
        ([], 403),
        ([SCOPE + "x"], 403),
    ],
)
def test_any_one_of_the_scopes_is_enough(new_site: NewSite, scopes: list[str], status: int):
    """The provider's own scope or any additional one; never are all demanded."""
    site = new_site(additional_scopes=[SECOND_SCOPE, THIRD_SCOPE])
    token = site.token("alice", scopes=scopes)

    response = site.call("enumerate", by=None, headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == status


@pytest.mark.parametrize("operation", ["run", "enumerate"])
@pytest.mark.parametrize(
    ("runnable_by", "allowed"),
    [
        (["all_authenticated_users"], True),
        ([urn("alice")], True),
        (["urn:licet:group:staff"], True),
        (["public"], False),
        ([urn("bob")], False),
        (["urn:licet:group:other"], False),
        ([], False),
    ],
)
def test_runnable_by_decides_who_runs_and_enumerates(
    new_site: NewSite, operation: str, runnable_by: list[str], allowed: bool
):
    """`public` counts for nothing here; whoever is not listed gets 403."""
    site = new_site(runnable_by=runnable_by)
    body = json.dumps({"request_id": uuid.uuid4().hex, "body": {"echo": "x"}})

    response = site.call(operation, groups=["staff"], data=body)

    if allowed:
        assert response.status_code in (200, 202)
    else:
        assert_error(response, 403, "ActionForbidden")


def test_permission_comes_before_the_body(new_site: NewSite):
    """Somebody who may not run is told so, whatever they send."""
    site = new_site(runnable_by=[])

    assert site.call("run", data=b"nonsense").status_code == 403


def test_a_blocked_runner_still_reads_what_is_theirs(new_site: NewSite, site: Site, user: str):
    """`runnable_by` says nothing about actions that exist."""
    if site.kind == "repository":
        pytest.skip("each site of this kind has a repository of its own")
    action_id = site.started(user)

    response = new_site(runnable_by=[]).call("status", by=user, action_id=action_id)

    assert response.status_code == 200


@pytest.mark.parametrize("operation", READING)
@pytest.mark.parametrize("listed", ["identity", "group"])
def test_those_in_monitor_by_may_read(
    site: Site, spelling: str, operation: str, listed: str, user: str
):
    """Status and log are for the creator and for `monitor_by`."""
    principal = urn(user) if listed == "identity" else f"urn:licet:group:{user}"
    action_id = site.started("owner-" + user, monitor_by=[principal])

    response = site.call(operation, by=user, groups=[user], action_id=action_id, spelling=spelling)

    assert response.status_code == 200


@pytest.mark.parametrize("operation", READING)
def test_those_in_manage_by_alone_may_not_read(site: Site, operation: str, user: str):
    """`manage_by` gives no right to read."""
    action_id = site.started("owner-" + user, manage_by=[urn(user)])

    response = site.call(operation, by=user, action_id=action_id)

    assert_error(response, 404, "ActionNotFound")


@pytest.mark.parametrize("operation", MANAGING)
@pytest.mark.parametrize("listed", ["identity", "group"])
def test_those_in_manage_by_may_manage(
    site: Site, spelling: str, operation: str, listed: str, user: str
):
    """Cancel, release and resume are for the creator and for `manage_by`."""
    principal = urn(user) if listed == "identity" else f"urn:licet:group:{user}"
    state = {"cancel": "ACTIVE", "release": "FAILED", "resume": "INACTIVE"}[operation]
    action_id = site.started("owner-" + user, manage_by=[principal], state=state)

    response = site.call(operation, by=user, groups=[user], action_id=action_id, spelling=spelling)

    unoffered = operation == "resume" and site.kind in WITHOUT_RESUME
    assert response.status_code == (501 if unoffered else 200)


@pytest.mark.parametrize("operation", MANAGING)
def test_those_who_may_only_see_may_not_manage(
    site: Site, spelling: str, operation: str, user: str
):
    """403 where the toolkit decides over its store, else the seed's 404."""
    if operation == "resume" and site.kind == "helper":
        pytest.skip("the helper offers no resume")
    action_id = site.started("owner-" + user, monitor_by=[urn(user)], state="SUCCEEDED")

    response = site.call(operation, by=user, action_id=action_id, spelling=spelling)

    expected = (403, "ActionForbidden") if site.kind == "store" else (404, "ActionNotFound")
    assert_error(response, *expected)


@pytest.mark.parametrize("operation", ON_ONE_ACTION)
def test_a_hidden_action_looks_like_an_absent_one(
    site: Site, spelling: str, operation: str, user: str
):
    """Status, headers and body of the two are equal but for the id."""
    if operation == "resume" and site.kind == "helper":
        pytest.skip("the helper offers no resume")
    hidden_id, absent_id = site.started("owner-" + user), str(uuid.uuid4())

    hidden, absent = (
        site.call(operation, by=user, action_id=action_id, spelling=spelling)
        for action_id in (hidden_id, absent_id)
    )

    assert_error(hidden, 404, "ActionNotFound")
    assert hidden.text.replace(hidden_id, absent_id) == absent.text
    assert hidden.headers == absent.headers


@pytest.mark.parametrize("operation", MANAGING)
def test_a_refused_change_changes_nothing(site: Site, operation: str, user: str):
    """Whoever is refused leaves the action as it was."""
    action_id = site.started("owner-" + user, monitor_by=[urn(user)])
    before = site.call("status", by=user, action_id=action_id).json

    site.call(operation, by=user, action_id=action_id)

    assert site.call("status", by=user, action_id=action_id).json == before


# What a provider does not offer


@pytest.mark.parametrize("operation", ["run", "enumerate", *ON_ONE_ACTION])
def test_an_operation_without_callback_is_not_implemented(
    instance: Any, spelling: str, operation: str
):
    """501 with the interface's body, not HTML; a token is needed all the same."""
    site = Site("bare", ActionProviderBlueprint("p", "p", PREFIX, describe()), instance)
    body = '{"request_id": "r", "body": {"echo": "x"}}'

    response = site.call(operation, spelling=spelling, data=body)

    assert_error(response, 501, "ActionProviderError")
    assert f"'{operation}'" in response.json["description"]
    assert site.call(operation, by=None, spelling=spelling).status_code == 401


def test_every_route_has_a_path_in_both_spellings(site: Site):
    """The app's URL map holds exactly the routes of the specification."""
    rules = {
        (method, str(rule))
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("p.")
        for method in rule.methods & {"GET", "POST", "DELETE"}
    }

    expected = {
        (method, PREFIX + path.replace("{id}", "<string:action_id>"))
        for routes in ROUTES.values()
        for method, path in routes.values()
    }
    assert rules == expected


# Apps and registration


def test_one_blueprint_serves_two_apps(kind: str, instance: Any, tmp_path: Any):
    """Each app has its own issuer and limits; neither's tokens are good for the other."""
    blueprint = MAKERS[kind](describe())
    first = Site(kind, blueprint, instance)
    second = Site(kind, blueprint, tmp_path, LICET_MAX_BODY_BYTES=100, LICET_ISSUER="https://b.ex")
    foreign = {"Authorization": f"Bearer {first.token('alice')}"}

    assert second.call("enumerate").status_code == 200
    assert second.call("enumerate", by=None, headers=foreign).status_code == 401
    assert first.run(body={"echo": "x" * 100}).status_code == 202
    assert second.run(body={"echo": "x" * 100}).status_code == 413
