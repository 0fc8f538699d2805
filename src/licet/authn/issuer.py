"""The embedded issuer: an ES256 key of the installation's own, and the tokens signed with it.

The key is made at first start in the instance folder and published like any OpenID provider's, so
that local tokens pass through the very verifier that foreign ones do.

Source: RFC 9068 (access tokens), RFC 7517 (keys), OpenID Connect Discovery 1.0.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet

from licet.errors import ConfigurationError

__all__ = ["EmbeddedIssuer", "subject_of"]

KEY_FILE: Final = "licet-signing-keys.json"
ALGORITHM: Final = "ES256"
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
        self._key_set = _load_or_make_keys(folder / KEY_FILE)

    def key(self, kid: str) -> Key | None:
        """The public half of the key with this id."""
        return next((key for key in self._key_set.keys if key.kid == kid), None)

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
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject_of(user),
            "iat": now,
            "exp": now + (self._ttl_seconds if ttl_seconds is None else ttl_seconds),
            "jti": uuid.uuid4().hex,
            "client_id": "licet",
            "preferred_username": user,
            "scope": " ".join(_checked_scopes(scopes)),
        }
        if listed := sorted(set(groups)):
            claims["groups"] = listed
        signing = self._key_set.keys[0]
        header = {"alg": ALGORITHM, "kid": signing.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, signing)

    def jwks(self) -> dict[str, Any]:
        """The public keys, as published at ``/.well-known/jwks.json``."""
        return {"keys": [key.as_dict(private=False) for key in self._key_set.keys]}

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


def _load_or_make_keys(path: Path) -> KeySet:
    try:
        if not path.exists():
            _make_keys(path)
        return _usable_keys(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError(
            f"The signing keys {path} cannot be read or made ({error.strerror}): make the folder "
            "writable, or set LICET_INSTANCE_PATH to one that is."
        ) from error
    except (ValueError, TypeError, LookupError, RecursionError, JoseError) as error:
        raise ConfigurationError(
            f"The signing keys {path} are damaged: restore the file, or delete it to have new "
            "keys made (tokens in use are then refused)."
        ) from error


def _usable_keys(stored: Any) -> KeySet:
    """The stored keys; the first of them is tried, since it is the one that signs."""
    found = KeySet.import_key_set(stored)
    jwt.encode({"alg": ALGORITHM}, {}, found.keys[0])
    return found


def _make_keys(path: Path) -> None:
    """Write a new key file; of two processes that do so at once, the first wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"keys": [key.as_dict(private=True)]}, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
