"""Who calls: the account of the token's subject, made when somebody signs in for the first time."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as OrmSession

from licet import current_identity
from licet.authn.identity import Identity

from .models import Account, Profile, address_key


class Caller:
    """A signed-in account, or nobody, as the policies ask for it."""

    def __init__(self, account: Account | None, principal: str) -> None:
        self.account_id = None if account is None else account.id
        self.is_super_admin = account is not None and account.is_super_admin
        self.is_admin = self.is_super_admin or (account is not None and account.is_admin)
        self.is_verified = account is not None and account.is_verified
        self.is_authenticated = account is not None
        self.principal = principal


def find_caller(session: OrmSession, engine: Engine) -> Caller:
    """The caller of the current request. An account in the trash is none."""
    subject = current_identity.subject
    statement = sa.select(Account).where(Account.subject == subject)
    account = session.scalar(statement)
    if account is None and _has_address(current_identity):
        _register(engine, subject, current_identity.claims["email"])
        account = session.scalar(statement)
    if account is not None and account.deleted_at is not None:
        account = None
    return Caller(account, current_identity.principal)


def _has_address(identity: Identity) -> bool:
    """Whether the token is of a local account's session, which vouches for its address."""
    claims = identity.claims or {}
    return bool("sid" in claims and claims.get("email") and claims.get("email_verified") is True)


def _register(engine: Engine, subject: str, email: str) -> None:
    """Make the account of somebody who signed up, with the names that they gave.

    Nothing is made for an address that another account has.

    Concurrency: of several first requests at once, one makes it.
    """
    key = address_key(email)
    with OrmSession(engine) as session:
        profile = session.get(Profile, key)
        is_recent = profile is not None and profile.expires_at > datetime.now(UTC)
        names = profile.names if profile is not None and is_recent else {}
        session.execute(sa.delete(Profile).where(Profile.email_key == key))
        session.add(Account(subject=subject, email=email, is_verified=True, **names))
        try:
            session.commit()
        except IntegrityError:
            session.rollback()
