"""An app whose forms Flask-WTF protects, and which Flask-CORS opens, with licet's endpoints."""

import pytest
from flask import Flask
from flask_cors import CORS
from flask_wtf import CSRFProtect
from pydantic import BaseModel

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription
from licet.authn import embedded_issuer

SCOPE = "https://example.org/scope"


class Input(BaseModel):
    text: str


def make_provider():
    description = ActionProviderDescription(
        globus_auth_scope=SCOPE,
        title="Says",
        admin_contact="admin@example.org",
        synchronous=True,
        input_schema=Input,
        runnable_by=["all_authenticated_users"],
    )
    provider = ActionProviderBlueprint(
        "says", __name__, url_prefix="/says", provider_description=description
    )

    @provider.durable()
    def say(_action, body):
        return {"said": body.text}

    return provider


@pytest.fixture
def app(tmp_path):
    """An app with accounts, a provider and both extensions."""
    app = Flask("forms")
    app.config.update(
        SECRET_KEY="x" * 32,
        LICET_INSTANCE_PATH=str(tmp_path),
        LICET_ACCOUNTS=True,
        LICET_WORKER_THREADS=0,
    )
    app.extensions["of the test"] = CSRFProtect(app)
    CORS(app, origins=["https://front.example.org"])
    Licet(app)
    app.register_blueprint(make_provider())
    return app


def run(app):
    token = embedded_issuer(app).mint("ann", [SCOPE])
    headers = {"Authorization": f"Bearer {token}", "Origin": "https://front.example.org"}
    body = {"request_id": "1", "body": {"text": "hello"}}
    return app.test_client().post("/says/run", json=body, headers=headers)


def test_licets_own_views_have_names(app):
    """Flask-WTF and others ask each view for its module and name."""
    assert all(view.__module__ and view.__name__ for view in app.view_functions.values())


def test_licets_blueprints_are_exempted_by_one_line(app):
    """They have a protection of their own; Flask-WTF's would refuse every program."""
    csrf = app.extensions["of the test"]
    client = app.test_client()
    assert run(app).status_code == 400
    for name, blueprint in app.blueprints.items():
        if name.startswith("licet_") or name == "says":
            csrf.exempt(blueprint)
    assert run(app).status_code == 202
    assert client.post("/auth/session", json={}).status_code == 422
    assert client.post("/auth/you/sign-out").status_code == 403  # by licet, for its own token


def test_a_front_end_of_another_origin_reads_licets_answers(app):
    """Refusals included."""
    answer = app.test_client().get(
        "/says/x/status", headers={"Origin": "https://front.example.org"}
    )
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "https://front.example.org"
