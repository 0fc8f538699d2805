"""Which access tokens were withdrawn before their time.

An access token carries the session that it belongs to and the generation of its account. A mark
withdraws one session, or all tokens of an account below a generation. Marks are written to the
database; each process reads the new ones at most every two seconds, and knows its own at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from licet.authn.accounts.records import Mark
from licet.authn.identity import Identity
from licet.authn.tokens.chain import IssuerVerifier
from licet.errors import AuthenticationUnavailable, InvalidToken, StoreUnavailable

__all__ = ["ALL_GENERATIONS", "AccountTokenVerifier", "Revocations"]

MAX_AGE_SECONDS: Final = 2.0
ALL_GENERATIONS: Final = 2**31 - 1


class Revocations:
    """The marks that count.

    Args:
        read: the marks after a serial number, as the database has them.
        clock: seconds since the epoch.
        monotonic: seconds of a clock that is never set back.

    Concurrency: safe from many threads; one of them reads, the others wait for it.
    """

    def __init__(
        self,
        read: Callable[[int], Sequence[Mark]],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._fresh_until = float("-inf")
        self._serial = 0
        self._accounts: dict[str, Mark] = {}
        self._sessions: dict[str, Mark] = {}

    def is_revoked(self, account_id: str, session_id: str, generation: int) -> bool:
        """Whether a token of this account, session and generation was withdrawn.

        Raises:
            AuthenticationUnavailable: the database does not answer, so nobody can know.
        """
        if self._monotonic() >= self._fresh_until:
            self._refresh()
        mark = self._accounts.get(account_id)
        if mark is not None and generation < mark.generation:
            return True
        return session_id in self._sessions

    def check(self, claims: Mapping[str, Any]) -> None:
        """Refuse a verified token of ours, known by its claims, if it was withdrawn.

        Raises:
            InvalidToken: it was.
            AuthenticationUnavailable: as `is_revoked`.
        """
        if self.is_revoked(claims["sub"], claims.get("sid", ""), claims.get("gen", 0)):
            raise InvalidToken("The bearer token was withdrawn: sign in again.")

    def add(self, mark: Mark) -> None:
        """Let a mark that was just written count in this process now."""
        with self._lock:
            self._keep(mark)

    def _refresh(self) -> None:
        with self._lock:
            started = self._monotonic()
            if started < self._fresh_until:  # another thread was quicker
                return
            try:
                marks = self._read(self._serial)
            except StoreUnavailable as error:
                raise AuthenticationUnavailable from error
            for mark in marks:
                self._serial = max(self._serial, mark.serial)
                self._keep(mark)
            self._forget_expired()
            self._fresh_until = started + MAX_AGE_SECONDS

    def _keep(self, mark: Mark) -> None:
        if mark.session_id:
            self._sessions[mark.session_id] = mark
            return
        known = self._accounts.get(mark.account_id)
        if known is None or known.generation <= mark.generation:
            self._accounts[mark.account_id] = mark

    def _forget_expired(self) -> None:
        now = self._clock()
        # New dicts, since other threads look into the old ones without the lock.
        self._accounts = {k: m for k, m in self._accounts.items() if m.expires_at > now}
        self._sessions = {k: m for k, m in self._sessions.items() if m.expires_at > now}


class AccountTokenVerifier:
    """The embedded issuer's verifier, which also refuses what was withdrawn.

    The question is put each time, behind the cache of verified tokens.
    """

    def __init__(self, verifier: IssuerVerifier, revocations: Revocations) -> None:
        self._verifier = verifier
        self._revocations = revocations

    @property
    def issuer(self) -> str:
        """Whose tokens it takes."""
        return self._verifier.issuer

    def verify(self, token: str) -> Identity:
        """The identity that `token` vouches for, with the account's roles.

        Raises:
            InvalidToken: the token does not hold, or was withdrawn.
            AuthenticationUnavailable: the database does not answer.
        """
        identity = self._verifier.verify(token)
        self._revocations.check(identity.claims)
        roles = identity.claims.get("roles")
        return replace(identity, roles=frozenset(roles)) if roles else identity
