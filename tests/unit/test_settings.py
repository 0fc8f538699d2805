"""Where settings come from, and which values they may have."""

import re
from pathlib import Path

import pytest

from licet.errors import ConfigurationError
from licet.settings import DEFAULT_ISSUER, AccountSettings, ProviderSettings, RestSettings, Settings

HERE = Path("/nowhere/instance")


def test_everything_has_a_default():
    """An app without settings gets the documented ones."""
    assert Settings.read({}, HERE, {}) == Settings(
        instance_path=HERE,
        database_url="",
        sqlite_synchronous="FULL",
        issuer=DEFAULT_ISSUER,
        audience=DEFAULT_ISSUER,
        public_url=DEFAULT_ISSUER,
        has_public_url=False,
        embedded_issuer=True,
        migrate_at_start=True,
        access_token_seconds=900,
        max_body_bytes=1024 * 1024,
        protect=True,
        problem_errors=False,
        log_allowed=frozenset(),
        dispatch="threads",
        broker_url="redis://localhost:6379/0",
        worker_threads=8,
        stop_seconds=10,
        attempt_seconds=0,
        cancel_seconds=10,
        version_gone_seconds=86_400,
        max_result_bytes=256 * 1024,
        max_waiting=4,
        trusted_proxies=0,
        accounts=AccountSettings(
            enabled=False,
            sign_up="closed",
            session_seconds=30 * 24 * 3600,
            cookie_secure=True,
            smtp_url="",
            mail_from="licet@localhost",
            scopes=(),
            throttle_storage_url="",
        ),
        rest=RestSettings(
            error_shape="problem",
            rate_limit="",
            max_url_bytes=8 * 1024,
            max_header_bytes=32 * 1024,
            cors_origins=(),
            strict_slashes=True,
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


LAB = {"LICET_OIDC_ISSUER": "https://idp.example/realms/lab/", "LICET_OIDC_CLIENT_ID": "us"}


def test_a_provider_has_defaults():
    """An issuer and a client id are enough to sign people in."""
    (found,) = Settings.read({}, HERE, LAB).providers
    assert found == ProviderSettings(
        name="oidc",
        label="Oidc",
        issuer="https://idp.example/realms/lab/",
        client_id="us",
        client_secret="",
        audience="",
        algorithms=("RS256",),
        scopes=("openid", "email", "profile"),
        takes_plain_type=False,
        groups_are_local=False,
    )


def test_several_providers_have_settings_of_their_own():
    """Each by its name, in the order of the list."""
    environ = {
        "LICET_OIDC_PROVIDERS": "the_lab orcid",
        "LICET_OIDC_THE_LAB_ISSUER": "https://idp.example",
        "LICET_OIDC_THE_LAB_AUDIENCE": "https://api.example",
        "LICET_OIDC_THE_LAB_ALGORITHMS": "ES256 RS256",
        "LICET_OIDC_THE_LAB_TAKES_PLAIN_TYPE": "yes",
        "LICET_OIDC_THE_LAB_GROUPS_ARE_LOCAL": "on",
        "LICET_OIDC_ORCID_ISSUER": "https://orcid.example",
        "LICET_OIDC_ORCID_CLIENT_ID": "us",
        "LICET_OIDC_ORCID_CLIENT_SECRET": "hidden",
        "LICET_OIDC_ORCID_LABEL": "ORCID",
        "LICET_OIDC_ORCID_SCOPES": "openid",
    }
    settings = Settings.read({}, HERE, environ)
    lab, orcid = settings.providers
    assert (lab.name, lab.label, lab.audience) == ("the_lab", "The lab", "https://api.example")
    assert (lab.algorithms, lab.client_id) == (("ES256", "RS256"), "")
    assert lab.takes_plain_type is lab.groups_are_local is True
    assert (orcid.label, orcid.client_secret, orcid.scopes) == ("ORCID", "hidden", ("openid",))
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"LICET_OIDC_CLIENT_ID": ""}, "set LICET_OIDC_CLIENT_ID to have people sign in there"),
        ({"LICET_OIDC_ISSUER": ""}, "LICET_OIDC_ISSUER is not set: write an http or https URL"),
        (
            {"LICET_OIDC_ISSUER": "", "LICET_OIDC_CLIENT_ID": "", "LICET_OIDC_AUDIENCE": "x"},
            "LICET_OIDC_ISSUER is not set",
        ),
        ({"LICET_OIDC_SCOPES": "email"}, "LICET_OIDC_SCOPES lacks openid"),
        ({"LICET_OIDC_PROVIDERS": "lab"}, "LICET_OIDC_ISSUER is set beside LICET_OIDC_PROVIDERS"),
        ({"LICET_OIDC_ISSUER": DEFAULT_ISSUER}, "which is LICET_ISSUER"),
    ],
)
def test_a_provider_that_cannot_be_is_told(changes, told):
    """The setting is named, and what to do."""
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        Settings.read({}, HERE, LAB | changes)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("Lab", "LICET_OIDC_PROVIDERS has 'Lab'"),
        ("a-b", "LICET_OIDC_PROVIDERS has 'a-b'"),
        ("lab lab", "has a name twice"),
        ("lab", "LICET_OIDC_LAB_ISSUER is not set: write"),
    ],
)
def test_names_of_providers_are_checked(names, told):
    """They stand in settings and in URLs."""
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        Settings.read({}, HERE, {"LICET_OIDC_PROVIDERS": names})


@pytest.mark.parametrize("level", ["FULL", "EXTRA", "NORMAL"])
def test_how_sqlite_waits_for_the_disk(level):
    """It is one of three words."""
    assert Settings.read({}, HERE, {"LICET_SQLITE_SYNCHRONOUS": level}).sqlite_synchronous == level


@pytest.mark.parametrize("level", ["OFF", "full", "2"])
def test_no_other_way_for_sqlite_to_wait(level):
    """Least of all one that can damage the file."""
    with pytest.raises(ConfigurationError, match="write FULL or EXTRA or NORMAL"):
        Settings.read({}, HERE, {"LICET_SQLITE_SYNCHRONOUS": level})
