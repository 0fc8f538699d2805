"""`Licet(app)`: what one line attaches."""

import logging

import pytest

from licet import Licet
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
    (key,) = app.test_client().get("/.well-known/jwks.json").json["keys"]
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


def test_attaching_twice_changes_nothing(app):
    """An app that was made by two helpers, each attaching licet, still starts."""
    Licet(app)
    assert Licet().init_app(app).has("extension")
    assert app.test_client().get("/.well-known/jwks.json").status_code == 200


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
