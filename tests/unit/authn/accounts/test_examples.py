"""The examples of the accounts' endpoints, replayed: each with an account of its own."""

from __future__ import annotations

import itertools

import pytest
from argon2 import PasswordHasher
from flask import Flask
from tests.unit.authn.accounts.people import Mails

from licet import Licet
from licet.authn.accounts.credentials import ask_reset, create_account, sign_up
from licet.authn.accounts.documents import SignIn, SignUp
from licet.authn.accounts.flask import MAIL, PASSWORDS, accounts_of
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.sessions import sign_in
from licet.settings.state import app_state
from licet.testing import Contract, Given

ADDRESS, PASSWORD = "ada@example.org", "seven small otters"
CASES = (
    "ask_reset_post",
    "change_password_post",
    "delete_account_delete",
    "logout_everywhere_post",
    "logout_post",
    "refresh_post",
    "reset_password_post",
    "session_get",
    "sign_in_post",
    "sign_up_post",
    "verify_post",
)
BEFORE = "licet_accounts_"


class People:
    """Accounts of an app, each with an address of its own."""

    def __init__(self, app: Flask) -> None:
        self.parts, self._numbers = accounts_of(app), itertools.count(1)

    def stranger(self) -> SignUp:
        address = f"ada{next(self._numbers)}@example.org"
        return SignUp(email=address, password=PASSWORD)

    def account(self) -> str:
        asked = self.stranger()
        create_account(self.parts, asked, is_admin=False)
        return asked.email

    def secret(self) -> str:
        assert self.parts.outbox.wait(10)
        return self.parts.mail.secret()


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    app = Flask("people", instance_path=str(tmp_path_factory.mktemp("people")))
    app.config.update(LICET_ACCOUNTS=True, LICET_SIGN_UP="open")
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    app_state(app).put(PASSWORDS, Passwords(hasher))
    app_state(app).put(MAIL, Mails())
    Licet(app)
    made, people = Contract(app), People(app)
    _of_strangers(made, people)
    _of_accounts(made, people)
    return made


def _of_strangers(contract: Contract, people: People) -> None:
    @contract.setup(f"{BEFORE}sign_up_post")
    def a_stranger(_case):
        return {ADDRESS: people.stranger().email}

    @contract.setup(f"{BEFORE}verify_post")
    def a_sign_up(_case):
        sign_up(people.parts, people.stranger())
        return {"a-token-of-the-mail": people.secret()}


def _of_accounts(contract: Contract, people: People) -> None:
    @contract.setup(f"{BEFORE}sign_in_post", f"{BEFORE}ask_reset_post")
    def an_account(_case):
        return {ADDRESS: people.account()}

    @contract.setup(f"{BEFORE}reset_password_post")
    def a_reset(_case):
        ask_reset(people.parts, people.account())
        return {"a-token-of-the-mail": people.secret()}

    @contract.setup(f"{BEFORE}*")
    def somebody(_case):
        address = people.account()
        grant = sign_in(people.parts, SignIn(email=address, password=PASSWORD))
        values = {ADDRESS: address, "a-refresh-token": grant.refresh_token}
        return Given(values=values, headers={"Authorization": f"Bearer {grant.access_token}"})


def test_each_endpoint_has_an_example(contract):
    """All eleven of the JSON interface."""
    assert {case.operation_id for case in contract.cases()} == {BEFORE + name for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_an_example_is_what_the_app_does(contract, name):
    """Status, members and schema, over HTTP."""
    (case,) = contract.cases(BEFORE + name)
    with contract.served() as live:
        live.replay(case)
    assert accounts_of(contract.app).outbox.wait(10)
