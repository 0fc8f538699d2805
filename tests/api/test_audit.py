"""The audit on whole services: the reference site, and a provider of every kind."""

import logging

import pytest
from examples.apt_blueprint.app import create_app as create_apt
from examples.watchasay.app.provider import create_app as create_watchasay
from flask import Flask
from services.site import create_app as create_site
from tests.api.providers import MAKERS, PREFIX, describe

import licet
from licet.authz import AccessKind, declarations
from licet.errors import UndeclaredEndpoints


@pytest.mark.parametrize("create", [create_site, create_apt, create_watchasay])
def test_the_examples_say_who_may_call_what(create, monkeypatch, tmp_path):
    """Every example protects itself, and starts."""
    monkeypatch.setenv("LICET_INSTANCE_PATH", str(tmp_path))
    app = create()
    assert all(one.access for one in declarations(app))


def test_a_provider_of_every_kind_is_declared(kind, tmp_path):
    """The interface's routes carry their own rules, in both spellings."""
    app = Flask("provider", static_folder=None, instance_path=str(tmp_path))
    app.register_blueprint(MAKERS[kind](describe()))
    licet.protect(app)
    found = {one.endpoint.rpartition(".")[2]: one.access[0] for one in declarations(app)}
    assert {access.kind for access in found.values()} == {AccessKind.ACTION}
    assert found["action_introspect"].text == "visible_to"
    assert found["action_run"].text == found["action_enumerate"].text == "runnable_by"
    assert found["action_cancel"].text == "the creator and manage_by"
    assert found["action_log"].text == "the creator and monitor_by"


@pytest.fixture
def forgetful(tmp_path) -> Flask:
    """A service that has licet and forgot one endpoint."""
    app = Flask("forgetful", static_folder=None, instance_path=str(tmp_path))
    app.config["LICET_PROBLEM_ERRORS"] = True
    licet.Licet(app)
    app.add_url_rule("/", "home", lambda: "secret")
    return app


@pytest.mark.parametrize("path", ["/", "/nowhere", "/.well-known/jwks.json"])
def test_no_request_is_answered_while_an_endpoint_is_undeclared(forgetful, path, caplog):
    """Each request is an error 500 that tells nothing; the log lists the offenders."""
    with caplog.at_level(logging.ERROR):
        answer = forgetful.test_client().get(path)
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "/  home" not in answer.text
    assert "secret" not in answer.text
    assert "GET /  home" in caplog.text


def test_a_providers_requests_are_refused_too(forgetful):
    """In the interface's own error language."""
    forgetful.register_blueprint(MAKERS["store"](describe()))
    answer = forgetful.test_client().post(f"{PREFIX}/run", json={})
    assert (answer.status_code, answer.mimetype) == (500, "application/json")
    assert answer.json["code"] == "InternalServerError"


def test_under_testing_the_error_is_raised(forgetful):
    """Tests are told at once."""
    forgetful.testing = True
    with pytest.raises(UndeclaredEndpoints, match="GET /  home"):
        forgetful.test_client().get("/")


def test_once_declared_it_is_served(forgetful):
    """A refusal is not for ever: the routes are looked at again."""
    client = forgetful.test_client()
    assert client.get("/").status_code == 500
    licet.declare(forgetful, "home", access=licet.PUBLIC)
    assert client.get("/").text == "secret"


def test_it_can_be_switched_off(tmp_path):
    """With LICET_PROTECT off only an app that asks for it is protected."""
    app = Flask("ported", instance_path=str(tmp_path))
    app.config["LICET_PROTECT"] = False
    extension = licet.Licet(app)
    app.add_url_rule("/", "home", lambda: "open")
    assert app.test_client().get("/").text == "open"
    with pytest.raises(UndeclaredEndpoints):
        extension.protect(app)


def test_a_bare_app_is_left_alone(tmp_path):
    """A provider ported to bare Flask never asked to be audited."""
    app = Flask("bare", instance_path=str(tmp_path))
    app.register_blueprint(MAKERS["store"](describe()))
    app.add_url_rule("/", "home", lambda: "open")
    assert app.test_client().get("/").text == "open"
