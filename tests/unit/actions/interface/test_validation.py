"""From bytes to a request that fits the provider, or a 4xx that says why."""

from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from pydantic import BaseModel
from tests.unit.actions.making import make_request

from licet.actions.documents import ActionProviderDescription
from licet.actions.interface.validation import (
    check_deadline,
    compile_schema,
    format_validation_error,
    get_input_body_validator,
    json_schema_input_validation,
    parse_json,
    pydantic_input_validation,
    validate_data,
    validate_input,
)
from licet.errors import (
    ActionProviderError,
    BadActionRequest,
    ConfigurationError,
    RequestValidationError,
)

SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["y"]}
SCRUBBED = "Input failed schema validation"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Inner(BaseModel):
    foo: int


class Outer(BaseModel):
    outer: list[Inner]


def describe(schema: object) -> ActionProviderDescription:
    return ActionProviderDescription(
        globus_auth_scope="s",
        title="t",
        admin_contact="a",
        synchronous=True,
        input_schema=schema,
    )


def refusal(function, *arguments: object, **options: object) -> str:
    with pytest.raises(RequestValidationError) as caught:
        function(*arguments, **options)
    assert caught.value.code == 422
    return caught.value.description


def anything(_body: object) -> None:
    """A provider that takes every body."""


class TestParse:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"NaN",
            b'{"a": Infinity}',
            b"[-Infinity]",
            b"'a'",
            b"{'a': 1}",
            b"[1,]",
            b"\xff",
            b'"\\ud800"',
            b'{"\\udfff": 1}',
            b"[" * 300 + b"]" * 300,
            b"[" * 1_000_000,
            b"9" * 5000,
            b"\x00",
            "\ufeff{}".encode("utf-16"),
        ],
        ids=lambda raw: str(raw[:12]),
    )
    def test_what_is_no_json_is_a_bad_request(self, raw: bytes):
        """Anything that is not JSON of a reasonable size is a 400."""
        with pytest.raises(BadActionRequest, match="Invalid JSON") as caught:
            parse_json(raw)
        assert caught.value.code == 400

    def test_json_of_any_kind_is_read(self):
        """Every JSON value is read, nesting up to 200 levels and long numbers included."""
        assert parse_json(b' {"a": [1, 2.5, null, true, "\\u00e9"]} ') == {
            "a": [1, 2.5, None, True, "é"]
        }
        assert parse_json(b"9" * 4000) == 10**4000 - 1
        assert parse_json(b"[" * 199 + b"]" * 199)


class TestEnvelope:
    @pytest.mark.parametrize("value", [None, [], "x", 5, True])
    def test_a_request_is_an_object(self, value: object):
        """Anything but an object is refused at its root."""
        assert refusal(validate_input, value, anything) == "Field '__root__': must be a JSON object"

    def test_member_names_are_text(self):
        """A program cannot pass an object that JSON does not have."""
        assert "__key__" in refusal(validate_input, {1: 2}, anything)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"request_id": None}, "Field 'request_id': Input should be a valid string"),
            ({"body": []}, "Field 'body': Input should be a valid dictionary"),
            ({"label": ""}, "Field 'label': String should have at least 1 character"),
            ({"release_after": "-P1D"}, "Field 'release_after': must not be negative"),
            (
                {"release_after": "x"},
                "Field 'release_after': must be an ISO 8601 duration such as 'P30D' or 'PT12H'",
            ),
            (
                {"deadline": "2030-01-01T00:00:00"},
                "Field 'deadline': Input should have timezone info",
            ),
            ({"deadline": 5}, "Field 'deadline': must be an ISO 8601 date and time"),
        ],
    )
    def test_messages_name_the_field(self, fields: dict[str, object], message: str):
        """Each mistake is told as the field and what it must be."""
        request = {"request_id": "r", "body": {}} | fields
        assert refusal(validate_input, request, anything) == message

    def test_several_messages_are_joined(self):
        """Every mistake is told, separated by semicolons."""
        found = refusal(validate_input, {"label": 5}, anything)
        assert found == (
            "Field 'request_id': Field required; Field 'body': Field required; "
            "Field 'label': Input should be a valid string"
        )

    def test_messages_have_a_limit(self):
        """A request with a thousand mistakes is answered with twenty."""
        request = {"request_id": "r", "body": {}, "monitor_by": [f"bad{n}" for n in range(500)]}
        found = refusal(validate_input, request, anything)
        assert found.count("Field '") == 20
        assert found.endswith("; more errors follow")
        assert "bad1" not in found

    @pytest.mark.parametrize("number", [b"1e999", b"-1e999", b'[{"a": 1e400}]'])
    def test_numbers_out_of_range_are_refused(self, number: bytes):
        """A number that JSON readers turn into infinity is a 422."""
        raw = b'{"request_id": "r", "body": {"x": %s}}' % number
        found = refusal(validate_input, parse_json(raw), anything)
        assert found == "Field 'body': a number is out of range"

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_no_body_holds_what_json_has_not(self, number: float):
        """A program that passes NaN is told so before anything is computed from it."""
        request = {"request_id": "r", "body": {"x": [number]}}
        assert "out of range" in refusal(validate_input, request, anything)

    def test_a_good_request_is_returned(self):
        """What fits becomes an ActionRequest, and the body was shown to the provider's check."""
        seen: list[object] = []
        request = validate_input({"request_id": 5, "body": {"n": 1.5}, "tags": []}, seen.append)
        assert (request.request_id, request.body) == ("5", {"n": 1.5})
        assert seen == [{"n": 1.5}]

    @pytest.mark.parametrize("depth", [1, 100, 196])
    def test_deep_bodies_have_a_verdict(self, depth: int):
        """Every body that can be read can be checked."""
        raw = b'{"request_id": "r", "body": {"x": ' + b"[" * depth + b"]" * depth + b"}}"
        validator = get_input_body_validator(describe(SCHEMA))
        assert "Field '$.x'" in refusal(validate_input, parse_json(raw), validator)


