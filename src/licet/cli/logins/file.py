"""The file with one's sign-ins: readable by nobody else, written whole, used by one at a time.

Source: XDG Base Directory Specification (where it is).
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from licet.errors import UsageError

__all__ = ["Kind", "Login", "LoginKey", "LoginsFile"]

FILE: Final = "logins.json"
LOCK: Final = "logins.lock"
LOCK_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 0.02


class Kind(StrEnum):
    """How a sign-in is renewed and ended."""

    ACCOUNT = "account"  # at the endpoints of licet's own accounts
    OPENID = "openid"  # at the endpoints of RFC 6749 and RFC 7009


class LoginKey(NamedTuple):
    """One person is signed in at one issuer for one service at most once."""

    issuer: str
    resource: str


class Login(BaseModel):
    """One sign-in. No token is in its ``repr``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    kind: Kind = Field(strict=False)
    issuer: str
    resource: str
    who: str
    scope: str
    client_id: str | None = None
    audience: str | None = None
    token_endpoint: str
    revocation_endpoint: str | None
    access_token: str = Field(repr=False)
    renew_at: float
    refresh_token: str | None = Field(repr=False)

    @property
    def key(self) -> LoginKey:
        """What it is found by."""
        return LoginKey(self.issuer, self.resource)


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    version: int = Field(default=1, ge=1, le=1)
    logins: tuple[Login, ...] = ()


class LoginsFile:
    """One's sign-ins, newest first.

    Args:
        folder: where the file is; the user's configuration folder by default.

    Concurrency: `read` sees a whole file at any time; changes are made under `exclusive`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder or Path(click.get_app_dir("licet"))
        self._path = self._folder / FILE
        self._monotonic = monotonic
        self._sleep = sleep

    def read(self) -> tuple[Login, ...]:
        """Every sign-in.

        Raises:
            UsageError: others may read the file, or it is damaged.
        """
        try:
            with self._path.open("rb") as file:
                self._check(os.fstat(file.fileno()))
                return _Stored.model_validate_json(file.read()).logins
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}") from error
        except ValidationError:
            raise UsageError(f"{self._path} is damaged: delete it, and sign in again.") from None

    def _check(self, found: os.stat_result) -> None:
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise UsageError(
                f"{self._path} holds tokens, and others may read or change it: delete it and sign "
                f"in again, or, if you trust it, chmod 600 {self._path}"
            )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """While it lasts, no other process changes the file, or uses a refresh token of it.

        Raises:
            UsageError: the folder cannot be written, or another process holds on for 30 s.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be used: {error.strerror}") from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        give_up_at = self._monotonic() + LOCK_SECONDS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if self._monotonic() >= give_up_at:
                raise UsageError(f"Another process uses {self._path} for longer than 30 s.")
            self._sleep(_PAUSE_SECONDS)

    def put(self, login: Login) -> None:
        """Keep a sign-in in place of the one with its key; under `exclusive`."""
        self._write((login, *(one for one in self.read() if one.key != login.key)))

    def remove(self, key: LoginKey) -> None:
        """Forget a sign-in, if it is there; under `exclusive`."""
        self._write(tuple(one for one in self.read() if one.key != key))

    def _write(self, logins: tuple[Login, ...]) -> None:
        draft = self._path.with_name(f"{FILE}.{uuid.uuid4().hex}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_Stored(logins=logins).model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise UsageError(f"{self._path} cannot be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)
