"""Names that start with ``LICET_`` and are no settings are refused, wherever they are."""

import re
from pathlib import Path

import pytest
from flask import Flask

from licet import Licet
from licet.errors import ConfigurationError, UnknownName
from licet.settings import Settings, check_environment, known_settings
from licet.settings.state import app_state

HERE = Path("/nowhere/instance")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
LAB = {
    "LICET_OIDC_PROVIDERS": "lab",
    "LICET_OIDC_LAB_ISSUER": "https://idp.example",
    "LICET_OIDC_LAB_CLIENT_ID": "us",
}


def refusal(config=None, environ=None):
    """What is said of these names."""
    with pytest.raises(UnknownName) as caught:
        Settings.read(config or {}, HERE, environ or {})
    assert isinstance(caught.value, ConfigurationError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LICET_PROTCT", "LICET_PROTECT"),
        ("LICET_EMBEDED_ISSUER", "LICET_EMBEDDED_ISSUER"),
        ("LICET_DATABASE_URI", "LICET_DATABASE_URL"),
        ("LICET_MAX_BODY_SIZE", "LICET_MAX_BODY_BYTES"),
        ("LICET_COOKIES_SECURE", "LICET_COOKIE_SECURE"),
        ("LICET_OIDC_ISUER", "LICET_OIDC_ISSUER"),
        ("LICET_OIDC_CLIENTID", "LICET_OIDC_CLIENT_ID"),
        ("LICET_OIDC_PROVIDER", "LICET_OIDC_PROVIDERS"),
        ("LICET_LOGIN_CLIENTID", "LICET_LOGIN_CLIENT_ID"),
        ("LICET_TOKN", "LICET_TOKEN"),
    ],
)
def test_a_misspelt_setting_is_refused(name, meant):
    """In the app's config and in the environment; the setting that was meant is named."""
    assert f"app.config has {name!r}, which is no setting: did you mean {meant}?" in refusal(
        {name: 1}
    )
    assert f"The environment has {name!r}, which is no setting: did you mean {meant}?" in refusal(
        None, {name: "1"}
    )


@pytest.mark.parametrize("name", ["LICET_", "LICET_ZZQQ", "LICET_JWKS", "LICET_é"])
def test_a_name_like_no_setting_is_refused_too(name):
    """A shared environment may hold another program's: then it needs another prefix."""
    told = refusal(None, {name: "1"})
    assert f"has {name!r}, which is no setting" in told
    assert "Names that start with LICET_ are licet's alone" in told


@pytest.mark.parametrize("name", ["licet_protect", "Licet_Protect"])
def test_the_case_of_a_setting_counts(name):
    """Flask takes upper-case names, so another spelling would have no effect."""
    assert "did you mean LICET_PROTECT?" in refusal({name: False})


@pytest.mark.parametrize("name", ["LICET_PROTECT ", "LICET_PRO\nTECT", "LICET_\udcff"])
def test_a_name_is_told_so_that_one_sees_it(name):
    """Blanks at the end, and what a terminal would obey."""
    told = refusal(None, {name: "1"})
    assert repr(name) in told
    assert told.isprintable()


def test_all_are_told_at_once_and_no_value_is():
    """Who mends one need not start again for the next; a value may be a secret."""
    told = refusal({"LICET_SMTP": "hidden-1"}, {"LICET_TOKE": "hidden-2", "LICET_APPS": "hidden-3"})
    assert re.findall(r"has '(LICET_\w+)',", told) == ["LICET_SMTP", "LICET_APPS", "LICET_TOKE"]
    assert "hidden" not in told


@pytest.mark.parametrize("value", [None, "", 0, False])
def test_an_empty_value_makes_no_setting(value):
    """The name is what is wrong."""
    refusal({"LICET_PROTCT": value})


def test_other_names_are_nobodys_business():
    """An app's config and the environment are full of them."""
    config = {"SECRET_KEY": "x", "LICE": 1, "LICETX": 1, "MY_LICET_PROTCT": 1, "ALICET_X": 1, 3: 4}
    Settings.read(config, HERE, {"PATH": "/bin", "XLICET_A": "1", "licet_a": "1"})


@pytest.mark.parametrize("name", ["LICET_APP", "LICET_TOKEN", "LICET_LOGIN_CLIENT_ID"])
def test_the_commands_variables_are_known(name):
    """They are in the environment of ``licet serve`` as well."""
    Settings.read({}, HERE, {name: "x"})


