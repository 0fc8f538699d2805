"""The file with the embedded issuer's keys: made at first start, rotated, noticed by all.

The first key signs. A key that was replaced stays with its public half only, until every token that
it signed has expired. Each use looks whether the file is another than before, so that a rotation
counts in running processes with their next token.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet

from licet.errors import ConfigurationError

__all__ = ["ALGORITHM", "KEEP_SECONDS", "KEY_FILE", "KeyFile"]

log = logging.getLogger(__name__)
KEY_FILE: Final = "licet-signing-keys.json"
ALGORITHM: Final = "ES256"
KEEP_SECONDS: Final = 24 * 3600 + 60  # no token is made for longer than a day

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class _Loaded:
    keys: Sequence[Key]
    retired: dict[str, float]  # key id: when it was replaced
    signature: Signature | None  # of the file that was read; None when it changed while it was


class KeyFile:
    """The keys of one file; `was_made` is whether the file was not there before.

    Raises:
        ConfigurationError: at first, when the file cannot be read or made. A file that is damaged
            later is logged, and the keys that were read before stay in use.

    Concurrency: safe from many threads and processes.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path: Final = path.absolute()
        self.was_made: Final = not path.exists()
        self._clock = clock
        self._lock = threading.Lock()
        self._told: Signature | None = None
        self._loaded = _load_or_make(self.path)

    def current(self) -> list[Key]:
        """The key that signs, then those that were replaced not long ago."""
        signature = _signature(self.path)
        if signature != self._loaded.signature and signature is not None:
            self._reload(signature)
        loaded = self._loaded
        if not loaded.retired:
            return list(loaded.keys)
        oldest = self._clock() - KEEP_SECONDS
        return [k for k in loaded.keys if loaded.retired.get(str(k.kid), oldest + 1) > oldest]

    def _reload(self, signature: Signature) -> None:
        with self._lock:
            if signature in (self._loaded.signature, self._told):
                return
            try:
                self._loaded = _load_or_make(self.path)
            except ConfigurationError as error:
                self._told = signature
                log.error("%s The keys in use stay in use.", error)  # noqa: TRY400 - one line tells it

    def rotate(self) -> None:
        """Put a new key first, and keep the others' public halves.

        Raises:
            ConfigurationError: the file cannot be read or written.
        """
        try:
            with _exclusive(self.path.parent):
                self._rotate()
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _rotate(self) -> None:
        now = self._clock()
        before = _load_or_make(self.path)
        since = {str(key.kid): before.retired.get(str(key.kid), now) for key in before.keys}
        kept = [key for key in before.keys if since[str(key.kid)] > now - KEEP_SECONDS]
        retired = {str(key.kid): since[str(key.kid)] for key in kept}
        with _draft(self.path, [_new_key(), *map(_public, kept)], retired) as draft:
            draft.replace(self.path)


def _public(key: Key) -> dict[str, Any]:
    return key.as_dict(private=False)


def _new_key() -> dict[str, Any]:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return key.as_dict(private=True)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """The folder's lock, which only rotations take."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _signature(path: Path) -> Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _unusable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The signing keys {path} cannot be read or made ({error.strerror}): make the folder "
        "writable, or set LICET_INSTANCE_PATH to one that is."
    )


def _load_or_make(path: Path) -> _Loaded:
    try:
        if not path.exists():
            _make(path)
        before = _signature(path)
        stored = json.loads(path.read_text(encoding="utf-8"))
        keys = _usable_keys(stored)
        retired = {str(kid): float(at) for kid, at in stored.get("retired", {}).items()}
    except OSError as error:
        raise _unusable(path, error) from error
    except (ValueError, TypeError, LookupError, RecursionError, JoseError, AttributeError) as error:
        raise ConfigurationError(
            f"The signing keys {path} are damaged: restore the file, or delete it to have new "
            "keys made (tokens in use are then refused)."
        ) from error
    return _Loaded(keys, retired, before if before == _signature(path) else None)


def _usable_keys(stored: Any) -> list[Key]:
    """The stored keys; the first of them is tried, since it is the one that signs."""
    found = KeySet.import_key_set(stored)
    jwt.encode({"alg": ALGORITHM}, {}, found.keys[0])
    return list(found.keys)


def _make(path: Path) -> None:
    """Write a new key file; of two processes that do so at once, the first wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _draft(path, [_new_key()], {}) as draft, suppress(FileExistsError):
        os.link(draft, path)


@contextmanager
def _draft(path: Path, keys: list[dict[str, Any]], retired: dict[str, float]) -> Iterator[Path]:
    """A whole file beside the real one, to be put in its place; gone at the end."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"keys": keys, "retired": retired} if retired else {"keys": keys}, file)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
