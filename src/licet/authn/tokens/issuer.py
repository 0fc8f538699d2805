"""The embedded issuer: an ES256 key of the installation's own, and the tokens signed with it.

The key is made at first start in the instance folder and published like any OpenID provider's, so
that local tokens pass through the very verifier that foreign ones do.

Source: RFC 9068 (access tokens), RFC 7517 (keys), OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import Key

from licet.authn.tokens.key_file import ALGORITHM, KEY_FILE, KeyFile
from licet.errors import ConfigurationError

__all__ = ["ALGORITHM", "KEY_FILE", "EmbeddedIssuer", "subject_of"]

_ACCOUNTS = uuid.UUID("0f6d3f3a-9f0f-5b7e-8a2e-53a8f6c1d2b4")
_USER_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,128}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 appendix A.4


class EmbeddedIssuer:
    """Mints and publishes; `keys` is also the verifier's `KeySource`.

    Args:
        issuer: the ``iss`` of its tokens, an http(s) URL.
        audience: their ``aud``.
        folder: where the key file is kept, with mode 0600.
        ttl_seconds: how long an access token lives when `mint` is not told otherwise.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        folder: Path,
        ttl_seconds: int = 900,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._key_file = KeyFile(folder / KEY_FILE, longest_token_seconds=ttl_seconds, clock=clock)

    @property
    def ttl_seconds(self) -> int:
        """How long an access token lives."""
        return self._ttl_seconds

    @property
    def place(self) -> str:
        """Where the keys are, for the log."""
        return f"{self.key_path} (in LICET_INSTANCE_PATH)"

    @property
    def key_path(self) -> Path:
        """The file with the keys."""
        return self._key_file.path

    @property
    def has_new_keys(self) -> bool:
        """Whether the file was made just now, so that nobody has its keys yet."""
        return self._key_file.was_made

    def key(self, kid: str) -> Key | None:
        """The public half of the key with this id."""
        return next((key for key in self._key_file.current() if key.kid == kid), None)

    def mint(
        self,
        user: str,
        scopes: Iterable[str],
        *,
        groups: Iterable[str] = (),
        ttl_seconds: int | None = None,
    ) -> str:
        """An access token for `user` that carries `scopes`.

        Raises:
            ConfigurationError: the user name or a scope has characters that it may not have.
        """
        claims: dict[str, Any] = {"preferred_username": user}
        if listed := sorted(set(groups)):
            claims["groups"] = listed
        return self.mint_for(subject_of(user), scopes, claims, ttl_seconds=ttl_seconds)

    def mint_for(
        self,
        subject: str,
        scopes: Iterable[str],
        claims: Mapping[str, Any],
        *,
        ttl_seconds: int | None = None,
    ) -> str:
        """An access token for `subject`, one of our own UUIDs, that says `claims` as well.

        Raises:
            ConfigurationError: a scope has characters that it may not have.
        """
        now = int(self._clock())
        standard: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + (self._ttl_seconds if ttl_seconds is None else ttl_seconds),
            "jti": uuid.uuid4().hex,
            "client_id": "licet",
        }
        scope = " ".join(_checked_scopes(scopes))
        signing = self._key_file.current()[0]
        header = {"alg": ALGORITHM, "kid": signing.kid, "typ": "at+jwt"}
        return jwt.encode(header, {**claims, **standard, "scope": scope}, signing)

    def rotate(self, *, revoke: bool = False) -> None:
        """Sign with the next key from now on; tokens in use stay good until they expire.

        With `revoke` the former keys leaked: no token that they signed is good any more.

        Raises:
            ConfigurationError: the key file cannot be written.
        """
        self._key_file.rotate(revoke=revoke)

    def jwks(self) -> dict[str, Any]:
        """The public keys, as published at ``/.well-known/jwks.json``."""
        return {"keys": [key.as_dict(private=False) for key in self._key_file.current()]}

    def discovery(self) -> dict[str, Any]:
        """The provider metadata, as published at ``/.well-known/openid-configuration``."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
        }


def subject_of(user: str) -> str:
    """The UUID that stands for a local user name, the same on every machine.

    Raises:
        ConfigurationError: the name is empty, too long or has other characters.
    """
    if not _USER_NAME.fullmatch(user):
        raise ConfigurationError(
            f"The user name {user!r} is not usable: 1 to 128 letters, digits or . _ @ + -"
        )
    return str(uuid.uuid5(_ACCOUNTS, user.lower()))


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    listed = list(dict.fromkeys(scopes))
    for scope in listed:
        if not _SCOPE.fullmatch(scope):
            raise ConfigurationError(f"The scope {scope!r} is not usable: no spaces or quotes.")
    return listed
