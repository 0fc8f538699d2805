"""Where settings come from, and which values they may have."""

from pathlib import Path

import pytest

from licet.errors import ConfigurationError
from licet.settings import DEFAULT_ISSUER, AccountSettings, Settings

HERE = Path("/nowhere/instance")


def test_everything_has_a_default():
    """An app without settings gets the documented ones."""
    assert Settings.read({}, HERE, {}) == Settings(
        instance_path=HERE,
        database_url="",
        issuer=DEFAULT_ISSUER,
        audience=DEFAULT_ISSUER,
        public_url=DEFAULT_ISSUER,
        embedded_issuer=True,
        migrate_at_start=True,
        access_token_seconds=900,
        max_body_bytes=1024 * 1024,
        protect=True,
        dispatch="threads",
        broker_url="redis://localhost:6379/0",
        worker_threads=8,
        stop_seconds=10,
        max_result_bytes=256 * 1024,
        max_waiting=4,
        accounts=AccountSettings(
            enabled=False,
            session_seconds=30 * 24 * 3600,
            cookie_secure=True,
            smtp_url="",
            mail_from="licet@localhost",
            scopes=(),
            throttle_storage_url="",
        ),
    )


def test_the_mail_servers_password_is_in_no_repr():
    """The SMTP URL holds a password, so that settings are shown without it."""
    settings = Settings.read({"LICET_SMTP_URL": "smtps://u:hidden@mail.example"}, HERE, {})
    assert settings.accounts.smtp_url.endswith("mail.example")
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("config", "environ", "audience"),
    [
        ({"LICET_AUDIENCE": "config"}, {"LICET_AUDIENCE": "environ"}, "config"),
        ({}, {"LICET_AUDIENCE": "environ"}, "environ"),
        ({"LICET_AUDIENCE": None}, {"LICET_AUDIENCE": "environ"}, "environ"),
        ({"LICET_AUDIENCE": ""}, {}, DEFAULT_ISSUER),
        ({}, {}, DEFAULT_ISSUER),
    ],
)
def test_config_wins_over_environment_over_default(config, environ, audience):
    """The app's config counts first, then the environment, then the default."""
    assert Settings.read(config, HERE, environ).audience == audience


def test_the_process_environment_is_read_when_none_is_given(monkeypatch):
    """Without an explicit environment, the process's own counts."""
    monkeypatch.setenv("LICET_DATABASE_URL", "sqlite://")
    assert Settings.read({}, HERE).database_url == "sqlite://"


def test_the_issuer_has_no_trailing_slash():
    """The issuer is compared as text, so it has one spelling; the audience follows it."""
    settings = Settings.read({"LICET_ISSUER": "https://example.org/"}, HERE, {})
    assert settings.issuer == settings.audience == "https://example.org"


def test_paths_may_be_paths():
    """The instance path may be given as a Path."""
    settings = Settings.read({"LICET_INSTANCE_PATH": Path("/elsewhere")}, HERE, {})
    assert settings.instance_path == Path("/elsewhere")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("1", True),
        (" Yes ", True),
        ("on", True),
        ("TRUE", True),
        ("0", False),
        ("no", False),
        ("Off", False),
        ("false", False),
        (1, True),
        (0, False),
    ],
)
def test_flags_have_several_spellings(value, expected):
    """True and false may be written in the usual ways."""
    settings = Settings.read({"LICET_MIGRATE_AT_START": value}, HERE, {})
    assert settings.migrate_at_start is expected


@pytest.mark.parametrize("value", ["", "maybe", 2, "truee", []])
def test_other_flags_are_refused_by_name(value):
    """A flag that is neither is an error that names the setting."""
    with pytest.raises(ConfigurationError, match="LICET_EMBEDDED_ISSUER"):
        Settings.read({"LICET_EMBEDDED_ISSUER": value}, HERE, {})


@pytest.mark.parametrize(("value", "expected"), [(1, 1), ("60", 60), (" 7 ", 7)])
def test_numbers_may_be_text(value, expected):
    """A number may come from the environment, as text."""
    settings = Settings.read({"LICET_ACCESS_TOKEN_SECONDS": value}, HERE, {})
    assert settings.access_token_seconds == expected


@pytest.mark.parametrize(
    "value",
    [0, -1, "0", "-5", "", "ten", "1.5", 1.5, True, float("inf"), float("nan"), [], "1" * 5000],
    ids=lambda value: repr(value)[:8],
)
def test_other_numbers_are_refused_by_name(value):
    """What is not a whole number above zero is an error that names the setting."""
    with pytest.raises(ConfigurationError, match="LICET_MAX_BODY_BYTES"):
        Settings.read({"LICET_MAX_BODY_BYTES": value}, HERE, {})
