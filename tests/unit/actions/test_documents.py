"""The documents: what each holds, and how it is written."""

import json
import uuid
from datetime import datetime, timedelta
from enum import Enum

import pytest
from pydantic import BaseModel, ValidationError
from tests.unit.actions.making import ALICE, BOB, TEAM, make_request, make_status

from licet.actions.documents import (
    ActionFailedDetails,
    ActionInactiveDetails,
    ActionLogEntry,
    ActionLogReturn,
    ActionProviderDescription,
    ActionProviderJsonEncoder,
    ActionRequest,
    ActionStatus,
    ActionStatusValue,
    EventType,
    ExtensibleCodeDescription,
    ProviderType,
    convert_to_json,
    now_isoformat,
    render,
)

MEMBERS = [
    "action_id",
    "status",
    "creator_id",
    "details",
    "start_time",
    "completion_time",
    "label",
    "display_status",
    "monitor_by",
    "manage_by",
    "release_after",
]
DESCRIPTION = {
    "globus_auth_scope": "s",
    "title": "t",
    "admin_contact": "anything at all",
    "synchronous": False,
    "input_schema": {},
}


class Display(Enum):
    DONE = "done"


class Input(BaseModel):
    n: int


class TestDescription:
    def test_defaults(self):
        """What a provider leaves out has the interface's defaults."""
        found = ActionProviderDescription(**DESCRIPTION).model_dump(exclude=set(DESCRIPTION))
        assert found == {
            "types": [ProviderType.Action],
            "api_version": "1.0",
            "subtitle": None,
            "description": None,
            "keywords": None,
            "visible_to": ["public"],
            "runnable_by": ["all_authenticated_users"],
            "administered_by": None,
            "maximum_deadline": "P30D",
            "log_supported": False,
            "event_types": None,
        }

    @pytest.mark.parametrize("schema", [{"type": "object"}, '{"type": "object"}', Input])
    def test_a_schema_may_have_three_forms(self, schema: object):
        """An input schema is a dict, a text or a pydantic class, kept as it is."""
        fields = DESCRIPTION | {"input_schema": schema}
        assert ActionProviderDescription(**fields).input_schema == schema

    @pytest.mark.parametrize("missing", sorted(DESCRIPTION))
    def test_required_fields(self, missing: str):
        """A description without one of the five required fields is refused."""
        fields = {name: value for name, value in DESCRIPTION.items() if name != missing}
        with pytest.raises(ValidationError, match=missing):
            ActionProviderDescription(**fields)

    def test_free_text_and_events(self):
        """Administrators are free text; event providers name their events."""
        fields = {"administered_by": ["ops@example"], "types": ["EVENT"], "event_types": ["FAILED"]}
        found = ActionProviderDescription(**DESCRIPTION, **fields)
        assert found.administered_by == ["ops@example"]
        assert found.event_types == [EventType.FAILED]


class TestRequest:
    def test_defaults(self):
        """A request needs an id and a body; everything else has a default."""
        found = ActionRequest(request_id="r", body={}).model_dump(exclude={"request_id", "body"})
        assert found == {
            "label": None,
            "deadline": None,
            "release_after": None,
            "monitor_by": [],
            "manage_by": [],
            "allowed_clients": [],
        }

    def test_a_number_is_an_id(self):
        """A request_id that is a whole number is taken as text."""
        assert make_request(7).request_id == "7"

    def test_unknown_fields_are_ignored(self):
        """What real clients send beyond the interface does no harm."""
        assert not hasattr(make_request(tags=["x"]), "tags")

    @pytest.mark.parametrize(
        "principal",
        [
            "urn:globus:auth:identity:00000000-0000-0000-0000-000000000000",
            "urn:globus:groups:id:ABCDEF00-0000-0000-0000-000000000000",
            ALICE,
            TEAM,
        ],
    )
    def test_principals_of_both_families(self, principal: str):
        """Globus URNs and our own may monitor and manage."""
        request = make_request(monitor_by=[principal], manage_by=[principal])
        assert request.monitor_by == request.manage_by == {principal}

    @pytest.mark.parametrize(
        "fields",
        [
            {"request_id": "x" * 513},
            {"request_id": None},
            {"body": []},
            {"body": None},
            {"label": ""},
            {"label": "x" * 65},
            {"label": "a\x00"},
            {"deadline": "2030-01-01T00:00:00"},
            {"deadline": "tomorrow"},
            {"release_after": "-P1D"},
            {"release_after": 5},
            {"monitor_by": ["alice"]},
            {"monitor_by": ["public"]},
            {"manage_by": [ALICE + "\n"]},
            {"manage_by": [ALICE[:-1]]},
            {"manage_by": ALICE},
            {"allowed_clients": [1]},
        ],
        ids=str,
    )
    def test_what_is_not_exactly_right_is_refused(self, fields: dict[str, object]):
        """A client's mistake in any field is an error of that field."""
        with pytest.raises(ValidationError) as caught:
            make_request(**fields)
        assert caught.value.errors()[0]["loc"][0] in fields

    @pytest.mark.parametrize("text", ["P1Y", "P1M", "P1W"])
    def test_calendar_durations(self, text: str):
        """Years, months and weeks are durations."""
        assert make_request(release_after=text).release_after > timedelta(0)


