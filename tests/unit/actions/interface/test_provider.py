"""The operations of one provider, apart from how it was made."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask, Response
from tests.api.providers import Site, describe, make_store, urn
from werkzeug.exceptions import NotFound

from licet.actions import ActionProviderConfig, action_store
from licet.actions.interface.http import error_response
from licet.actions.interface.provider import ActionProvider
from licet.authn.auth_state import AuthState, StateBuilder
from licet.authn.identity import Identity
from licet.errors import ActionConflict, HiddenAction, MissingToken, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ActionConflict("no"), 409, "ActionConflict"),
        (HiddenAction("no"), 404, "ActionNotFound"),
        (MissingToken(), 401, "UnauthorizedRequest"),
        (StoreUnavailable(), 503, "StoreUnavailable"),
        (NotFound(), 404, "NotFound"),
        (ValueError("secret"), 500, "ActionProviderError"),
    ],
)
def test_any_error_becomes_the_interface_s_json(
    app: Flask, error: Exception, status: int, code: str
):
    """Status, code and description, and nothing of what was unexpected."""
    with app.test_request_context():
        response = error_response(error)

    assert (response.status_code, response.json["code"]) == (status, code)
    assert "secret" not in response.get_data(as_text=True)


@pytest.mark.parametrize("error", [NotFound(response=Response("x", 404)), Mock(spec=NotFound)])
def test_a_finished_response_passes(app: Flask, error: Any):
    """What was given to `abort` as a response, and redirects, are left alone."""
    if isinstance(error, Mock):
        error.code, error.response = 308, None
    with app.test_request_context():
        assert error_response(error) is error


def test_the_description_is_rendered_once(app: Flask):
    """Introspection is answered from the bytes of the first time."""
    provider = ActionProvider(
        description=describe(),
        repository=None,
        config=ActionProviderConfig(),
        state_builder=lambda: Mock(spec=StateBuilder),
    )
    with app.test_request_context():
        first, second = provider.introspect(), provider.introspect()

    assert first.data == second.data
    assert provider._introspection is provider._introspection


def test_refusals_are_logged(instance: Path, caplog: pytest.LogCaptureFixture):
    """Who was refused to run, see or manage is in the log."""
    caplog.set_level(logging.INFO, logger="licet")
    site = Site("store", make_store(describe(runnable_by=[])), instance)

    site.call("enumerate", by="mallory")

    assert f"{urn('mallory')} is not in runnable_by" in caplog.text


def test_an_action_that_ended_meanwhile_stays(instance: Path):
    """The store's own rule holds: a callback cannot revive what has ended."""
    blueprint = make_store(describe())

    @blueprint.action_resume
    def resume(action: Any, _auth: Any) -> Any:
        action.status = "ACTIVE"
        return action

    site = Site("store", blueprint, instance)
    action_id = site.started(state="SUCCEEDED")

    assert site.call("resume", action_id=action_id).status_code == 409
    assert site.call("status", action_id=action_id).json["status"] == "SUCCEEDED"


def test_a_store_callback_that_released_is_not_contradicted(instance: Path):
    """A release callback that removes the action from the store itself is answered with 200."""
    blueprint = make_store(describe())

    @blueprint.action_release
    def release(action: Any, _auth: Any) -> Any:
        action_store("store").remove(action)
        return action

    site = Site("store", blueprint, instance)
    action_id = site.started(state="SUCCEEDED")

    assert site.call("release", action_id=action_id).status_code == 200
    assert site.call("status", action_id=action_id).status_code == 404


@pytest.mark.parametrize("operation", ["log", "enumerate", "cancel"])
def test_a_callback_comes_before_the_store(instance: Path, operation: str):
    """With both, the callback answers."""
    blueprint = make_store(describe())
    site = Site("store", blueprint, instance)
    action_id = site.started()
    answers = {
        "log": lambda *_: {"entries": [], "mine": True},
        "enumerate": lambda *_: [],
        "cancel": lambda action, _auth: (action, 203),
    }
    blueprint.provider.callbacks.register(operation, answers[operation])

    response = site.call(operation, action_id=action_id)

    expected = {"log": {"entries": [], "mine": True}, "enumerate": []}
    assert response.status_code == (203 if operation == "cancel" else 200)
    assert operation == "cancel" or response.json == expected[operation]


def test_a_broken_database_is_a_503(tmp_path: Path):
    """The store's failure is told as such, with a time to come back."""
    folder = f"sqlite:///{tmp_path}"
    site = Site("store", make_store(describe()), tmp_path, LICET_DATABASE_URL=folder)

    response = site.call("status")

    assert (response.status_code, response.json["code"]) == (503, "StoreUnavailable")
    assert response.headers["Retry-After"] == "5"


class Groupless(AuthState):
    """A caller whose groups must not be looked up."""

    @property
    def groups(self) -> frozenset[str]:
        raise AssertionError("the groups were looked up")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/run"), ("GET", "/actions"), ("GET", "/actions/{id}")]
)
def test_groups_are_looked_up_only_when_a_list_names_one(instance: Path, method: str, path: str):
    """Running, listing one's own and reading need no groups where none is named."""
    blueprint = make_store(describe(runnable_by=["all_authenticated_users"]))
    site = Site("store", blueprint, instance)
    action_id = site.started("groupless")
    identity = Identity(issuer="i", subject="s", principal=urn("groupless"))
    blueprint.state_builder = Mock(build_from_request=lambda: Groupless(identity))

    body = {"request_id": uuid.uuid4().hex, "body": {"echo": "x"}}
    response = site.client.open("/p" + path.format(id=action_id), method=method, json=body)

    assert response.status_code in (200, 202)