class TestDeadline:
    def test_none_is_fine(self):
        """A request without a deadline has as long as it takes."""
        check_deadline(make_request(), "PT1S", lambda: NOW)

    def test_a_deadline_becomes_utc(self):
        """A deadline within the limit is kept, in UTC."""
        request = make_request(deadline="2030-01-02T00:00:00+02:00")
        check_deadline(request, "P1D", lambda: NOW)
        assert request.deadline.isoformat() == "2030-01-01T22:00:00+00:00"

    @pytest.mark.parametrize("maximum", ["P1Y", "P1M", "P1W", "P30D"])
    def test_the_limit_itself_is_allowed(self, maximum: str):
        """A deadline may lie exactly as far off as the provider allows."""
        days = {"P1Y": 365, "P1M": 30, "P1W": 7, "P30D": 30}[maximum]
        limit = NOW + timedelta(days=days)
        check_deadline(make_request(deadline=limit.isoformat()), maximum, lambda: NOW)
        beyond = make_request(deadline=(limit + timedelta(seconds=1)).isoformat())
        assert f"at most {maximum} from now" in refusal(
            check_deadline, beyond, maximum, lambda: NOW
        )

    @pytest.mark.parametrize(
        "text", ["2029-12-31T23:59:59Z", "2030-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
    )
    def test_the_past_is_refused(self, text: str):
        """A deadline that has passed, or passes now, is a 422."""
        request = make_request(deadline=text)
        assert "must lie in the future" in refusal(check_deadline, request, "P30D", lambda: NOW)

    def test_the_end_of_time_is_refused(self):
        """A deadline that cannot be told in UTC is a 422 however far the provider allows."""
        request = make_request(deadline="9999-12-31T23:59:59-23:59")
        assert "out of range" in refusal(check_deadline, request, "P9000Y", lambda: NOW)


class TestJsonSchema:
    @pytest.mark.parametrize(
        "schema",
        [SCHEMA, '{"type": "object", "required": ["y"], "properties": {"x": {"type": "string"}}}'],
    )
    def test_messages_are_scrubbed(self, schema: object):
        """Place and category are told; what the user sent is not."""
        validator = get_input_body_validator(describe(schema))
        found = refusal(validator, {"x": 987654})
        assert sorted(found.split("; ")) == [
            f"Field '$' (category: 'required'): {SCRUBBED}",
            f"Field '$.x' (category: 'type'): {SCRUBBED}",
        ]

    def test_the_real_message_on_request(self):
        """A provider may have the schema's own message told."""
        validator = get_input_body_validator(describe(SCHEMA), scrub_validation_errors=False)
        assert "987654" in refusal(validator, {"x": 987654, "y": 1})

    def test_a_place_in_a_list(self):
        """A place deep in the body is told as a JSON path."""
        schema = {"properties": {"a": {"items": {"properties": {"b": {"enum": [1]}}}}}}
        found = validate_data({"a": [{"b": 1}, {"b": 2}]}, compile_schema(schema))
        assert found.errors == [f"Field '$.a[1].b' (category: 'enum'): {SCRUBBED}"]
        assert found.error_msg == found.errors[0]

    def test_a_value_that_fits(self):
        """Nothing wrong is no messages and no text."""
        assert validate_data({"y": 1}, compile_schema(SCHEMA)) == ([], None)
        json_schema_input_validation({"y": 1}, compile_schema(SCHEMA))

    def test_messages_have_a_limit(self):
        """Twenty messages are enough for anybody."""
        schema = compile_schema({"additionalProperties": {"type": "string"}})
        found = validate_data({f"k{n:02}": n for n in range(50)}, schema)
        assert len(found.errors) == 21
        assert found.errors[-1] == "more errors follow"

    @pytest.mark.parametrize(
        "validator", [compile_schema(SCHEMA), jsonschema.Draft202012Validator(SCHEMA)]
    )
    def test_both_packages_give_the_same_messages(self, validator):
        """A compiled schema of either package may be given."""
        found = validate_data({"x": 5}, validator)
        assert set(found.errors) == {
            f"Field '$' (category: 'required'): {SCRUBBED}",
            f"Field '$.x' (category: 'type'): {SCRUBBED}",
        }

    def test_a_schema_that_forbids_everything(self):
        """Where the schema is just false, that is the category."""
        [message] = validate_data({}, jsonschema.Draft202012Validator(False)).errors
        assert message.startswith("Field '$'")

    @pytest.mark.parametrize(
        "schema",
        [
            "{",
            "[1]",
            {"type": "no such type"},
            {"properties": 5},
            {"pattern": "("},
            {"$ref": "https://example.invalid/schema.json"},
            {"$ref": "#/nowhere"},
        ],
        ids=str,
    )
    def test_an_unusable_schema_is_a_configuration_error(self, schema: object):
        """A mistake in the provider's schema is told at start-up, and nothing is fetched."""
        with pytest.raises(ConfigurationError, match="input_schema is not usable"):
            get_input_body_validator(describe(schema))

    @pytest.mark.parametrize("schema", [None, 5, int])
    def test_what_is_no_schema_is_the_providers_error(self, schema: object):
        """Neither a schema nor a pydantic class: the provider cannot work."""
        description = describe({}).model_copy(update={"input_schema": schema})
        with pytest.raises(ActionProviderError, match="neither a JSON schema nor a pydantic class"):
            get_input_body_validator(description)

    @pytest.mark.parametrize("number", [10**400, -(10**4000), 1e300, 2**63, -0.0])
    def test_numbers_of_any_size_have_a_verdict(self, number: float):
        """Numbers beyond any machine's are compared like all others."""
        schema = compile_schema({"properties": {"n": {"type": "number", "maximum": 5}}})
        assert bool(validate_data({"n": number}, schema).errors) == (number > 5)


class TestPydantic:
    def test_the_message_names_the_place(self):
        """A mistake deep in the body is told with its path, category and reason."""
        validator = get_input_body_validator(describe(Outer))
        assert refusal(validator, {"outer": [{"foo": "SECRET"}]}) == (
            "Field '$.outer[0].foo' (category: 'int_parsing'): "
            "Input should be a valid integer, unable to parse string as an integer"
        )

    def test_several_are_joined_and_limited(self):
        """Twenty mistakes are told, joined by semicolons."""
        body = {"outer": [{"foo": None}] * 30}
        found = refusal(pydantic_input_validation, body, Outer)
        assert found.count("; ") == 20
        assert found.endswith("more errors follow")

    def test_a_body_that_fits(self):
        """Nothing happens when the class takes the body."""
        pydantic_input_validation({"outer": []}, Outer)


@pytest.mark.parametrize(("given", "told"), [(None, SCRUBBED), ("", SCRUBBED), ("why", "why")])
def test_one_form_for_every_message(given: str | None, told: str):
    """A message has a path, a category and a text."""
    assert (
        format_validation_error("$.x", "type", given) == f"Field '$.x' (category: 'type'): {told}"
    )
