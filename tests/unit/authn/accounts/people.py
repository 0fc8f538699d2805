"""Accounts for the tests: cheap passwords, a clock that is set, and mails that are kept."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from argon2 import PasswordHasher
from tests.unit.authn.made_tokens import AUDIENCE, ISSUER, Clock

from licet.authn import EmbeddedIssuer, JWTVerifier
from licet.authn.accounts.credentials import ask_reset, create_account, sign_up
from licet.authn.accounts.documents import SignIn, SignUp
from licet.authn.accounts.parts import AccountParts, Place
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.revocation import AccountTokenVerifier, Revocations
from licet.authn.accounts.sessions import sign_in
from licet.authn.accounts.store import AccountStore
from licet.authn.throttle import AddressThrottle

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
EMAIL = "Ann@example.org"
PASSWORD = "correct horse"


class Mails:
    """A transport that keeps what it is given."""

    def __init__(self):
        self.sent = []

    def send(self, mail):
        """Keep it."""
        self.sent.append(mail)

    def secret(self):
        """The secret of the newest mail's link."""
        return re.search(r"token=([\w-]+)", self.sent[-1].text)[1]


def make_parts(database, folder: Path, *, clock=None, **changes) -> AccountParts:
    """Accounts of one process, in this database, with keys in this folder."""
    clock = clock or Clock()
    store = AccountStore(lambda: database, mark_seconds=960)
    issuer = EmbeddedIssuer(issuer=ISSUER, audience=AUDIENCE, folder=folder, clock=clock)
    parts = AccountParts(
        store=store,
        issuer=issuer,
        passwords=Passwords(CHEAP),
        revocations=Revocations(store.marks_after, clock=clock, monotonic=clock),
        mail=Mails(),
        addresses=AddressThrottle(clock=clock),
        session_seconds=3600,
        sign_up_is_open=True,
        grantable=lambda: ["read", "write"],
        clock=clock,
    )
    return replace(parts, **changes)


def verifier(parts: AccountParts) -> AccountTokenVerifier:
    """What checks the tokens of these accounts."""
    jwt = JWTVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset({"ES256"}),
        keys=parts.issuer,
        local_issuer=ISSUER,
        clock=parts.clock,
    )
    return AccountTokenVerifier(jwt, parts.revocations)


def asked(email=EMAIL, password=PASSWORD) -> SignUp:
    """A sign-up."""
    return SignUp(email=email, password=password)


def ann(parts: AccountParts, *, email=EMAIL, password=PASSWORD, is_admin=False):
    """An account."""
    return create_account(parts, asked(email, password), is_admin=is_admin)


def grant(parts: AccountParts, password=PASSWORD, *, email=EMAIL, scope=None, address=None):
    """The tokens of a new session."""
    return sign_in(parts, SignIn(email=email, password=password, scope=scope), Place(address))


def mailed_sign_up(parts: AccountParts, email=EMAIL, password=PASSWORD) -> str:
    """Sign up; the secret of the mail."""
    sign_up(parts, asked(email, password))
    assert parts.outbox.wait(10)
    return parts.mail.secret()


def mailed_reset(parts: AccountParts, email=EMAIL) -> str:
    """Ask for a new password; the secret of the mail."""
    ask_reset(parts, email)
    assert parts.outbox.wait(10)
    return parts.mail.secret()


@contextmanager
def quiet_end(parts: AccountParts):
    """Let what was submitted end, so that no thread outlives its test."""
    yield parts
    assert parts.outbox.wait(10)
