"""Several verifiers in one app: which of them a token is for.

A JWT is for the verifier of the issuer that it names. It is only a name so far: that verifier then
finds out whether the token is that issuer's. Whatever is no JWT is for the one that asks about
opaque tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from licet.authn.identity import Identity
from licet.authn.tokens._claims import RefusalLog
from licet.authn.tokens._jws import decode_compact, decode_part, json_object
from licet.authn.tokens.bearer import MAX_TOKEN_BYTES
from licet.errors import ConfigurationError, InvalidToken
from licet.wire.text import shown

__all__ = [
    "IssuerVerifier",
    "TokenGuard",
    "TokenVerifier",
    "VerifierChain",
]


class TokenVerifier(Protocol):
    """Whatever can turn a bearer token into an identity."""

    def verify(self, token: str) -> Identity:
        """The identity, or an `AuthenticationError`."""
        ...


class IssuerVerifier(TokenVerifier, Protocol):
    """A verifier of one issuer's tokens."""

    @property
    def issuer(self) -> str:
        """Whose tokens it takes."""
        ...


class VerifierChain:
    """Has each token checked by the verifier that it is for.

    Args:
        verifiers: one for each issuer whose JWTs are accepted.
        opaque: takes every token that is no JWT; without it those are refused.

    Raises:
        ConfigurationError: there is no verifier, or there are two for one issuer.
    """

    def __init__(self, *verifiers: IssuerVerifier, opaque: TokenVerifier | None = None) -> None:
        self.by_issuer = {verifier.issuer: verifier for verifier in verifiers}
        self.opaque = opaque
        self._refusals = RefusalLog(time.time)
        if len(self.by_issuer) != len(verifiers):
            raise ConfigurationError("A VerifierChain takes one verifier for each issuer.")
        if not verifiers and opaque is None:
            raise ConfigurationError("A VerifierChain without verifiers would refuse everybody.")

    @property
    def issuers(self) -> tuple[str, ...]:
        """Whose tokens it takes; a verifier of opaque tokens counts when it names its issuer."""
        named = (*self.by_issuer, getattr(self.opaque, "issuer", None))
        return tuple(dict.fromkeys(issuer for issuer in named if issuer))

    def verify(self, token: str) -> Identity:
        """The identity that `token` vouches for.

        Raises:
            InvalidToken: the token is of no known issuer, or its verifier refuses it.
            AuthenticationUnavailable: its verifier cannot check it now.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidToken(f"The bearer token is longer than {MAX_TOKEN_BYTES} bytes.")
        if not _is_jwt(token):
            return self._opaque().verify(token)
        issuer = json_object(decode_compact(token).payload, "claims").get("iss")
        verifier = self.by_issuer.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            accepted = " and ".join(self.by_issuer) or "none"
            self._refusals.tell(
                "A token was refused: its issuer is %s; accepted: %s.", shown(issuer), accepted
            )
            raise InvalidToken(
                "The bearer token comes from an issuer that is not accepted: only "
                f"{accepted} {'are' if len(self.by_issuer) > 1 else 'is'}."
            )
        return verifier.verify(token)

    def _opaque(self) -> TokenVerifier:
        if self.opaque is None:
            raise InvalidToken("The bearer token is no JWT, and no other kind is accepted.")
        return self.opaque

    def forget(self) -> None:
        """Have every token verified anew, by all verifiers that remember any."""
        for verifier in (*self.by_issuer.values(), self.opaque):
            forget = getattr(verifier, "forget", None)
            if forget is not None:
                forget()


def _is_jwt(token: str) -> bool:
    """Whether the token starts with a JOSE header, as a JWE does too."""
    head, dot, _ = token.partition(".")
    try:
        return bool(dot and json_object(decode_part(head.encode("ascii")), "header"))
    except (InvalidToken, UnicodeEncodeError):
        return False


@dataclass(frozen=True, kw_only=True)
class TokenGuard:
    """Refuses some of the embedded issuer's tokens though they are genuine.

    `wrap` does so around the embedded issuer's verifier; `check` is given the claims of a token
    that any other verifier took.
    """

    wrap: Callable[[IssuerVerifier], IssuerVerifier]
    check: Callable[[Mapping[str, Any]], None]
