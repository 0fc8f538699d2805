"""`licet account` and `licet keys`: the operator's hand on accounts and keys."""

import pytest
from tests.unit.authn.accounts.people import CHEAP

from licet.authn.accounts import passwords
from licet.authn.tokens.issuer import subject_of

BARE = "tests.unit.cli.bare:app"
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", lambda: CHEAP)


@pytest.fixture
def account(licet):
    return lambda *words, **options: licet("--app", BARE, "account", *words, **options)


def created(account, email="ann@example.org", *words):
    """The id of a new account."""
    result = account("create", email, *words, "--password-stdin", input=f"{PASSWORD}\n")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.strip()


def test_the_first_account_is_an_administrator(account):
    """An empty installation gets its first account; its password is asked for twice."""
    answers = f"{PASSWORD}\n{PASSWORD}\n"
    result = account("create", "Ann@example.org", "--admin", input=answers)
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    [line] = account("list").stdout.splitlines()
    email, account_id, role, _since, state = line.split("\t")
    assert (email, role, state) == ("Ann@example.org", "admin", "active")
    assert result.stdout.endswith(f"{account_id}\n")


def test_an_account_may_be_the_person_of_a_token(account):
    """With --name it keeps the id that `licet token NAME` has always had."""
    assert created(account, "ann@example.org", "--name", "ann") == subject_of("ann")
    again = account("create", "a@b", "--name", "ann", "--password-stdin", input=f"{PASSWORD}\n")
    assert again.exit_code == 2


def test_an_address_has_one_account(account):
    """The second is told, and changes nothing."""
    created(account)
    result = account("create", "ANN@example.org", "--password-stdin", input="another one\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "licet: There is an account of this address or name already.\n"


@pytest.mark.parametrize(
    ("email", "password", "told"),
    [
        ("ann", PASSWORD, "email: write an address of the form somebody@example.org"),
        ("ann@example.org", "short", "password: a password has at least 10 characters"),
    ],
)
def test_what_is_wrong_is_one_line(account, email, password, told):
    """Field and reason, without a traceback."""
    result = account("create", email, "--password-stdin", input=f"{password}\n")
    assert (result.exit_code, result.stderr) == (2, f"licet: {told}\n")


def test_blocking_and_unblocking(account):
    """The list tells the state."""
    created(account)
    assert account("block", "ANN@example.org").stdout == "blocked\n"
    assert account("list").stdout.endswith("\tblocked\n")
    assert account("unblock", "ann@example.org").stdout == "unblocked\n"
    assert account("list").stdout.endswith("\tactive\n")
    result = account("block", "bob@example.org")
    assert (result.exit_code, result.stderr) == (2, "licet: There is no account of this address.\n")


def test_a_long_list_is_whole(account, monkeypatch):
    """Read some at a time, all are printed in the order of their addresses."""
    monkeypatch.setattr("licet.cli.account._PAGE", 2)
    for name in ("cy", "Ann", "bob"):
        created(account, f"{name}@example.org")
    listed = [line.split("\t")[0] for line in account("list").stdout.splitlines()]
    assert listed == ["Ann@example.org", "bob@example.org", "cy@example.org"]


def test_nobody_is_an_empty_list(account):
    """Without accounts nothing is printed."""
    result = account("list")
    assert (result.exit_code, result.stdout) == (0, "")


def test_rotating_keys(licet):
    """The new key signs, the old one stays published, and both are printed."""
    first = licet("--app", BARE, "keys", "rotate").stdout.splitlines()
    second = licet("--app", BARE, "keys", "rotate").stdout.splitlines()
    told = ["signs", "is the next to sign"] + ["stays published"] * 2
    assert [line.split("\t")[1] for line in second] == told
    assert second[0].split("\t")[0] == first[1].split("\t")[0]


def test_revoking_keys(licet):
    """Nothing of a file that leaked is left."""
    first = licet("--app", BARE, "keys", "rotate").stdout.splitlines()
    after = licet("--app", BARE, "keys", "rotate", "--revoke").stdout.splitlines()
    assert [line.split("\t")[1] for line in after] == ["signs", "is the next to sign"]
    kids = [{line.split("\t")[0] for line in lines} for lines in (first, after)]
    assert kids[0].isdisjoint(kids[1])
