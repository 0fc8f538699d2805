"""Any bytes, any JSON, any schema: the answer is a verdict, never an accident."""

import contextlib
import json

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.actions.making import ALICE, BOB, TEAM

from licet.actions.digest import request_digest
from licet.actions.documents import ActionRequest
from licet.actions.interface.validation import (
    compile_schema,
    parse_json,
    validate_data,
    validate_input,
)
from licet.errors import BadActionRequest, RequestValidationError

_numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
_scalars = st.one_of(st.none(), st.booleans(), _numbers, st.text(max_size=8))
_json = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
_small = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "ab"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


def _keywords(inner: st.SearchStrategy) -> st.SearchStrategy:
    size = st.integers(0, 3)
    names = st.sampled_from("abc")
    types = ["null", "boolean", "integer", "number", "string", "array", "object"]
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(types),
            "enum": st.lists(_small, min_size=1, max_size=3),
            "const": _small,
            "minimum": st.integers(-3, 3),
            "exclusiveMaximum": st.integers(-3, 3),
            "multipleOf": st.integers(1, 3),
            "maxLength": size,
            "minItems": size,
            "uniqueItems": st.booleans(),
            "items": inner,
            "contains": inner,
            "required": st.lists(names, unique=True, max_size=2),
            "properties": st.dictionaries(names, inner, max_size=3),
            "additionalProperties": inner,
            "minProperties": size,
            "not": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "if": inner,
            "then": inner,
            "else": inner,
        },
    )


_schemas = st.recursive(st.booleans(), _keywords, max_leaves=8).filter(
    lambda schema: isinstance(schema, dict)
)


@given(_schemas, _small)
def test_verdicts_are_those_of_another_implementation(schema, value):
    """A value fits a schema exactly when the jsonschema package says so."""
    ours = validate_data(value, compile_schema(schema))
    theirs = jsonschema.Draft202012Validator(schema)
    assert (ours.error_msg is None) == theirs.is_valid(value)
    assert (ours.errors == []) == (ours.error_msg is None)


@given(_schemas, _small)
def test_either_implementation_can_be_the_validator(schema, value):
    """`validate_data` takes validators of both packages, and they agree."""
    ours = validate_data(value, compile_schema(json.dumps(schema)))
    theirs = validate_data(value, jsonschema.Draft202012Validator(schema))
    assert (ours.error_msg is None) == (theirs.error_msg is None)


@given(st.binary(max_size=64))
@example(b"NaN")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"1" * 100_000)
@example(b'"\\ud800"')
@example(b'{"\\udc00": 1}')
@example(b"\xff\xfe[\x00]\x00")
@example(b"")
def test_any_bytes_are_json_or_a_bad_request(raw: bytes):
    """Whatever is sent, it is read or refused with a 400."""
    with contextlib.suppress(BadActionRequest):
        parse_json(raw)


@given(_json)
def test_json_is_read_as_it_was_written(value):
    """What one JSON library writes is read back the same."""
    assert parse_json(json.dumps(value).encode()) == value


_texts = st.sampled_from(["P1D", "P1Y", "-P1D", "PT", "P1", "x", "", "2030-01-01T00:00:00Z", ALICE])
_fields = st.one_of(_json, _texts, st.lists(_texts, max_size=2))


@given(
    st.dictionaries(
        st.sampled_from([*sorted(ActionRequest.model_fields), "tags"]), _fields, max_size=8
    )
)
def test_any_object_is_a_request_or_a_422(fields):
    """Whatever an object's members are, it is taken or refused with a 422."""
    try:
        request = validate_input(fields, lambda _body: None)
    except RequestValidationError as error:
        refused = error
    else:
        assert len(request_digest(request)) == 64
        return
    assert refused.code == 422
    assert refused.description.startswith("Field '")


@given(_json)
def test_whatever_is_no_object_is_a_422(value):
    """A request is an object with what a request needs, and nothing else is one."""
    with pytest.raises(RequestValidationError):
        validate_input(value, lambda _body: None)


_requests = st.fixed_dictionaries(
    {
        "request_id": st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=9),
        "body": st.dictionaries(st.text(max_size=4), _json, max_size=3),
        "monitor_by": st.lists(st.sampled_from([ALICE, BOB, TEAM])),
        "manage_by": st.lists(st.sampled_from([ALICE, BOB, TEAM])),
        "label": st.none()
        | st.text(st.characters(codec="ascii", min_codepoint=32), min_size=1, max_size=64),
        "release_after": st.sampled_from([None, "P1D", "PT24H", "P7D", "P1W"]),
    }
)


@given(_requests, st.randoms(use_true_random=False))
def test_order_never_counts_for_the_digest(fields, rng):
    """Members and lists of principals in any other order make the same request."""
    names = list(fields)
    rng.shuffle(names)
    shuffled = {name: fields[name] for name in names}
    shuffled["monitor_by"] = fields["monitor_by"][::-1] * 2
    shuffled["body"] = dict(reversed(fields["body"].items()))
    first, second = map(ActionRequest.model_validate, (fields, shuffled))
    assert request_digest(first) == request_digest(second)


@given(_requests, _requests)
def test_digests_differ_exactly_when_requests_do(one, other):
    """Two requests have one digest exactly when their documents are the same JSON."""
    first, second = map(ActionRequest.model_validate, (one, other))
    texts = [json.dumps(r.model_dump(mode="json"), sort_keys=True) for r in (first, second)]
    assert (request_digest(first) == request_digest(second)) == (texts[0] == texts[1])
