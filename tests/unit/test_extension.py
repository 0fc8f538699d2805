"""`Licet(app)`: what one line attaches."""

import logging

import pytest
from flask import Flask

from licet import Licet
from licet.authz import register_policies
from licet.errors import ConfigurationError


@pytest.mark.parametrize("path", ["jwks.json", "openid-configuration", "oauth-protected-resource"])
def test_the_issuers_documents_are_published(app, path):
    """Keys and metadata are public, and may be cached for five minutes."""
    Licet(app)
    response = app.test_client().get(f"/.well-known/{path}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=300"


def test_published_keys_hold_no_secret(app):
    """The published keys have only their public members."""
    Licet(app)
    published = app.test_client().get("/.well-known/jwks.json").json["keys"]
    assert len(published) == 2
    for key in published:
        assert {"kty", "crv", "x", "y", "kid", "alg", "use"} >= set(key) >= {"kty", "x", "y", "kid"}


def test_metadata_leads_to_the_keys(app):
    """The metadata name the issuer, and where its keys are."""
    app.config["LICET_ISSUER"] = "https://example.org"
    Licet(app)
    metadata = app.test_client().get("/.well-known/openid-configuration").json
    assert metadata["issuer"] == "https://example.org"
    assert metadata["jwks_uri"] == "https://example.org/.well-known/jwks.json"


def test_a_switched_off_issuer_publishes_nothing(app):
    """Without the embedded issuer there are no keys to be had."""
    app.config["LICET_EMBEDDED_ISSUER"] = False
    Licet(app)
    assert app.test_client().get("/.well-known/jwks.json").status_code == 404


def test_malformed_settings_stop_the_start(app):
    """A malformed setting is told when the app is made, not at the first request."""
    app.config["LICET_ACCESS_TOKEN_SECONDS"] = "soon"
    with pytest.raises(ConfigurationError, match="LICET_ACCESS_TOKEN_SECONDS"):
        Licet(app)


def test_an_app_may_be_attached_later(app):
    """`init_app` does what the constructor does, and gives the settings back."""
    state = Licet().init_app(app)
    assert state.settings.issuer == "http://localhost:8000"
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200


def test_a_second_licet_is_refused(app):
    """Its functions would count for the app beside those of the first, which nobody may expect."""
    first = Licet(app)
    for attach_again in (Licet, Licet().init_app):
        with pytest.raises(ConfigurationError, match="'licet_test_app' has a Licet already"):
            attach_again(app)
    assert first.init_app(app).has("extension")
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200


def test_one_licet_serves_many_apps(app):
    """An object made without an app may be attached to several."""
    licet, other = Licet(), Flask("other", instance_path=app.instance_path)
    for each in (app, other):
        licet.init_app(each)
        assert each.test_client().get("/.well-known/jwks.json").status_code == 200


CHANGES = [
    lambda config: config.update(LICET_EMBEDDED_ISSUER=False),
    lambda config: config.update(LICET_AUDIENCE="hidden-word"),
    lambda config: config.pop("LICET_ISSUER"),
    lambda config: config.update(LICET_PROTCT=False),
]
NAMES = ["LICET_EMBEDDED_ISSUER", "LICET_AUDIENCE", "LICET_ISSUER", "LICET_PROTCT"]


@pytest.mark.parametrize(("change", "name"), list(zip(CHANGES, NAMES, strict=True)), ids=NAMES)
@pytest.mark.parametrize("protect", [True, False])
def test_a_setting_that_comes_too_late_is_refused(app, caplog, change, name, protect):
    """It would have no effect: requests are refused, the log names the setting and no value."""
    app.config.update(LICET_ISSUER="https://one.example", LICET_PROTECT=protect)
    Licet(app)
    app.config["OTHER"] = 1
    change(app.config)
    for _ in range(2):
        assert app.test_client().get("/.well-known/jwks.json").status_code == 500
    assert caplog.text.count(f"{name} of app.config was changed after licet had read it") == 2
    assert "hidden-word" not in caplog.text


def test_a_setting_that_is_put_back_is_none_too_late(app):
    """As long as it is another, and no longer; nothing is looked at after the first request."""
    Licet(app)
    app.config.update(LICET_ACCOUNTS=True, TESTING=True)
    with pytest.raises(ConfigurationError):
        app.test_client().get("/.well-known/jwks.json")
    del app.config["LICET_ACCOUNTS"]
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200
    app.config["LICET_ACCOUNTS"] = True
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200


def test_a_setting_between_licets_calls_is_too_late(app):
    """Settings are read when licet is first given the app, which may be before Licet(app)."""
    register_policies(app)
    app.config["LICET_ACCOUNTS"] = True
    with pytest.raises(ConfigurationError, match="LICET_ACCOUNTS of app"):
        Licet(app)


def test_keys_that_cannot_be_made_stop_the_start(app, tmp_path):
    """A folder that is none is told when licet is attached, not at the first request."""
    (tmp_path / "file").write_text("")
    app.config["LICET_INSTANCE_PATH"] = str(tmp_path / "file" / "folder")
    with pytest.raises(ConfigurationError, match="cannot be"):
        Licet(app)


def test_the_endpoints_of_accounts_are_declared(app):
    """An app with local accounts starts protected."""
    app.config["LICET_ACCOUNTS"] = True
    Licet(app).protect(app)
    assert app.test_client().get("/auth/session").status_code == 401


def told_at_start(app, caplog, **config):
    """The one line about where things are."""
    app.config.update(config)
    with caplog.at_level(logging.INFO):
        Licet(app)
    (line,) = [r.getMessage() for r in caplog.records if "instance folder" in r.getMessage()]
    return line


def test_the_start_tells_where_keys_and_data_are(app, tmp_path, caplog, monkeypatch):
    """As absolute paths, since the same setting may mean another folder elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert told_at_start(app, caplog, LICET_INSTANCE_PATH="here") == (
        f"licet: instance folder {tmp_path / 'here'}, database "
        f"{tmp_path / 'here' / 'licet.sqlite3'}, issuer http://localhost:8000"
    )


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            "postgresql+psycopg://u:hidden@db.example:5433/app?password=hidden&sslmode=require",
            "postgresql+psycopg://db.example:5433/app",
        ),
        ("postgresql+psycopg:///app?host=/run/postgresql&user=hidden", "postgresql+psycopg:///app"),
        ("sqlite:////data/my.sqlite3", "/data/my.sqlite3"),
    ],
)
def test_the_start_tells_no_secret(app, caplog, url, place):
    """Neither the database's user nor any option of its URL, which may hold a password."""
    line = told_at_start(app, caplog, LICET_DATABASE_URL=url, LICET_EMBEDDED_ISSUER=False)
    assert f"database {place}, issuer switched off" in line
    assert "hidden" not in caplog.text