class TestStatus:
    def test_eleven_members_always(self):
        """A state is written with its eleven members, nulls included."""
        found = json.loads(render(ActionStatus(status="ACTIVE", creator_id=ALICE, details="")))
        assert list(found) == MEMBERS
        assert [name for name in MEMBERS if found[name] is None] == [
            "completion_time",
            "label",
            "display_status",
            "release_after",
        ]
        assert found["monitor_by"] == found["manage_by"] == []

    def test_the_id_is_a_random_uuid(self):
        """An action that is given no id makes a version 4 UUID."""
        assert uuid.UUID(make_status().action_id).version == 4

    @pytest.mark.parametrize(
        ("status", "complete"),
        [("ACTIVE", False), ("INACTIVE", False), ("SUCCEEDED", True), ("FAILED", True)],
    )
    def test_completion(self, status: str, complete: bool):
        """SUCCEEDED and FAILED are the end; nothing else is."""
        assert make_status(status).is_complete() is complete

    def test_durations_and_times_are_iso_8601(self):
        """Times and durations are ISO 8601 text in JSON, naive times in UTC."""
        status = make_status(
            release_after="P30D",
            start_time=datetime(2030, 1, 1),  # noqa: DTZ001 - naive on purpose
            completion_time=datetime(2030, 1, 2),  # noqa: DTZ001 - naive on purpose
        )
        found = json.loads(render(status))
        assert found["release_after"] == "P30D"
        assert found["start_time"] == "2030-01-01T00:00:00+00:00"
        assert found["completion_time"] == "2030-01-02T00:00:00+00:00"

    @pytest.mark.parametrize(
        ("given", "shown"),
        [
            (Display.DONE, "done"),
            (ActionStatusValue.FAILED, "FAILED"),
            (f"Cancelled by {ALICE}", f"Cancelled by {ALICE}"[:63] + "…"),
            ("", None),
        ],
    )
    def test_display_status(self, given: object, shown: str | None):
        """A display status may be an enum member and is cut to 64 characters."""
        status = make_status()
        status.display_status = given
        assert status.display_status == make_status(display_status=given).display_status == shown

    @pytest.mark.parametrize(
        "fields",
        [
            {"creator_id": "alice"},
            {"status": "CANCELLED"},
            {"label": ""},
            {"label": "x" * 65},
            {"label": "\x00"},
            {"action_id": ""},
            {"action_id": "a\x00"},
            {"monitor_by": ["x"]},
            {"details": 5},
            {"start_time": "soon"},
        ],
        ids=str,
    )
    def test_a_providers_mistakes_are_refused(self, fields: dict[str, object]):
        """What is no valid state cannot be made, nor assigned."""
        with pytest.raises(ValidationError):
            make_status(**fields)
        [(name, value)] = fields.items()
        with pytest.raises(ValidationError):
            setattr(make_status(), name, value)

    def test_principals_are_sorted_in_json(self):
        """Two equal states are the same bytes."""
        found = json.loads(render(make_status(monitor_by={TEAM, BOB, ALICE}, manage_by=None)))
        assert found["monitor_by"] == sorted([TEAM, BOB, ALICE])
        assert found["manage_by"] is None