def test_each_provider_has_settings_of_its_own():
    """Of the providers that are named, in lower case, each field is known."""
    Settings.read(LAB, HERE, {"LICET_OIDC_LAB_LABEL": "The lab"})
    told = refusal(LAB, {"LICET_OIDC_LAB_LABLE": "x"})
    assert "did you mean LICET_OIDC_LAB_LABEL?" in told


def test_a_provider_that_is_not_named_is_told():
    """Its settings would have no effect, or the list of names is misspelt."""
    told = refusal(LAB, {"LICET_OIDC_ORCID_CLIENT_SECRET": "hidden"})
    assert "LICET_OIDC_PROVIDERS does not name 'orcid'" in told
    told = refusal(LAB, {"LICET_OIDC_LAP_AUDIENCE": "x"})
    assert "does not name 'lap', or did you mean LICET_OIDC_LAB_AUDIENCE?" in told


def test_a_misspelt_name_is_told_before_what_it_leaves_unset():
    """Not that an issuer is missing, when it is there and misspelt."""
    given = {"LICET_OIDC_CLIENT_ID": "us", "LICET_OIDC_ISSUR": "https://idp.example"}
    assert "did you mean LICET_OIDC_ISSUER?" in refusal(None, given)


KUBERNETES = {
    "LICET_SERVICE_HOST": "10.3.104.46",
    "LICET_SERVICE_PORT": "80",
    "LICET_SERVICE_PORT_HTTP": "80",
    "LICET_PORT": "tcp://10.3.104.46:80",
    "LICET_PORT_80_TCP": "tcp://10.3.104.46:80",
    "LICET_PORT_80_TCP_PROTO": "tcp",
    "LICET_PORT_80_TCP_PORT": "80",
    "LICET_PORT_80_TCP_ADDR": "10.3.104.46",
    "LICET_WEB_PORT": "tcp://[fd00::1]:80",
    "LICET_WEB_SERVICE_HOST": "fd00::1",
    "LICET_WEB_PORT_53_UDP": "udp://[fd00::1]:53",
}


def test_the_service_links_of_kubernetes_are_no_settings():
    """A Service called licet, or licet-web, adds these to every pod beside it."""
    Settings.read({}, HERE, KUBERNETES)
    check_environment(KUBERNETES)


@pytest.mark.parametrize("name", sorted(KUBERNETES))
def test_service_links_come_from_the_environment_alone(name):
    """Nobody else writes them, so in a config they are misspelt settings."""
    refusal({name: KUBERNETES[name]})


@pytest.mark.parametrize(("name", "value"), [("LICET_PORT", "8001"), ("LICET_WORKERS_PORT", "")])
def test_a_port_that_is_no_link_is_refused(name, value):
    """Somebody wants another port, and would not get it."""
    refusal(None, {name: value})


def test_an_app_does_not_start_with_a_misspelt_setting(app: Flask, monkeypatch):
    """`Licet(app)` refuses, and so does whatever touches the app first without it."""
    app.config["LICET_PROTCT"] = True
    with pytest.raises(UnknownName, match="did you mean LICET_PROTECT"):
        Licet(app)
    with pytest.raises(UnknownName):
        app_state(app)
    del app.config["LICET_PROTCT"]
    monkeypatch.setenv("LICET_PROTEC", "true")
    with pytest.raises(UnknownName, match="The environment has 'LICET_PROTEC',"):
        Licet(app)
    monkeypatch.delenv("LICET_PROTEC")
    Licet(app)


def test_the_environment_is_checked_without_an_app():
    """Which providers there are only the app knows; every one could be."""
    check_environment({"LICET_OIDC_ANY_ISSUER": "x", "LICET_OIDC_ISSUER": "x", "LICET_TOKEN": "x"})
    with pytest.raises(UnknownName, match="did you mean LICET_TOKEN"):
        check_environment({"LICET_TOKENS": "hidden"})
    with pytest.raises(UnknownName, match="LICET_OIDC_ANY_ISUER"):
        check_environment({"LICET_OIDC_ANY_ISUER": "x"})


def test_the_reference_names_every_setting():
    """And no other: what it promises is known, what is known it tells."""
    named = set(re.findall(r"^\| `(LICET_\w+)` \|", REFERENCE.read_text(), re.MULTILINE))
    fields = (
        "ISSUER",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "AUDIENCE",
        "ALGORITHMS",
        "SCOPES",
        "ACR_VALUES",
        "LABEL",
    )
    flags = ("TAKES_PLAIN_TYPE", "GROUPS_ARE_LOCAL")
    assert named == known_settings() | {f"LICET_OIDC_{name}" for name in (*fields, *flags)}
