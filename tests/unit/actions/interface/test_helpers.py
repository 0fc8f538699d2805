"""What the helper function adds to a plain blueprint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Blueprint, Flask
from tests.api.providers import SCOPE, SECOND_SCOPE, Site, describe, make_helper

from licet.actions import add_action_routes_to_blueprint
from licet.actions.interface.flask import provider_scopes
from licet.actions.interface.helpers import HelperStateBuilder
from licet.authn import embedded_issuer
from licet.authn.globus import ClientFactory
from licet.errors import ActionNotFound, ConfigurationError

CLIENT_ID = "0e57d793-f1ac-4eeb-a30f-643b082d68ec"
SECRET = "s3cr3t-never-to-be-seen"


def refuse(*_args: Any) -> None:
    """A callback that knows no action."""
    raise ActionNotFound


def make(client_id: Any = None, client_secret: Any = None, **options: Any) -> Blueprint:
    """A blueprint called `skeleton`, by the positions of the seed's arguments."""
    blueprint = Blueprint("skeleton", __name__, url_prefix="/skeleton")
    description = options.pop("description", describe())
    add_action_routes_to_blueprint(
        blueprint,
        client_id,
        client_secret,
        None,
        description,
        refuse,
        refuse,
        refuse,
        refuse,
        **options,
    )
    return blueprint


@pytest.mark.parametrize(
    ("client_id", "client_secret"),
    [(None, None), ("", ""), (" ", "\n"), (CLIENT_ID, ""), ("", SECRET), (CLIENT_ID, None)],
)
def test_blank_credentials_leave_tokens_to_the_app(app: Flask, client_id: Any, client_secret: Any):
    """Without a whole pair the app's own issuer is asked."""
    app.register_blueprint(make(client_id, client_secret))
    token = embedded_issuer(app).mint("alice", [SCOPE])

    response = app.test_client().get(
        "/skeleton/x/status", headers={"Authorization": f"Bearer {token}"}
    )

    assert response.status_code == 404


def test_credentials_make_a_globus_client(app: Flask):
    """A whole pair is for Globus Auth; surrounding blanks do not count."""
    with patch.object(ClientFactory, "make_confidential_app_auth_client") as made:
        app.register_blueprint(make(f" {CLIENT_ID} ", SECRET))

    made.assert_called_once_with(CLIENT_ID, SECRET)


def test_neither_way_of_knowing_callers_fails_registration(make_app: Callable[..., Flask]):
    """The error names the provider and both ways."""
    with pytest.raises(ConfigurationError, match=r"'skeleton'(?s:.)*LICET_EMBEDDED_ISSUER"):
        make_app(LICET_EMBEDDED_ISSUER=False).register_blueprint(make())


def test_scopes_are_told_to_the_app(app: Flask):
    """The provider's own scope and the additional ones are known for making tokens."""
    app.register_blueprint(make(additional_scopes=[SECOND_SCOPE]))

    assert provider_scopes(app) == [SCOPE, SECOND_SCOPE]


@pytest.mark.parametrize("operation", ["log", "resume"])
def test_what_was_not_given_is_not_implemented(app: Flask, operation: str):
    """Without a callback an operation is a 501."""
    app.register_blueprint(make())
    token = embedded_issuer(app).mint("alice", [SCOPE])

    response = app.test_client().open(
        f"/skeleton/x/{operation}",
        method="GET" if operation == "log" else "POST",
        headers={"Authorization": f"Bearer {token}"},
    )

    assert (response.status_code, response.json["code"]) == (501, "ActionProviderError")


def test_an_unregistered_provider_says_so(app: Flask):
    """Asked in an app that it was not registered with, the builder names the provider."""
    builder = HelperStateBuilder("skeleton", "", "", (SCOPE,))

    with app.test_request_context(), pytest.raises(ConfigurationError, match="not registered"):
        builder.build_from_request()


def test_an_unusable_schema_is_told_at_once():
    """A schema that is none fails where the routes are added."""
    with pytest.raises(ConfigurationError, match="not usable"):
        make(description=describe(input_schema="{"))


def test_the_same_blueprint_serves_two_apps(tmp_path: Path):
    """Each app's tokens are good for that app only."""
    blueprint = make_helper(describe())
    first = Site("helper", blueprint, tmp_path / "a")
    second = Site("helper", blueprint, tmp_path / "b")
    foreign = {"Authorization": f"Bearer {first.token('alice')}"}

    assert first.call("enumerate").status_code == 200
    assert second.call("enumerate").status_code == 200
    assert second.call("enumerate", by=None, headers=foreign).status_code == 401