class TestDetails:
    @pytest.mark.parametrize("details", ["text", {"n": 1}, {"code": 5}])
    def test_objects_and_text_stay(self, details: object):
        """Details are any object or a text."""
        assert make_status(details=details).details == details

    def test_a_code_and_a_description_are_a_document(self):
        """Details with a code and a description are read like one, with all they hold."""
        found = make_status(details={"code": "c", "description": "d", "more": 1}).details
        assert isinstance(found, ExtensibleCodeDescription)
        assert dict(found) == {"code": "c", "description": "d", "more": 1}

    def test_documents_are_read_like_a_dict(self):
        """Members, open ones included, are found by name; unknown ones are None."""
        details = ActionFailedDetails(code="c", description="d", more=1)
        assert (details["code"], details["more"], details["other"]) == ("c", 1, None)
        assert "more" in details
        assert "other" not in details
        assert len(details) == 3
        assert list(details.keys()) == ["code", "description", "more"]

    def test_a_subclass_keeps_its_own_members(self):
        """The details of an inactive action say what it waits for."""
        details = ActionInactiveDetails(code="c", description="d", required_scope="s")
        found = json.loads(render(make_status("INACTIVE", details=details)))["details"]
        assert found["required_scope"] == "s"
        assert found["resolution_url"] is None


class TestLog:
    def test_what_the_seed_builds_is_a_page(self):
        """A page may hold a code, a description, a time and details instead of entries."""
        page = ActionLogReturn(code=120, description="d", time=now_isoformat(), details={"k": "v"})
        found = json.loads(render(page))
        assert found["limit"] == 0
        assert found["has_next_page"] is False
        assert found["entries"] == []
        assert (found["code"], found["details"]) == (120, {"k": "v"})

    @pytest.mark.parametrize(("fields", "limit"), [({}, 1), ({"limit": 5}, 5), ({"limit": 0}, 0)])
    def test_the_limit_is_the_number_of_entries(self, fields: dict[str, int], limit: int):
        """A limit that nobody gave is counted."""
        entry = ActionLogEntry(code="c", description="d")
        assert ActionLogReturn(entries=[entry], **fields).limit == limit

    def test_an_entry_has_a_time(self):
        """An entry without a time is of now."""
        entry = ActionLogEntry(code="c", description="d", extra=1)
        assert datetime.fromisoformat(entry.time).tzinfo is not None
        assert entry["extra"] == 1


class TestJson:
    def test_the_encoder_writes_documents(self):
        """`json.dumps` writes documents, sets and times with the encoder."""
        value = {"status": make_status(), "set": {2, 1}, "duration": timedelta(days=1)}
        found = json.loads(json.dumps(value, cls=ActionProviderJsonEncoder))
        assert list(found["status"]) == MEMBERS
        assert (found["set"], found["duration"]) == ([1, 2], "P1D")

    def test_a_class_is_its_schema(self):
        """A class of documents is written as its JSON schema."""
        assert convert_to_json(Input)["properties"]["n"]["type"] == "integer"
        assert json.loads(render({"schema": Input}))["schema"]["type"] == "object"

    @pytest.mark.parametrize("value", [{BOB, ALICE}, frozenset({BOB, ALICE})])
    def test_sets_are_written_in_order(self, value: object):
        """A set becomes a sorted list."""
        assert convert_to_json(value) == sorted([ALICE, BOB])
        assert sorted(json.loads(render({"s": value}))["s"]) == sorted([ALICE, BOB])
        assert json.loads(render({"s": frozenset()}))["s"] == []

    def test_infinities_become_null(self):
        """What JSON has no number for is null."""
        assert render({"x": float("inf"), "y": float("nan")}) == b'{"x":null,"y":null}'

    def test_what_has_no_json_form_is_refused(self):
        """An object of no known kind is a TypeError to `json`, a ValueError to `render`."""
        with pytest.raises(TypeError):
            json.dumps(object(), cls=ActionProviderJsonEncoder)
        with pytest.raises(ValueError):
            render({"x": object()})
