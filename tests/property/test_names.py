"""For every known name, each misspelling by one letter is refused and the right name is told."""

import string
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.actions.making import ALICE

from licet.actions import (
    ActionProviderBlueprint,
    ActionProviderConfig,
    ActionProviderDescription,
    ActionRequest,
    ActionStatus,
    Retry,
)
from licet.actions.client import LOG_OPTIONS, ActionClient
from licet.authz import requires, requires_auth
from licet.errors import UnknownName
from licet.errors.names import options_of
from licet.settings import Settings, known_settings

HERE = Path("/nowhere/instance")
PREFIX = "LICET_"
PROVIDER = {
    "LICET_OIDC_PROVIDERS": "the_lab",
    "LICET_OIDC_THE_LAB_ISSUER": "https://idp.example",
    "LICET_OIDC_THE_LAB_AUDIENCE": "us",
}
FIELDS = ("CLIENT_ID", "CLIENT_SECRET", "ALGORITHMS", "SCOPES", "TAKES_PLAIN_TYPE", "LABEL")
SETTINGS = sorted(
    {*known_settings(), "LICET_APP", "LICET_TOKEN", "LICET_LOGIN_CLIENT_ID"}
    | {f"LICET_OIDC_THE_LAB_{field}" for field in FIELDS}
)
DESCRIPTION = {
    "globus_auth_scope": "s",
    "title": "T",
    "admin_contact": "a",
    "synchronous": False,
    "input_schema": {},
}
CLIENT = ActionClient("http://localhost:9")
BLUEPRINT = ActionProviderBlueprint(
    "b", __name__, provider_description=ActionProviderDescription(**DESCRIPTION)
)
WRITTEN = {
    "description": (ActionProviderDescription, DESCRIPTION, ActionProviderDescription.model_fields),
    "status": (
        ActionStatus,
        {"status": "ACTIVE", "creator_id": ALICE, "details": {}},
        ActionStatus.model_fields,
    ),
    "request": (ActionRequest, {"request_id": "r", "body": {}}, ActionRequest.model_fields),
    "durable": (BLUEPRINT.durable, {}, ["max_attempts", "retry", "lease_seconds", "concurrency"]),
    "retry": (Retry, {}, ["wait_seconds", "factor", "max_wait_seconds", "jitter"]),
    "config": (ActionProviderConfig, {}, ["scrub_validation_errors", "client_factory"]),
    "requires": (requires, {}, ["identity", "throws", "on_fail"]),
    "requires_auth": (
        requires_auth,
        {},
        ["resource", "allowed_roles", "allow_unregistered", "allow_disabled"],
    ),
    "run": (lambda **o: CLIENT.run({}, **o), {}, ["label", "deadline", "release_after", "tags"]),
    "log": (lambda **o: CLIENT.log("id", **o), {}, sorted(LOG_OPTIONS)),
}


@st.composite
def misspellings(draw, name, letters):
    """The name with one letter dropped, doubled, changed, or in its neighbour's place."""
    at = draw(st.integers(0, len(name) - 1))
    kind = draw(st.sampled_from(["drop", "double", "swap", "change"]))
    if kind == "drop":
        return name[:at] + name[at + 1 :]
    if kind == "double":
        return name[:at] + name[at] + name[at:]
    if kind == "swap":
        return name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
    return name[:at] + draw(st.sampled_from(letters)) + name[at + 1 :]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("where", ["config", "environment"])
@settings(max_examples=30)
@given(data=st.data())
def test_every_setting(name, where, data):
    """What comes after ``LICET_`` is what is misspelt."""
    short = name.removeprefix(PREFIX)
    wrong = PREFIX + data.draw(misspellings(short, string.ascii_uppercase + "_"))
    assume(wrong not in {*SETTINGS, *PROVIDER, *(f"LICET_OIDC_{field}" for field in FIELDS)})
    config, environ = ({wrong: "x"}, {}) if where == "config" else ({}, {wrong: "x"})
    with pytest.raises(UnknownName) as caught:
        Settings.read(config, HERE, {**PROVIDER, **environ})
    assert caught.value.names == (wrong,)
    assert f"did you mean {name}?" in str(caught.value)


@pytest.mark.parametrize("kind", WRITTEN)
@settings(max_examples=100)
@given(data=st.data())
def test_every_field_and_option(kind, data):
    """Of what a program writes by keyword."""
    make, given_fields, names = WRITTEN[kind]
    name = data.draw(st.sampled_from(sorted(names)))
    wrong = data.draw(misspellings(name, string.ascii_lowercase + "_"))
    assume(wrong and wrong not in names)
    assume(kind != "run" or wrong not in options_of(ActionClient.run.__wrapped__))
    with pytest.raises(UnknownName) as caught:
        make(**{**given_fields, wrong: None})
    assert caught.value.names == (wrong,)
    assert f"did you mean {name!r}?" in str(caught.value)
