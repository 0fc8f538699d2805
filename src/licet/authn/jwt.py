"""Signed access tokens: from compact text to an `Identity`, or a refusal.

Decides whether a token is genuine, in time and meant for us. Leaves to others what the caller may
do. The keys come from outside (`KeySource`): the embedded issuer's own, or a foreign issuer's.

Source: RFC 7519, RFC 9068, RFC 8725.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from cachetools import LRUCache
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from licet.authn._claims import ClaimRules, decode_compact
from licet.authn.bearer import MAX_TOKEN_BYTES
from licet.authn.identity import Identity
from licet.authn.principals import group_principal, identity_principal, is_principal
from licet.errors import ConfigurationError, InvalidToken

__all__ = ["JWTVerifier", "KeySource"]

ASYMMETRIC_ALGORITHMS: Final = frozenset(
    {"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519"}
)
ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt"})
_CACHE_ENTRIES: Final = 4096
_CACHE_SECONDS: Final = 30.0


class KeySource(Protocol):
    """Where the public keys of an issuer are."""

    def key(self, kid: str) -> Key | None:
        """The public key with this id, or None."""
        ...


class JWTVerifier:
    """Turns access tokens of one issuer into identities.

    Args:
        issuer, audience: what ``iss`` must be and ``aud`` must contain.
        algorithms: the accepted signature algorithms; asymmetric ones only.
        keys: the issuer's public keys.
        local_issuer: the issuer whose subjects are our own accounts.
        clock: seconds since the epoch.

    Concurrency: one verifier serves all threads; a token may be verified twice when two threads
    meet it first at once.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: frozenset[str],
        keys: KeySource,
        local_issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value in (("issuer", issuer), ("audience", audience), ("algorithms", algorithms)):
            if not value:
                raise ConfigurationError(f"JWTVerifier needs {name}; it is {value!r}.")
        if unknown := sorted(algorithms - ASYMMETRIC_ALGORITHMS):
            raise ConfigurationError(
                f"JWTVerifier cannot accept {', '.join(unknown)}: only asymmetric algorithms "
                f"({', '.join(sorted(ASYMMETRIC_ALGORITHMS))}) fit published keys."
            )
        self.issuer = issuer
        self._rules = ClaimRules(issuer=issuer, audience=audience, token_types=ACCESS_TOKEN_TYPES)
        self._algorithms = sorted(algorithms)
        # Header members that nobody understands are ignored (RFC 7515 section 4).
        self._registry = jws.JWSRegistry(algorithms=self._algorithms, strict_check_header=False)
        self._keys = keys
        self._local_issuer = local_issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: LRUCache[bytes, tuple[Identity, float]] = LRUCache(_CACHE_ENTRIES)

    def verify(self, token: str) -> Identity:
        """The identity that `token` vouches for.

        Raises:
            InvalidToken: the token is not genuine, not in time, or not meant for us.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            seen = self._seen.get(digest)
        now = self._clock()
        if seen is not None and now < seen[1]:
            return seen[0]
        claims = self._verified_claims(token)
        identity = self._identity(claims)
        with self._lock:
            self._seen[digest] = (identity, min(now + _CACHE_SECONDS, claims["exp"]))
        return identity

    def forget(self) -> None:
        """Verify every token anew: for tests, and after a key was withdrawn."""
        with self._lock:
            self._seen.clear()

    def _verified_claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken(f"The bearer token is longer than {MAX_TOKEN_BYTES} bytes.")
        header, claims = decode_compact(token)
        self._rules.check_header(header)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in self._algorithms or not isinstance(kid, str):
            raise InvalidToken("The bearer token is not signed in an accepted way.")
        key = self._keys.key(kid)
        if key is None:
            raise InvalidToken("The bearer token is signed with an unknown key.")
        try:
            jws.deserialize_compact(token, key, registry=self._registry)
        except (JoseError, ValueError) as error:
            raise InvalidToken("The bearer token's signature does not hold.") from error
        self._rules.check_claims(claims, self._clock())
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        groups = claims.get("groups") or ()
        urns = (group_principal(g) for g in groups if isinstance(g, str))
        return Identity(
            issuer=claims["iss"],
            subject=claims["sub"],
            principal=identity_principal(
                claims["iss"], claims["sub"], local_issuer=self._local_issuer
            ),
            principals=frozenset(urn for urn in urns if is_principal(urn)),
            scopes=frozenset(claims.get("scope", "").split()),
            claims=claims,
        )
