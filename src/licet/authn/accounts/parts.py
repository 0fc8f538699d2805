"""What the operations on accounts are made of, and what they share."""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from licet.authn.accounts.documents import address_key
from licet.authn.accounts.mail import Mail, MailTransport, Outbox
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.records import Account, Mark
from licet.authn.accounts.revocation import Revocations
from licet.authn.accounts.store import AccountStore
from licet.authn.secret import Secret, digest_of
from licet.authn.throttle import (
    UNKNOWN_NETWORK,
    AddressThrottle,
    Limits,
    network_of,
    throttle_key,
)
from licet.authn.tokens.issuer import EmbeddedIssuer
from licet.errors import InvalidCredentials, InvalidToken

__all__ = [
    "KNOWN_SECONDS",
    "NOWHERE",
    "AccountParts",
    "Place",
]

KNOWN_SECONDS: Final = 90 * 24 * 3600


class Place(NamedTuple):
    """Where a caller is: their network address, and the secret of their browser's device cookie.

    The address is None where nobody came over a network.
    """

    network_address: str | None
    device: str | None = None


NOWHERE: Final = Place(None)


@dataclass(frozen=True, kw_only=True)
class AccountParts:
    """Everything that the operations need, passed in.

    `public_url` is where people reach the service, the issuer's URL when it is not given; strangers
    may sign up where `sign_up_is_open`; `grantable` gives the scopes that a session may have;
    `before_deletion` is called with the id of an account that its owner deletes; `clock` seconds
    since the epoch.
    """

    store: AccountStore
    issuer: EmbeddedIssuer
    passwords: Passwords
    revocations: Revocations
    mail: MailTransport
    session_seconds: int
    public_url: str = ""
    sign_up_is_open: bool = False
    grantable: Callable[[], Iterable[str]] = tuple
    outbox: Outbox = field(default_factory=Outbox)
    addresses: AddressThrottle = field(default_factory=AddressThrottle)
    limits: Limits = field(default_factory=Limits)
    before_deletion: Sequence[Callable[[str], None]] = ()
    clock: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = os.urandom

    def now(self) -> int:
        """Whole seconds since the epoch."""
        return int(self.clock())

    @property
    def base_url(self) -> str:
        """What the links in mails begin with."""
        return self.public_url or self.issuer.issuer

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

    def count_mail(self, email: str, place: Place) -> None:
        """Count one more mail to this address, whether it has an account or not.

        Raises:
            TooManyAttempts: for this address, or from that network.
        """
        self.addresses.count("mail", place.network_address, self.limits.mails_by_address)
        key = throttle_key("mail", self._counted_as(email, place))
        self.store.count_attempt(key, self.limits.mails, self.now())

    def count_confirmation(self, token_hash: str, place: Place) -> None:
        """Count one more password that is tried with a mail's link.

        Raises:
            TooManyAttempts: with this link, or from that address.
        """
        self.addresses.count("password", place.network_address, self.limits.passwords_by_address)
        key = throttle_key("confirm", token_hash)
        self.store.count_attempt(key, self.limits.passwords, self.now())

    def checked_account(self, email: str, password: str, place: Place) -> Account:
        """The account of this address, if the password is its own and it is not blocked.

        Takes as long for an account that does not exist. A device or network from which somebody
        signed in to the account is counted for itself, so that others' guesses keep it out never.

        Raises:
            InvalidCredentials: something is not right; what, is not told.
            TooManyAttempts: for this account, existing or not, or from that network.
        """
        self.addresses.count("password", place.network_address, self.limits.passwords_by_address)
        key = throttle_key("password", self._counted_as(email, place))
        account = self._verified(email, password, key)
        for known in _keys_of(email, place):
            self.store.remember(known, self.now() + KNOWN_SECONDS)
        return account

    def _verified(self, email: str, password: str, key: str) -> Account:
        self.store.count_attempt(key, self.limits.passwords, self.now())
        account, exists = self.store.find_or_decoy(address_key(email), self.passwords.decoy)
        is_right = self.passwords.verify(account.password_hash, password)
        if not (is_right and exists and account.blocked_at is None):
            raise InvalidCredentials
        self.store.forget_attempts(key)
        return account

    def _counted_as(self, email: str, place: Place) -> str:
        """The account's key; or that of a device or network known to it, which counts apart."""
        now = self.now()
        known = (key for key in _keys_of(email, place) if self.store.is_known(key, now))
        return next(known, address_key(email))

    def sender_of(self, token_hash: str, place: Place) -> str | None:
        """The key of a refresh token's use from this network; None where there is no network."""
        if place.network_address is None:
            return None
        return throttle_key("refresh", f"{token_hash}\n{network_of(place.network_address)}")

    def forget_attempts(self, email: str) -> None:
        """Start counting anew, since the password was set."""
        self.store.forget_attempts(throttle_key("password", address_key(email)))

    def rechecked_account(self, account_id: str, password: str, place: Place) -> Account:
        """The account of somebody signed in, who gives the password once more.

        Their attempts are counted apart: nobody who is not signed in can use them up.

        Raises:
            InvalidToken: the account was deleted meanwhile.
            InvalidCredentials, TooManyAttempts: as `checked_account`.
        """
        account = self.store.get(account_id)
        if account is None:
            raise InvalidToken("The account was deleted.")
        self.addresses.count("password", place.network_address, self.limits.passwords_by_address)
        return self._verified(account.email, password, throttle_key("recheck", account_id))


def _keys_of(email: str, place: Place) -> list[str]:
    """Under what a device and a network are known to an account."""
    owner = address_key(email)
    named = {"device": place.device, "network": place.network_address}
    if place.network_address is not None:
        network = network_of(place.network_address)
        named["network"] = None if network == UNKNOWN_NETWORK else network
    return [
        throttle_key(f"known {kind}", f"{owner}\n{name}") for kind, name in named.items() if name
    ]
