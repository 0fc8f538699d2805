"""What actions need of an app: credentials, scopes, callers, the store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask

from licet.actions import ActionRequest, ActionStatus, action_store
from licet.actions.interface.flask import make_state_builder, provider_credentials, provider_scopes
from licet.authn.flask import IdentityStateBuilder
from licet.authn.globus import ClientFactory, FlaskAuthStateBuilder
from licet.authn.verifiers import use_verifier
from licet.errors import ConfigurationError

CLIENT_ID = "0e57d793-f1ac-4eeb-a30f-643b082d68ec"
SECRET = "s3cr3t-never-to-be-seen"
CREATOR = "urn:globus:auth:identity:11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ("", "")),
        ({"CLIENT_ID": "a", "CLIENT_SECRET": "b"}, ("a", "b")),
        ({"APT_CLIENT_ID": "a", "APT_CLIENT_SECRET": "b"}, ("a", "b")),
        (
            {"APT_CLIENT_ID": "a", "APT_CLIENT_SECRET": "b", "CLIENT_ID": "c", "CLIENT_SECRET": ""},
            ("a", "b"),
        ),
        (
            {"APT_CLIENT_ID": "", "APT_CLIENT_SECRET": "", "CLIENT_ID": "c", "CLIENT_SECRET": "d"},
            ("c", "d"),
        ),
        ({"APT_CLIENT_ID": "a", "CLIENT_ID": "c", "CLIENT_SECRET": "d"}, ("c", "d")),
        ({"CLIENT_ID": "a"}, ("", "")),
        ({"CLIENT_SECRET": "a"}, ("", "")),
        ({"CLIENT_ID": "  ", "CLIENT_SECRET": "\t"}, ("", "")),
        ({"CLIENT_ID": None, "CLIENT_SECRET": None}, ("", "")),
        ({"CLIENT_ID": " a ", "CLIENT_SECRET": "b\n"}, ("a", "b")),
        ({"OTHER_CLIENT_ID": "a", "OTHER_CLIENT_SECRET": "b"}, ("", "")),
    ],
)
def test_credentials_are_looked_up_by_name_first(config: dict[str, Any], found: tuple[str, str]):
    """The provider's own pair counts, then the app's; half a pair and blank ones do not."""
    assert provider_credentials(config, "apt") == found


def build(app: Flask, **changes: Any) -> Any:
    """The state builder of a provider called `apt`."""
    options: dict[str, Any] = {
        "provider": "apt",
        "client_id": "",
        "client_secret": "",
        "accepted_scopes": ("one", "two"),
        "client_factory": ClientFactory(),
    }
    return make_state_builder(app, **options | changes)


def test_without_credentials_the_app_checks_tokens(app: Flask):
    """Blank credentials leave it to the app's own issuer."""
    builder = build(app)

    assert isinstance(builder, IdentityStateBuilder)
    assert builder.accepted_scopes == ("one", "two")


def test_with_credentials_globus_checks_tokens(app: Flask):
    """Credentials make a Globus client with the given factory."""
    factory = Mock(spec=ClientFactory)

    builder = build(app, client_id="a", client_secret="b", client_factory=factory)

    assert isinstance(builder, FlaskAuthStateBuilder)
    assert builder.default_expected_scopes == {"one", "two"}
    factory.make_confidential_app_auth_client.assert_called_once_with("a", "b")


def test_neither_way_is_an_error_that_names_both(make_app: Callable[..., Flask]):
    """Without credentials and issuer nobody can be known."""
    with pytest.raises(ConfigurationError) as raised:
        build(make_app(LICET_EMBEDDED_ISSUER=False))

    for name in ("'apt'", "APT_CLIENT_ID", "APT_CLIENT_SECRET", "LICET_EMBEDDED_ISSUER"):
        assert name in str(raised.value)


def test_a_verifier_of_the_app_s_own_is_enough(make_app: Callable[..., Flask]):
    """An app without the embedded issuer may bring its own verifier."""
    app = make_app(LICET_EMBEDDED_ISSUER="false")
    use_verifier(app, Mock())

    assert isinstance(build(app), IdentityStateBuilder)


def test_credentials_need_no_issuer(make_app: Callable[..., Flask]):
    """Globus Auth alone is enough."""
    app = make_app(LICET_EMBEDDED_ISSUER=False)

    builder = build(app, client_id=CLIENT_ID, client_secret=SECRET)

    assert isinstance(builder, FlaskAuthStateBuilder)


def test_no_part_of_a_secret_is_logged(app: Flask, caplog: pytest.LogCaptureFixture):
    """No record of any logger has four characters of the secret in a row."""
    caplog.set_level(logging.DEBUG)
    app.logger.setLevel(logging.DEBUG)

    build(app, client_id=CLIENT_ID, client_secret=SECRET)

    assert "apt" in caplog.text
    parts = [SECRET[i : i + 4] for i in range(len(SECRET) - 3)]
    assert not [part for part in parts if part in caplog.text]


def test_scopes_are_collected_in_order(app: Flask):
    """Every provider's scopes are told once, in the order of registration."""
    assert provider_scopes(app) == []
    build(app)
    build(app, provider="b", accepted_scopes=("three", "one"))

    assert provider_scopes(app) == ["one", "two", "three"]


def test_the_store_is_that_of_the_current_app(make_app: Callable[..., Flask], tmp_path: Any):
    """A store made before its app keeps the actions of each app apart."""
    store = action_store("apt")
    first, second = (make_app(LICET_INSTANCE_PATH=str(tmp_path / name)) for name in "ab")
    status = ActionStatus(status="ACTIVE", creator_id=CREATOR, details={})
    with first.app_context():
        store.submit(ActionRequest(request_id="r", body={}), status)

    with first.app_context():
        assert store.get(status.action_id) == status
    with second.app_context():
        assert store.get(status.action_id) is None


@pytest.mark.parametrize(("given", "blank"), [("ID", "SECRET"), ("SECRET", "ID")])
def test_half_a_pair_of_credentials_is_told(
    given: str, blank: str, caplog: pytest.LogCaptureFixture
):
    """A credential without its other half is not used, and the log says so without showing it."""
    assert provider_credentials({f"APT_CLIENT_{given}": "half"}, "apt") == ("", "")
    assert f"APT_CLIENT_{blank} is blank" in caplog.text
    assert "half " not in caplog.text.replace("other half ", "")
