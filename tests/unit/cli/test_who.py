"""`licet who` and `licet access-review`: who may do something, for people and for spreadsheets."""

import csv
import io

import pytest
from tests.unit.cli.formulas import CELLS

APP = "services.open_event.app:create_app"
FORMULAS = "tests.unit.cli.formulas:create_app"


def accounts_of(result):
    return {int(line.split("\t")[1]) for line in result.stdout.splitlines()}


def test_who_prints_the_accounts(licet):
    """By principal and key: the admin and the owner of the second event."""
    result = licet("who", APP, "update", "events", "2")
    assert result.exit_code == 0, result.stderr
    assert accounts_of(result) == {1, 2}
    assert all(line.startswith("urn:licet:identity:") for line in result.stdout.splitlines())


def test_who_says_that_nobody_may(licet):
    """On the other stream, so that scripts read nothing."""
    result = licet("who", FORMULAS, "DELETE", "notes", CELLS[0])
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"Nobody may DELETE notes {CELLS[0]}." in result.stderr


def test_who_has_a_line_for_each_account(licet):
    """A tab, a line break or a command of a terminal in a principal is escaped."""
    result = licet("who", FORMULAS, "VIEW", "notes", CELLS[0])
    assert accounts_of(result) == {-1, -2, -3, -4, -5, -6}
    assert "\\tx\t-6" in result.stdout


def test_a_review_has_a_line_for_each_object_and_account(licet):
    """The same as `who` says of each object."""
    result = licet("access-review", APP, "--verb", "UPDATE", "events")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    for key in ("1", "2", "3"):
        found = {int(row["account"]) for row in rows if row["key"] == key}
        assert found == accounts_of(licet("who", APP, "UPDATE", "events", key))
    assert {row["verb"] for row in rows} == {"UPDATE"}


def test_a_review_holds_no_formula(licet):
    """What a spreadsheet would run is text there; numbers stay numbers."""
    result = licet("access-review", FORMULAS, "notes")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["key"] for row in rows} == {f"'{cell}" for cell in CELLS}
    assert {row["principal"] for row in rows} == {f"'{cell}" for cell in CELLS}
    assert {row["account"] for row in rows} == {"-1", "-2", "-3", "-4", "-5", "-6"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("who", APP, "UPDAT", "events", "1"), "no verb 'UPDAT': did you mean 'UPDATE'?"),
        (("who", APP, "VIEW", "event", "1"), "The app has no policy 'event'"),
        (("who", APP, "VIEW", "events", "99"), "There is no events with the key '99'."),
        (("access-review", APP, "events", "--verb", "NO"), "The policy events has no verb 'NO'"),
        (("who", "tests.unit.cli.keyed:app", "VIEW", "Day", "2030-01-31"), "register_accounts"),
    ],
)
def test_what_cannot_be_asked_is_told(licet, words, told):
    """In one line, with an exit code that is not 0."""
    result = licet(*words)
    assert result.exit_code in (1, 2)
    assert told in result.stderr


def test_the_doctor_finds_no_difference_in_the_conference(licet):
    """Every attribute that the policies ask for is the same in rows and in requests."""
    result = licet("--app", APP, "doctor", "accounts")
    assert result.exit_code == 0, result.stdout
    assert result.stdout == (
        "12 accounts were compared in account_id, is_admin, is_authenticated, is_super_admin, "
        "is_verified, principal: 0 differ.\n"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("swapped", "caller.is_admin is False, by its row True"),
        ("disabled", "it is not active by its row, and its caller is taken"),
        ("silent", "caller.is_verified is asked for, and no row says it"),
        ("unregistered", "it is active by its row, and its caller is refused"),
    ],
)
def test_the_doctor_finds_a_difference(licet, name, told):
    """Rows that say something else than requests have."""
    result = licet("--app", f"tests.unit.cli.accounts_apps:{name}", "doctor", "accounts")
    assert result.exit_code == 1
    assert told in result.stdout


def test_the_doctor_says_whom_it_cannot_sign_in(licet):
    """A principal of another issuer needs a function of the app's."""
    result = licet("--app", "tests.unit.cli.accounts_apps:foreign", "doctor", "accounts")
    assert result.exit_code == 2
    assert "give register_accounts(…, live=…)" in result.stderr


def test_the_doctor_asks_the_apps_function(licet):
    """Which gives the caller of an account."""
    result = licet("--app", "tests.unit.cli.accounts_apps:by_function", "doctor", "accounts")
    assert result.exit_code == 0, result.stdout
