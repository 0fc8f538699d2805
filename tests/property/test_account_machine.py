"""The life of accounts beside a plain model: after any sequence of operations both say the same."""

import itertools
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from tests.counts import count
from tests.unit.authn.accounts.people import (
    asked,
    grant,
    mailed_reset,
    mailed_sign_up,
    make_parts,
    verifier,
)
from tests.unit.authn.made_tokens import Clock

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import ChangePassword, ConfirmAddress, ResetPassword, SignIn
from licet.authn.accounts.parts import NOWHERE
from licet.authn.throttle import Limit, Limits
from licet.db.engine import Database
from licet.db.migrate import upgrade
from licet.errors import InvalidCredentials, InvalidLink, InvalidToken

MANY = Limit(attempts=10**6, seconds=3600)
UNLIMITED = Limits(passwords=MANY, mails=MANY, passwords_by_address=MANY, mails_by_address=MANY)
_emails = st.sampled_from(["ann@example.org", "bob@example.org"])
_passwords = st.sampled_from(["first password", "second password"])
_session_numbers = itertools.count()


class Person:
    """What the model knows of one account."""

    def __init__(self, password):
        self.password = password
        self.is_blocked = False
        self.links = set()


class AccountMachine(RuleBasedStateMachine):
    """`people` maps addresses to persons, `open` session numbers to what their holders have,
    `waiting` the secrets of sign-ups to address and password.

    Two processes, `here` and `there`, share the database; `there` may know of a withdrawal two
    seconds later, so the clock moves on by two before it is asked.
    """

    opened = Bundle("opened")
    sign_ups = Bundle("sign_ups")
    resets = Bundle("resets")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.database = Database(f"sqlite:///{self.folder / 'licet.sqlite3'}")
        self.clock = Clock()
        self.here, self.there = (
            make_parts(
                self.database,
                self.folder,
                clock=self.clock,
                limits=UNLIMITED,
                session_seconds=10**6,
            )
            for _ in range(2)
        )
        self.people, self.open, self.waiting = {}, {}, {}

    @initialize()
    def migrate(self):
        upgrade(self.database)

    def teardown(self):
        for parts in (self.here, self.there):
            assert parts.outbox.wait(10)
        self.database.close()
        shutil.rmtree(self.folder)

    def person(self, email, password):
        """Who may come in with these, or None."""
        found = self.people.get(email)
        is_let_in = found is not None and found.password == password and not found.is_blocked
        return found if is_let_in else None

    def end_all(self, person, *, links_too=False):
        if links_too:
            person.links.clear()
        self.open = {key: held for key, held in self.open.items() if held["person"] is not person}

    @rule(target=sign_ups, email=_emails, password=_passwords)
    def sign_up(self, email, password):
        if email in self.people:
            credentials.sign_up(self.here, asked(email, password))
            return ""
        secret = mailed_sign_up(self.here, email, password)
        self.waiting = {key: made for key, made in self.waiting.items() if made[0] != email}
        self.waiting[secret] = (email, password)
        return secret

    @rule(secret=sign_ups, password=_passwords)
    def confirm(self, secret, password):
        try:
            answered = ConfirmAddress.model_construct(token=secret, password=password)
            credentials.confirm_address(self.here, answered)
        except InvalidLink:
            assert secret not in self.waiting
        except InvalidCredentials:
            assert self.waiting[secret][1] != password
        else:
            email, expected = self.waiting[secret]
            assert password == expected
            assert email not in self.people
            self.people[email] = Person(password)
            self.waiting = {key: made for key, made in self.waiting.items() if made[0] != email}

    @rule(target=opened, email=_emails, password=_passwords, with_cookie=st.booleans())
    def sign_in(self, email, password, with_cookie):
        expected, number = self.person(email, password), next(_session_numbers)
        held = {"person": expected}
        try:
            if with_cookie:
                body = SignIn(email=email, password=password)
                held["cookie"] = sessions.open_with_cookie(self.here, body, NOWHERE)
            else:
                found = grant(self.here, password, email=email)
                held |= {"access": found.access_token, "refresh": found.refresh_token, "used": []}
        except InvalidCredentials:
            assert expected is None
        else:
            assert expected is not None
            self.open[number] = held
        return number, held

    @rule(made=opened)
    def refresh(self, made):
        number, held = made
        if "refresh" not in held:
            return
        try:
            found = sessions.refresh(self.here, held["refresh"])
        except InvalidToken:
            assert number not in self.open
        else:
            assert number in self.open
            held["used"].append(held["refresh"])
            held["access"], held["refresh"] = found.access_token, found.refresh_token

    @rule(made=opened, which=st.integers(0, 5))
    def refresh_again(self, made, which):
        number, held = made
        if held.get("used"):
            try:
                sessions.refresh(self.here, held["used"][which % len(held["used"])])
            except InvalidToken:
                self.open.pop(number, None)
            else:
                raise AssertionError("a refresh token was good twice")

    @rule(made=opened)
    def sign_out(self, made):
        number, held = made
        if "refresh" in held:
            sessions.sign_out_token(self.here, held["refresh"])
            self.open.pop(number, None)

    @rule(email=_emails)
    def sign_out_everywhere(self, email):
        account = self.here.store.find(email)
        assert (account is not None) == (email in self.people)
        if account is not None:
            sessions.sign_out_everywhere(self.here, account.id)
            self.end_all(self.people[email])

    @rule(email=_emails, old=_passwords, new=_passwords)
    def change_password(self, email, old, new):
        account, expected = self.here.store.find(email), self.person(email, old)
        if account is None:
            return
        body = ChangePassword(current_password=old, new_password=new)
        try:
            credentials.change_password(self.here, account.id, body)
        except InvalidCredentials:
            assert expected is None
        else:
            expected.password = new
            self.end_all(expected, links_too=True)

    @rule(target=resets, email=_emails)
    def ask_reset(self, email):
        person = self.people.get(email)
        if person is None or person.is_blocked:
            credentials.ask_reset(self.here, email)
            return ""
        secret = mailed_reset(self.here, email)
        person.links.add(secret)
        return secret

    @rule(secret=resets, password=_passwords)
    def reset(self, secret, password):
        person = next((p for p in self.people.values() if secret in p.links), None)
        body = ResetPassword(token=secret or "x", password=password)
        try:
            credentials.reset_password(self.here, body)
        except InvalidLink:
            assert person is None
        else:
            person.password = password
            self.end_all(person, links_too=True)

    @rule(email=_emails, blocked=st.booleans())
    def set_blocked(self, email, blocked):
        found = credentials.set_blocked(self.here, email, blocked=blocked)
        assert found == (email in self.people)
        if found:
            self.people[email].is_blocked = blocked
            self.end_all(self.people[email], links_too=True)

    @rule(email=_emails, password=_passwords)
    def delete(self, email, password):
        account, expected = self.here.store.find(email), self.person(email, password)
        if account is None:
            return
        try:
            credentials.delete_account(self.here, account.id, password)
        except InvalidCredentials:
            assert expected is None
        else:
            self.end_all(self.people.pop(email))

    @rule()
    def rotate_keys(self):
        self.here.issuer.rotate()

    @rule(made=opened)
    def every_process_agrees(self, made):
        number, held = made
        self.clock.now += 2
        for parts in (self.here, self.there):
            assert self.lets_in(parts, held) == (number in self.open)

    def lets_in(self, parts, held):
        if "cookie" in held:
            return sessions.session_of_cookie(parts, held["cookie"]) is not None
        try:
            verifier(parts).verify(held.get("access", "none"))
        except InvalidToken:
            return False
        return True

    @invariant()
    def this_process_knows_at_once(self):
        for held in self.open.values():
            assert self.lets_in(self.here, held)


TestAccountMachine = AccountMachine.TestCase
TestAccountMachine.settings = settings(
    max_examples=count(quick=10, full=300), stateful_step_count=30, deadline=None
)
