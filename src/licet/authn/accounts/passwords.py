"""Passwords: how they are kept, and how long checking one takes.

Decides the hash and its parameters. For an account that does not exist, a decoy is checked instead,
the hash of a password that nobody knows, so that the answer takes as long.

Source: RFC 9106 (Argon2id; the second recommended option).
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

__all__ = ["Passwords"]

_AT_ONCE: Final = 4  # each check needs 64 MiB with the parameters of RFC 9106
_SALT_BYTES: Final = 16


class Passwords:
    """Hashes passwords and checks them.

    Args:
        hasher: the parameters; RFC 9106's for little memory when it is not given.
        random_bytes: where salts come from.

    Concurrency: four checks run at once, so that memory is bounded; others wait.
    """

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._random_bytes = random_bytes
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self.decoy: Final = self.hash(base64.b64encode(random_bytes(32)).decode("ascii"))

    def hash(self, password: str) -> str:
        """The text to keep: algorithm, parameters, salt and hash."""
        with self._slots:
            return self._hasher.hash(password, salt=self._random_bytes(_SALT_BYTES))

    def verify(self, kept: str, password: str) -> bool:
        """Whether `password` is the one that was kept."""
        with self._slots:
            try:
                return self._hasher.verify(kept, password)
            except (VerifyMismatchError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(kept)
