"""The file with the embedded issuer's keys: made at first start, rotated, noticed by all.

The first key signs. The second is the next to sign: it is published long before it does, so that
other services know it by then. A key that was replaced stays with its public half only, until every
token that it signed has expired; one that leaked is dropped at once. Each use looks whether the
file is another than before, so that a rotation counts in running processes with their next token.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import stat
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
KEEP_SECONDS: Final = 24 * 3600 + 60  # at least; longer where tokens are good for longer
_OTHERS: Final = 0o077  # whoever is not the owner

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class _Loaded:
    keys: Sequence[Key]
    retired: dict[str, float]  # key id: when it was replaced
    signature: Signature | None  # of the file that was read; None when it changed while it was

    @property
    def following(self) -> Key | None:
        """The next key to sign; None in a file of a version that published none."""
        return next((key for key in self.keys[1:] if str(key.kid) not in self.retired), None)


class KeyFile:
    """The keys of one file; `was_made` is whether the file was not there before.

    Args:
        path: of the file, which nobody but its owner may read.
        longest_token_seconds: how long a token may be good.
        clock: seconds since the epoch.

    Raises:
        ConfigurationError: at first, when the file cannot be read or made. A file that is damaged
            later is logged, and the keys that were read before stay in use.

    Concurrency: safe from many threads and processes.
    """

    def __init__(
        self,
        path: Path,
        *,
        longest_token_seconds: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path: Final = path.absolute()
        self.was_made: Final = not path.exists()
        self._keep_seconds = max(KEEP_SECONDS, longest_token_seconds + 60)
        self._clock = clock
        self._lock = threading.Lock()
        self._told: Signature | None = None
        self._loaded = _load_or_make(self.path)

    def current(self) -> list[Key]:
        """The key that signs, the next one, then those that were replaced not long ago."""
        signature = _signature(self.path)
        if signature != self._loaded.signature and signature is not None:
            self._reload(signature)
        loaded = self._loaded
        if not loaded.retired:
            return list(loaded.keys)
        oldest = self._clock() - self._keep_seconds
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

    def rotate(self, *, revoke: bool = False) -> None:
        """Sign with the next key, publish another, and keep the public halves of former ones.

        With `revoke`, for a file that leaked, every key is new and no former one is kept.

        Raises:
            ConfigurationError: the file cannot be read or written.
        """
        try:
            with _exclusive(self.path.parent):
                self._rotate(revoke=revoke)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _rotate(self, *, revoke: bool) -> None:
        if revoke:
            with _draft(self.path, [_new_key(), _new_key()], {}) as draft:
                draft.replace(self.path)
            return
        now = self._clock()
        before = _load_or_make(self.path)
        signed, following = before.keys[0], before.following
        since = {**before.retired, str(signed.kid): now}
        kept = [
            key for key in before.keys if since.get(str(key.kid), 0.0) > now - self._keep_seconds
        ]
        retired = {str(key.kid): since[str(key.kid)] for key in kept}
        signs = _new_key() if following is None else following.as_dict(private=True)
        keys = [signs, _new_key(), *map(_public, kept)]
        with _draft(self.path, keys, retired) as draft:
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
        _refuse_readers(path)
        before = _signature(path)
        stored = json.loads(path.read_text(encoding="utf-8"))
        keys = _usable_keys(stored)
        retired = {str(kid): float(at) for kid, at in stored.get("retired", {}).items()}
    except ConfigurationError:  # which is a ValueError, too
        raise
    except OSError as error:
        raise _unusable(path, error) from error
    except (ValueError, TypeError, LookupError, RecursionError, JoseError, AttributeError) as error:
        raise ConfigurationError(
            f"The signing keys {path} are damaged: restore the file, or delete it to have new "
            "keys made (tokens in use are then refused)."
        ) from error
    return _Loaded(keys, retired, before if before == _signature(path) else None)


def _refuse_readers(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        raise ConfigurationError(
            f"The signing keys {path} are open to others than their owner (mode {mode:04o}): run "
            f"chmod 600 {path}, and licet keys rotate --revoke if somebody may have read them."
        )


def _usable_keys(stored: Any) -> list[Key]:
    """The stored keys; the first of them is tried, since it is the one that signs."""
    found = KeySet.import_key_set(stored)
    jwt.encode({"alg": ALGORITHM}, {}, found.keys[0])
    return list(found.keys)


def _make(path: Path) -> None:
    """Write a new key file; of two processes that do so at once, the first wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _draft(path, [_new_key(), _new_key()], {}) as draft, suppress(FileExistsError):
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
