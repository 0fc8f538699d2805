"""What the store keeps and gives: frozen records of accounts, sessions and withdrawals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Account", "Mark", "NewSession", "Rotation", "Session"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody whose address was confirmed. Neither address nor hash is in its ``repr``.

    `generation` is counted up whenever every token made so far shall end.
    """

    id: str
    email: str = field(repr=False)
    password_hash: str = field(repr=False)
    is_admin: bool
    generation: int
    created_at: int
    blocked_at: int | None

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the account's tokens carry."""
        return ("admin",) if self.is_admin else ()


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session to be opened: with a cookie or with a first refresh token, both as hashes."""

    id: str
    scope: str
    created_at: int
    expires_at: int
    cookie_hash: str | None = None
    refresh_hash: str | None = None


class Session(NamedTuple):
    """A session that goes on, and whose it is."""

    id: str
    scope: str
    account: Account


class Mark(NamedTuple):
    """One withdrawal; `session_id` is empty when it is about a whole account."""

    serial: int
    account_id: str
    session_id: str
    generation: int
    expires_at: int  # when every token that it is about has expired anyway


class Rotation(NamedTuple):
    """What became of a refresh token: its session, or the withdrawal of a family, or neither."""

    session: Session | None = None
    reused: Mark | None = None
