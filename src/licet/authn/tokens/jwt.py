"""Signed tokens: from compact text to an `Identity`, or a refusal.

Decides whether a token is genuine, in time and meant for us. Leaves to others what the caller may
do. The keys come from outside (`KeySource`): the embedded issuer's own, or those that an OpenID
provider publishes.

Source: RFC 7519, RFC 9068, RFC 8725, OpenID Connect Core 1.0 section 3.1.3.7.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import httpx2
from cachetools import LRUCache
from joserfc.jwk import Key

from licet.authn.identity import Identity, group_principals, identity_principal
from licet.authn.tokens._claims import ClaimRules, RefusalLog, TokenUse
from licet.authn.tokens._jwks import ProviderKeys
from licet.authn.tokens._jws import (
    ASYMMETRIC_ALGORITHMS,
    check_signature,
    decode_compact,
    json_object,
)
from licet.authn.tokens.bearer import MAX_TOKEN_BYTES
from licet.errors import ConfigurationError, InvalidToken
from licet.errors.names import knows_its_options
from licet.wire.text import shown

__all__ = ["JWTVerifier", "KeySource"]

_CACHE_ENTRIES: Final = 4096
_CACHE_SECONDS: Final = 30.0


class KeySource(Protocol):
    """Where the public keys of an issuer are; `place`, if it has one, says so in the log."""

    def key(self, kid: str) -> Key | None:
        """The public key with this id, or None."""
        ...


class JWTVerifier:
    """Turns tokens of one issuer into identities.

    Args:
        issuer, audience: what ``iss`` must be and ``aud`` must contain.
        algorithms: the accepted signature algorithms; asymmetric ones only.
        keys: the issuer's public keys; those that it publishes, when nothing is given.
        token_use: ``access`` takes access tokens (``typ`` at+jwt), ``id`` takes ID tokens whose
            audience is a client id. Neither takes the other's.
        takes_plain_type: also take access tokens whose ``typ`` is JWT or missing, for issuers that
            cannot do RFC 9068; what shows itself to be an ID token is still refused.
        email_is_key: refuse tokens without a verified email: for apps that know people by
            `verified_email`.
        local_issuer: the issuer whose subjects are our own accounts, and its groups our own.
        groups_are_local: whether another issuer's ``groups`` are our own groups of these names;
            else each is a group of that issuer's (`group_principal` with its ``issuer``).
        transport, allow_http: see `ProviderKeys`, which fetches published keys.
        clock: seconds since the epoch.

    Concurrency: one verifier serves all threads; a token may be verified twice when two threads
    meet it first at once.

    Raises:
        ConfigurationError: issuer, audience or algorithms are missing or cannot be.
    """

    @knows_its_options
    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Collection[str],
        keys: KeySource | None = None,
        token_use: TokenUse = "access",  # noqa: S107 - no password
        takes_plain_type: bool = False,
        email_is_key: bool = False,
        local_issuer: str | None = None,
        groups_are_local: bool = False,
        transport: httpx2.BaseTransport | None = None,
        allow_http: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = _required("issuer", issuer)
        self.audience = _required("audience", audience)
        self.algorithms = _asymmetric(algorithms)
        self.keys: KeySource = keys or ProviderKeys(
            issuer, transport=transport, clock=clock, allow_http=allow_http
        )
        self.token_use: TokenUse = token_use
        self.takes_plain_type = takes_plain_type
        self._rules = ClaimRules(
            issuer=issuer,
            audience=audience,
            token_use=token_use,
            takes_plain_type=takes_plain_type,
            email_is_key=email_is_key,
        )
        self._local_issuer = local_issuer
        are_ours = groups_are_local or issuer == local_issuer
        self._groups_issuer = None if are_ours else issuer
        self._clock = clock
        self._refusals = RefusalLog(clock)
        self._lock = threading.Lock()
        self._seen: LRUCache[bytes, tuple[Identity, float]] = LRUCache(_CACHE_ENTRIES)

    def verify(self, token: str) -> Identity:
        """The identity that `token` vouches for.

        Raises:
            InvalidToken: the token is not genuine, not in time, or not meant for us.
            AuthenticationUnavailable: the issuer's keys cannot be had.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            seen = self._seen.get(digest)
        now = self._clock()
        if seen is not None and now < seen[1]:
            return seen[0]
        claims = self._verified_claims(token, now)
        identity = self._identity(claims)
        with self._lock:
            self._seen[digest] = (identity, min(now + _CACHE_SECONDS, claims["exp"]))
        return identity

    def forget(self) -> None:
        """Verify every token anew: for tests, and after a key or a token was withdrawn."""
        with self._lock:
            self._seen.clear()

    def _verified_claims(self, token: str, now: float) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken(f"The bearer token is longer than {MAX_TOKEN_BYTES} bytes.")
        compact = decode_compact(token)
        self._rules.check_header(compact.header)
        algorithm, kid = compact.header.get("alg"), compact.header.get("kid")
        if algorithm not in self.algorithms or not isinstance(kid, str):
            raise InvalidToken("The bearer token is not signed in an accepted way.")
        # Before the key is looked up: no token of another issuer has our issuer's keys fetched.
        claims = json_object(compact.payload, "claims")
        if claims.get("iss") != self.issuer:
            self._refusals.tell(
                "A token was refused: its issuer is %s, and only %s is accepted.",
                shown(claims.get("iss")),
                self.issuer,
            )
        self._rules.check_claims(claims, now)
        key = self.keys.key(kid)
        if key is None:
            self._refusals.tell(
                "A token of %s was refused: it is signed with the key %s, which is not in %s. It "
                "was made elsewhere, or its key was replaced.",
                self.issuer,
                shown(kid),
                getattr(self.keys, "place", "the keys of its issuer"),
            )
            raise InvalidToken(
                "The bearer token is signed with an unknown key: it was made elsewhere, or its key "
                "was replaced."
            )
        check_signature(compact, key)
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        return Identity(
            issuer=claims["iss"],
            subject=claims["sub"],
            principal=identity_principal(
                claims["iss"], claims["sub"], local_issuer=self._local_issuer
            ),
            principals=group_principals(claims.get("groups") or (), issuer=self._groups_issuer),
            scopes=frozenset(claims.get("scope", "").split()),
            claims=claims,
        )


def _required(name: str, value: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"JWTVerifier needs {name}; it is {value!r}.")
    return value


def _asymmetric(algorithms: Collection[str]) -> tuple[str, ...]:
    listed = [algorithms] if isinstance(algorithms, str) else sorted(algorithms)
    if not listed or listed == [""]:
        raise ConfigurationError(f"JWTVerifier needs algorithms; they are {algorithms!r}.")
    if unknown := [name for name in listed if name not in ASYMMETRIC_ALGORITHMS]:
        raise ConfigurationError(
            f"JWTVerifier cannot accept {', '.join(unknown)}: only asymmetric algorithms "
            f"({', '.join(sorted(ASYMMETRIC_ALGORITHMS))}) fit published keys."
        )
    return tuple(listed)
