"""`licet token`: a token that the app itself accepts."""

import pytest
from examples.watchasay.app import config
from services.site import create_app
from tests.unit.cli.conftest import SITE

from licet.authn.issuers import embedded_issuer
from licet.authn.tokens.jwt import JWTVerifier

BARE = "tests.unit.cli.bare:app"


def verified(text: str):
    issuer = embedded_issuer(create_app())
    verifier = JWTVerifier(
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithms=frozenset({"ES256"}),
        keys=issuer,
        local_issuer=issuer.issuer,
    )
    return verifier.verify(text.strip())


def test_every_scope(licet):
    """With --all-scopes the token opens every provider of the app."""
    result = licet("--app", SITE, "token", "alice", "--all-scopes")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    assert {config.our_scope, config.secondary_scope} <= verified(result.stdout).scopes


def test_some_scopes_and_groups(licet):
    """Scopes, groups and the time to live are the caller's choice."""
    words = ("--scope", "a", "--scope", "b", "--group", "team", "--ttl-seconds", "60")
    identity = verified(licet("--app", SITE, "token", "alice", *words).stdout)
    assert identity.scopes == {"a", "b"}
    assert identity.groups == {"urn:licet:group:team"}
    assert identity.claims["exp"] - identity.claims["iat"] == 60


def test_all_and_one_more(licet):
    """A scope of one's own may be added to all of the app's."""
    result = licet("--app", SITE, "token", "alice", "--all-scopes", "--scope", "mine")
    assert {"mine", config.our_scope} <= verified(result.stdout).scopes


def test_no_scope_is_wrong_usage(licet):
    """Without a scope the app's scopes are listed to choose from."""
    result = licet("--app", SITE, "token", "alice")
    assert result.exit_code == 2
    assert config.our_scope in result.stderr


@pytest.mark.parametrize("words", [(), ("--all-scopes",)])
def test_an_app_without_providers(licet, words):
    """An app that knows no scope gives tokens without one."""
    result = licet("--app", BARE, "token", "alice", *words)
    assert result.exit_code == 0
    assert verified(result.stdout).scopes == frozenset()


@pytest.mark.parametrize("words", [("a b", "--scope", "s"), ("alice", "--scope", "a b")])
def test_names_that_cannot_be(licet, words):
    """A user or scope that no token can hold is one line."""
    result = licet("--app", SITE, "token", *words)
    assert result.exit_code == 2
    assert "is not usable" in result.stderr


def test_an_issuer_that_is_switched_off(licet):
    """An app that makes no tokens says by which setting."""
    env = {"LICET_EMBEDDED_ISSUER": "false"}
    result = licet("--app", BARE, "token", "alice", "--scope", "s", env=env)
    assert result.exit_code == 2
    assert "LICET_EMBEDDED_ISSUER" in result.stderr


def test_new_keys_are_told(licet, tmp_path):
    """A token of keys that no service has yet is likely one of another folder than meant."""
    words = ("--app", SITE, "token", "alice", "--scope", config.our_scope)
    first, second = licet(*words), licet(*words)
    path = tmp_path / "instance" / "licet-signing-keys.json"
    assert first.stderr.startswith(f"licet: {path} was made just now: only a service that is ")
    assert first.stdout.count("\n") == 1
    assert second.stderr == ""


def test_an_unknown_scope_is_told(licet):
    """The token is minted, since the app may look at scopes of its own; a slip is seen at once."""
    licet("--app", SITE, "token", "alice", "--all-scopes")  # makes the keys
    scope = config.our_scope.replace("a", "e", 1)
    result = licet("--app", SITE, "token", "alice", "--scope", scope, "--scope", config.our_scope)
    assert result.exit_code == 0
    assert verified(result.stdout).scopes == {scope, config.our_scope}
    assert result.stderr == (
        f"licet: The app's providers know no scope {scope!r}: did you mean {config.our_scope!r}?\n"
    )


@pytest.mark.parametrize("env", [{"LICET_ACCOUNT_SCOPES": "orders"}, {}])
def test_known_scopes_are_not_told(licet, env):
    """Those of accounts are known, too; of an app that knows none, nothing can be said."""
    app = SITE if env else BARE
    licet("--app", app, "keys", "rotate", env=env)
    result = licet("--app", app, "token", "alice", "--scope", "orders", env=env)
    assert (result.exit_code, result.stderr) == (0, "")
