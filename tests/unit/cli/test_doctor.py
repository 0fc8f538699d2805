"""`licet doctor tokens`: forged tokens are tried on the app's own verifier."""

import pytest
from tests.unit.authn.provider import provided
from tests.unit.cli import verifiers

from licet.ops.doctor.attacks import ATTACKS

ALL = f"{len(ATTACKS)} of {len(ATTACKS)} forged tokens were refused."
BARE = "tests.unit.cli.bare:app"


def of(name):
    return f"tests.unit.cli.verifiers:{name}"


def test_the_embedded_issuers_verifier_refuses_all(licet):
    """An app as it comes refuses every forged token and takes the good one."""
    result = licet("--app", BARE, "doctor", "tokens")
    assert result.exit_code == 0
    assert "signed with the issuer's own key" in result.stdout
    assert "  accepted    good token\n" in result.stdout
    assert result.stdout.endswith(f"{ALL}\n")
    assert all(each.name in result.stdout for each in ATTACKS)


def test_an_app_that_takes_anything(licet):
    """What was accepted is told, and the command fails."""
    result = licet("--app", of("credulous"), "doctor", "tokens")
    assert result.exit_code == 1
    assert "  accepted    alg 'none'" in result.stdout
    assert f"0 of {len(ATTACKS)}" in result.stdout


def test_an_app_that_does_not_take_its_own_tokens(licet):
    """When the good token is not accepted either, that is said instead of 'all refused'."""
    result = licet("--app", of("mistaken"), "doctor", "tokens")
    assert result.exit_code == 1
    assert "a good token is not accepted" in result.stderr


@pytest.mark.parametrize(("name", "code"), [("crashing", 1), ("refusing", 0)])
def test_an_app_that_asks_somebody_else(licet, name, code):
    """What names no issuer is attacked with a forger's key; a crash is no refusal."""
    result = licet("--app", of(name), "doctor", "tokens")
    assert result.exit_code == code
    assert "a key of the forger's" in result.stdout


def test_an_app_without_an_issuer_of_its_own(licet):
    """Without any issuer's key the forger's must do."""
    env = {"LICET_EMBEDDED_ISSUER": "false"}
    result = licet("--app", of("refusing"), "doctor", "tokens", env=env)
    assert result.exit_code == 0
    assert "a key of the forger's" in result.stdout


def test_an_app_with_opaque_tokens_only(licet):
    """Forged JWTs are tried on what takes opaque tokens."""
    env = {"LICET_EMBEDDED_ISSUER": "false"}
    assert ALL in licet("--app", of("opaque_only"), "doctor", "tokens", env=env).stdout


def test_a_provider_that_is_down(licet):
    """When keys cannot be had nothing is proved, and the exit code says so."""
    result = licet("--app", of("unreachable"), "doctor", "tokens")
    assert result.exit_code == 4
    assert "  unavailable another key under the issuer's kid" in result.stdout


def test_a_foreign_provider(licet, monkeypatch):
    """The provider's own kid and public key are used against it."""
    with provided() as provider:
        monkeypatch.setattr(
            verifiers, "served", lambda: verifiers.foreign(provider.issuer), raising=False
        )
        result = licet("--app", of("served"), "doctor", "tokens")
    assert result.exit_code == 0
    assert ALL in result.stdout
    assert f"Tokens of {provider.issuer}, signed with a key of the forger's:" in result.stdout
    assert provider.fetches == 1


def test_several_issuers(licet):
    """Each issuer's tokens are forged, with its own key where that is there."""
    result = licet("--app", of("both"), "doctor", "tokens")
    assert result.exit_code == 0
    assert result.stdout.count(ALL) == 2
    assert "Tokens of https://other.example, signed with a key of the forger's:" in result.stdout


def test_migrations_are_compared(licet):
    """The doctor says what differs, and whether anything is migrated at start."""
    from tests.unit.cli.conftest import SITE

    missing = licet("--app", SITE, "doctor", "migrations")
    assert missing.exit_code == 1
    assert "There is no database at " in missing.stderr
    licet("--app", SITE, "db", "upgrade")
    found = licet("--app", SITE, "doctor", "migrations")
    assert found.exit_code == 0, found.output
    assert "licet's tables are migrated at start" in found.stdout
    by_hand = licet("--app", SITE, "doctor", "migrations", env={"LICET_MIGRATE_AT_START": "no"})
    assert "Nothing is migrated at start: run `licet db upgrade`" in by_hand.stdout
