"""The browser sessions of local accounts."""

from __future__ import annotations

from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.records import Session
from licet.authn.accounts.sessions import claims_of, session_of_cookie
from licet.authn.browser import SignedIn, signed_in
from licet.authn.identity import Identity
from licet.authn.principals import identity_principal

__all__ = ["current_session", "find_session"]


def find_session(parts: AccountParts, cookie: str) -> SignedIn | None:
    """Whom a cookie stands for, with their `Session`; None when it has ended, or never was."""
    session = session_of_cookie(parts, cookie)
    if session is None:
        return None
    account, issuer = session.account, parts.issuer.issuer
    identity = Identity(
        issuer=issuer,
        subject=account.id,
        principal=identity_principal(issuer, account.id, local_issuer=issuer),
        roles=frozenset(account.roles),
        scopes=frozenset(session.scope.split()),
        claims=claims_of(session),
    )
    return SignedIn(identity, session)


def current_session() -> Session | None:
    """The local account's session that the request's cookie belongs to."""
    found = signed_in()
    return found.session if found is not None and isinstance(found.session, Session) else None
