"""Beginning and finishing a sign-in at a foreign provider, and the sessions that come of it.

A sign-in belongs to the browser that began it, which has a secret in a cookie, and to one provider.
What the provider is sent (state, nonce, code challenge) is made from that secret, so that the
database holds nothing with which somebody could finish it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from licet.authn.identity import Identity, group_principals
from licet.authn.secret import digest_of
from licet.authn.sign_in.code_flow import Challenge, CodeFlow
from licet.authn.sign_in.store import ForeignSession, SignInStore
from licet.authn.throttle import AddressThrottle, Limit
from licet.errors import ObjectNotFound, SignInFailed

__all__ = [
    "ATTEMPT_SECONDS",
    "COOKIE_KIND",
    "Finished",
    "SignInParts",
    "begin",
    "find_session",
    "finish",
    "new_secret",
]

COOKIE_KIND: Final = "f"
ATTEMPT_SECONDS: Final = 600
LIMIT: Final = Limit(attempts=100, seconds=900)
MAX_STATE_CHARS: Final = 256
# What is about the token, and not about the person.
_OF_THE_TOKEN: Final = frozenset(
    {"aud", "azp", "at_hash", "c_hash", "s_hash", "exp", "iat", "nbf", "jti", "nonce"}
)


@dataclass(frozen=True, kw_only=True)
class SignInParts:
    """Everything that sign-in needs, passed in.

    `flows` are the providers by name; `grantable` gives the scopes that a session has; `clock`
    seconds since the epoch.
    """

    flows: Mapping[str, CodeFlow]
    store: SignInStore
    session_seconds: int
    grantable: Callable[[], Iterable[str]] = tuple
    addresses: AddressThrottle = field(default_factory=AddressThrottle)
    clock: Callable[[], float] = time.time

    def now(self) -> int:
        """Whole seconds since the epoch."""
        return int(self.clock())

    def flow(self, name: str) -> CodeFlow:
        """The flow of the provider called `name`.

        Raises:
            ObjectNotFound: there is none.
        """
        found = self.flows.get(name)
        if found is None:
            raise ObjectNotFound("There is no such provider to sign in at.")
        return found


class Finished(NamedTuple):
    """What a browser gets when its sign-in is done."""

    cookie: str
    next_path: str


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def begin(
    parts: SignInParts, name: str, secret: str, next_path: str, network_address: str | None
) -> str:
    """Where to send a browser whose cookie holds `secret`.

    Raises:
        ObjectNotFound: there is no such provider.
        AuthenticationUnavailable: it does not answer.
        TooManyAttempts: too many sign-ins began at this address.
    """
    flow = parts.flow(name)
    parts.addresses.count("sign-in", network_address, LIMIT)
    state = new_secret()
    url = flow.begin(Challenge(secret, state))
    now = parts.now()
    parts.store.purge(now)
    parts.store.add_attempt(_key(name, secret, state), next_path, now + ATTEMPT_SECONDS)
    return url


def finish(
    parts: SignInParts, name: str, secret: str | None, answer: Mapping[str, str]
) -> Finished:
    """The new session of a browser that comes back from a provider with `answer`.

    Whatever comes of it, the same answer is good for nothing afterwards.

    Raises:
        ObjectNotFound, AuthenticationUnavailable: as `begin`.
        SignInFailed: this browser began no such sign-in, or the answer does not hold.
        SignInDeclined: the person or the provider did not want to.
    """
    flow = parts.flow(name)
    state = answer.get("state", "")
    if secret is None or not 0 < len(state) <= MAX_STATE_CHARS or not state.isascii():
        raise SignInFailed
    next_path = parts.store.take_attempt(_key(name, secret, state), parts.now())
    if next_path is None:
        raise SignInFailed
    identity = flow.finish(answer, Challenge(secret, state))
    return Finished(_open(parts, name, identity), next_path)


def _key(name: str, secret: str, state: str) -> str:
    return digest_of(f"{name}\n{secret}\n{state}")


def _open(parts: SignInParts, name: str, identity: Identity) -> str:
    cookie = f"{COOKIE_KIND}.{new_secret()}"
    session = ForeignSession(
        cookie_hash=digest_of(cookie),
        principal=identity.principal,
        provider=name,
        scope=" ".join(dict.fromkeys(parts.grantable())),
        claims=_of_the_person(identity.claims),
    )
    now = parts.now()
    parts.store.open(session, now, now + parts.session_seconds)
    return cookie


def _of_the_person(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in _OF_THE_TOKEN}


def find_session(parts: SignInParts, cookie: str) -> tuple[Identity, ForeignSession] | None:
    """Whom a cookie stands for; None when the session ended, or its provider is no longer ours."""
    session = parts.store.find(digest_of(cookie), parts.now())
    flow = None if session is None else parts.flows.get(session.provider)
    if session is None or flow is None or session.claims["iss"] != flow.settings.issuer:
        return None
    settings, claims = flow.settings, session.claims
    identity = Identity(
        issuer=settings.issuer,
        subject=claims["sub"],
        principal=session.principal,
        principals=group_principals(
            claims.get("groups") or (),
            issuer=None if settings.groups_are_local else settings.issuer,
        ),
        scopes=frozenset(session.scope.split()),
        claims=claims,
    )
    return identity, session
