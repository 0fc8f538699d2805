"""What the operations on accounts are made of, and what they share."""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from licet.authn.accounts.documents import address_key
from licet.authn.accounts.mail import Mail, MailTransport, Outbox
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.records import Account, Mark
from licet.authn.accounts.revocation import Revocations
from licet.authn.accounts.store import AccountStore
from licet.authn.secret import Secret, digest_of
from licet.authn.throttle import AddressThrottle, Limits, throttle_key
from licet.authn.tokens.issuer import EmbeddedIssuer
from licet.errors import InvalidCredentials, InvalidToken

__all__ = [
    "AccountParts",
]


@dataclass(frozen=True, kw_only=True)
class AccountParts:
    """Everything that the operations need, passed in.

    `grantable` gives the scopes that a session may have; `clock` seconds since the epoch.
    """

    store: AccountStore
    issuer: EmbeddedIssuer
    passwords: Passwords
    revocations: Revocations
    mail: MailTransport
    session_seconds: int
    grantable: Callable[[], Iterable[str]] = tuple
    outbox: Outbox = field(default_factory=Outbox)
    addresses: AddressThrottle = field(default_factory=AddressThrottle)
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = os.urandom

    def now(self) -> int:
        """Whole seconds since the epoch."""
        return int(self.clock())

    def new_secret(self) -> Secret:
        """A secret that nobody guesses."""
        text = base64.urlsafe_b64encode(self.random_bytes(32)).rstrip(b"=").decode("ascii")
        return Secret(text, digest_of(text))

    def new_id(self) -> str:
        """The id of an account or session."""
        return str(uuid.UUID(bytes=self.random_bytes(16), version=4))

    def revoke(self, mark: Mark | None) -> None:
        """Let a withdrawal, if it is one, count in this process now."""
        if mark is not None:
            self.revocations.add(mark)

    def post(self, mail: Mail) -> None:
        """Send a mail soon, unless too many are waiting: what it tells was done already."""
        self.outbox.offer(lambda: self.mail.send(mail))

    def count_mail(self, email: str, network_address: str | None) -> None:
        """Count one more mail to this address, whether it has an account or not.

        Raises:
            TooManyAttempts: for this address, or from that one.
        """
        self.addresses.count("mail", network_address, self.limits.mails_by_address)
        key = throttle_key("mail", address_key(email))
        self.store.count_attempt(key, self.limits.mails, self.now())

    def count_confirmation(self, token_hash: str, network_address: str | None) -> None:
        """Count one more password that is tried with a mail's link.

        Raises:
            TooManyAttempts: with this link, or from that address.
        """
        self.addresses.count("password", network_address, self.limits.passwords_by_address)
        key = throttle_key("confirm", token_hash)
        self.store.count_attempt(key, self.limits.passwords, self.now())

    def checked_account(self, email: str, password: str, network_address: str | None) -> Account:
        """The account of this address, if the password is its own and it is not blocked.

        Takes as long for an account that does not exist.

        Raises:
            InvalidCredentials: something is not right; what, is not told.
            TooManyAttempts: for this account, existing or not, or from that address.
        """
        self.addresses.count("password", network_address, self.limits.passwords_by_address)
        self.store.count_attempt(_attempts(email), self.limits.passwords, self.now())
        account, exists = self.store.find_or_decoy(address_key(email), self.passwords.decoy)
        is_right = self.passwords.verify(account.password_hash, password)
        if not (is_right and exists and account.blocked_at is None):
            raise InvalidCredentials
        self.forget_attempts(email)
        return account

    def forget_attempts(self, email: str) -> None:
        """Start counting anew, since the password was known or set."""
        self.store.forget_attempts(_attempts(email))

    def rechecked_account(
        self, account_id: str, password: str, network_address: str | None
    ) -> Account:
        """The account of somebody signed in, who gives the password once more.

        Raises:
            InvalidToken: the account was deleted meanwhile.
            InvalidCredentials, TooManyAttempts: as `checked_account`.
        """
        account = self.store.get(account_id)
        if account is None:
            raise InvalidToken("The account was deleted.")
        return self.checked_account(account.email, password, network_address)


def _attempts(email: str) -> str:
    return throttle_key("password", address_key(email))
