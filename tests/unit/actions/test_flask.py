"""What actions need of an app: a store, and how its callers are known."""

from pathlib import Path

import pytest
from flask import Flask
from tests.unit.actions.making import make_request, make_status

from licet.actions.flask import (
    action_store,
    make_state_builder,
    provider_credentials,
    provider_scopes,
)
from licet.authn.flask import IdentityStateBuilder, use_verifier
from licet.authn.globus import ClientFactory, FlaskAuthStateBuilder
from licet.errors import ConfigurationError


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask(__name__)
    app.config["LICET_INSTANCE_PATH"] = str(tmp_path)
    return app


def build(app: Flask, client_id: str = "", client_secret: str = "", scope: str = "s"):
    return make_state_builder(
        app,
        provider="clock",
        client_id=client_id,
        client_secret=client_secret,
        accepted_scopes=[scope],
        client_factory=ClientFactory(),
    )


def test_a_store_belongs_to_the_current_app(app: Flask, tmp_path: Path):
    """One store serves every app, each with its own database, made at first use."""
    store = action_store("p")
    other = Flask("other")
    other.config["LICET_INSTANCE_PATH"] = str(tmp_path / "other")
    with app.app_context():
        status = store.submit(make_request(), make_status()).status
        assert store.get(status.action_id) is not None
    with other.app_context():
        assert store.get(status.action_id) is None


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("", "")),
        ({"CLIENT_ID": "i", "CLIENT_SECRET": "s"}, ("i", "s")),
        ({"CLIENT_ID": "", "CLIENT_SECRET": ""}, ("", "")),
        ({"CLIENT_ID": "i", "CLIENT_SECRET": "  "}, ("", "")),
        ({"CLIENT_ID": None, "CLIENT_SECRET": "s"}, ("", "")),
        (
            {
                "CLOCK_CLIENT_ID": "a",
                "CLOCK_CLIENT_SECRET": "b",
                "CLIENT_ID": "i",
                "CLIENT_SECRET": "s",
            },
            ("a", "b"),
        ),
        ({"CLOCK_CLIENT_ID": "a", "CLIENT_ID": "i", "CLIENT_SECRET": "s"}, ("i", "s")),
        ({"CLOCK_CLIENT_ID": " a ", "CLOCK_CLIENT_SECRET": "b\n"}, ("a", "b")),
    ],
)
def test_credentials(config: dict[str, object], expected: tuple[str, str]):
    """A provider's own credentials come before the app's; blank ones are none."""
    assert provider_credentials(config, "clock") == expected


def test_with_credentials_globus_auth_decides(app: Flask, caplog: pytest.LogCaptureFixture):
    """Tokens of a provider with credentials are checked with Globus Auth; no secret is logged."""
    caplog.set_level("INFO")
    app.logger.setLevel("INFO")
    builder = build(app, "00000000-0000-0000-0000-000000000000", "hush-hush")
    assert isinstance(builder, FlaskAuthStateBuilder)
    assert "Globus Auth" in caplog.text
    assert "hush" not in caplog.text


def test_without_credentials_the_app_decides(app: Flask):
    """Without credentials the app's own tokens count, and its scopes are known."""
    assert provider_scopes(app) == []
    for scope in ("s", "t", "s"):
        assert isinstance(build(app, scope=scope), IdentityStateBuilder)
    assert provider_scopes(app) == ["s", "t"]


def test_nobody_to_ask_is_an_error(app: Flask):
    """With neither credentials nor tokens of its own an app is told both ways out."""
    app.config["LICET_EMBEDDED_ISSUER"] = False
    with pytest.raises(ConfigurationError) as caught:
        build(app)
    assert "CLOCK_CLIENT_ID and CLOCK_CLIENT_SECRET" in str(caught.value)
    assert "LICET_EMBEDDED_ISSUER" in str(caught.value)


def test_a_verifier_of_ones_own_is_enough(app: Flask):
    """An app that checks tokens elsewhere needs no issuer."""
    app.config["LICET_EMBEDDED_ISSUER"] = False
    use_verifier(app, object())
    assert isinstance(build(app), IdentityStateBuilder)
