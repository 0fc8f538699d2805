"""Signing in, staying in and signing out.

A session has either a cookie or a family of refresh tokens, of which one at a time is good. Using
one twice means that it was stolen, by the first user or by the second: the session ends. Only a
client whose answer was lost may do so, within ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from licet.authn.accounts.documents import SignIn
from licet.authn.accounts.parts import NOWHERE, AccountParts, Place
from licet.authn.accounts.records import Account, NewSession, Session
from licet.authn.secret import digest_of
from licet.errors import InvalidCredentials, InvalidRequest, InvalidToken

__all__ = [
    "Grant",
    "claims_of",
    "open_with_cookie",
    "refresh",
    "session_of_cookie",
    "sign_in",
    "sign_out",
    "sign_out_cookie",
    "sign_out_everywhere",
    "sign_out_token",
]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a client gets: an access token, and the refresh token for the next one."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    scope: str

    def as_dict(self) -> dict[str, Any]:
        """The body of RFC 6749 section 5.1."""
        return {
            "access_token": self.access_token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "refresh_token": self.refresh_token,
            "scope": self.scope,
        }


def sign_in(parts: AccountParts, asked: SignIn, place: Place = NOWHERE) -> Grant:
    """Tokens for whoever knows the password.

    Raises:
        InvalidCredentials: address or password are not right, or the account is blocked.
        InvalidRequest: a scope that nobody can have.
        TooManyAttempts: for this account, existing or not, or from that address.
    """
    scope = _granted_scope(asked.scope, parts.grantable())
    account = _signed_in(parts, asked, place)
    secret = parts.new_secret()
    session_id = _open(parts, account, scope, refresh_hash=secret.digest)
    return _grant(parts, Session(session_id, scope, account), secret.text)


def open_with_cookie(parts: AccountParts, asked: SignIn, place: Place) -> str:
    """The secret of a browser's new cookie; otherwise as `sign_in`."""
    scope = _granted_scope(asked.scope, parts.grantable())
    account = _signed_in(parts, asked, place)
    secret = parts.new_secret()
    _open(parts, account, scope, cookie_hash=secret.digest)
    return secret.text


def _signed_in(parts: AccountParts, asked: SignIn, place: Place) -> Account:
    account = parts.checked_account(asked.email, asked.password, place)
    if parts.passwords.is_outdated(account.password_hash):
        parts.store.rehash(account, parts.passwords.hash(asked.password))
    return account


def _granted_scope(asked: str | None, grantable: Iterable[str]) -> str:
    listed = list(dict.fromkeys(grantable))
    wanted = listed if asked is None else list(dict.fromkeys(asked.split()))
    if not set(wanted) <= set(listed):
        raise InvalidRequest(f"scope: the scopes to be had are: {' '.join(listed) or 'none'}")
    return " ".join(wanted)


def _open(
    parts: AccountParts,
    account: Account,
    scope: str,
    *,
    cookie_hash: str | None = None,
    refresh_hash: str | None = None,
) -> str:
    now = parts.now()
    new = NewSession(
        id=parts.new_id(),
        scope=scope,
        created_at=now,
        expires_at=now + parts.session_seconds,
        cookie_hash=cookie_hash,
        refresh_hash=refresh_hash,
    )
    if not parts.store.open_session(account, new):  # blocked or changed in this very moment
        raise InvalidCredentials
    parts.outbox.tidy(lambda: parts.store.purge(now))
    return new.id


def claims_of(session: Session) -> dict[str, Any]:
    """What the access tokens of a session say of it, beside the standard claims."""
    account = session.account
    claims: dict[str, Any] = {
        "sid": session.id,
        "gen": account.generation,
        "email": account.email,
        "email_verified": True,
    }
    if account.roles:
        claims["roles"] = list(account.roles)
    return claims


def _grant(parts: AccountParts, session: Session, refresh_token: str) -> Grant:
    account = session.account
    token = parts.issuer.mint_for(account.id, session.scope.split(), claims_of(session))
    return Grant(
        access_token=token,
        refresh_token=refresh_token,
        expires_in=parts.issuer.ttl_seconds,
        scope=session.scope,
    )


def refresh(parts: AccountParts, refresh_token: str, place: Place = NOWHERE) -> Grant:
    """New tokens for a refresh token, which is thereby used.

    A client whose answer was lost may send it again from the same network within ten seconds.

    Raises:
        InvalidToken: it is unknown, its session has ended, or it was used before; in this last
            case the session ends.
    """
    secret, used = parts.new_secret(), digest_of(refresh_token)
    rotation = parts.store.rotate(used, secret.digest, parts.now(), parts.sender_of(used, place))
    parts.revoke(rotation.reused)
    if rotation.session is None:
        raise InvalidToken("The refresh token is not good any more: sign in again.")
    return _grant(parts, rotation.session, secret.text)


def session_of_cookie(parts: AccountParts, cookie: str) -> Session | None:
    """The session that a browser's cookie belongs to, while it lasts."""
    return parts.store.session_of_cookie(digest_of(cookie), parts.now())


def sign_out(parts: AccountParts, session_id: str) -> None:
    """End a session, and withdraw its access tokens."""
    parts.revoke(parts.store.end_session(session_id, parts.now()))


def sign_out_cookie(parts: AccountParts, cookie: str) -> None:
    """End the session of a browser's cookie; nothing happens when there is none."""
    session = session_of_cookie(parts, cookie)
    if session is not None:
        sign_out(parts, session.id)


def sign_out_token(parts: AccountParts, refresh_token: str) -> None:
    """End the session of a refresh token; nothing happens when there is none (RFC 7009)."""
    parts.revoke(parts.store.end_session_of_token(digest_of(refresh_token), parts.now()))


def sign_out_everywhere(parts: AccountParts, account_id: str) -> None:
    """End every session of an account, and withdraw all its access tokens."""
    parts.revoke(parts.store.end_all_sessions(account_id, parts.now()))
