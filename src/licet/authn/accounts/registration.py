"""How accounts come to be: sign-up and confirmation by mail, or by the operator.

A sign-up makes no account. It waits with its own password until its own mail is answered, so that
whoever signs up with somebody else's address first has nothing of it.
"""

from __future__ import annotations

from licet.authn.accounts import letters
from licet.authn.accounts.documents import SignUp, address_key
from licet.authn.accounts.parts import AccountParts, digest_of
from licet.authn.accounts.records import Account
from licet.errors import InvalidLink

__all__ = ["confirm_address", "create_account", "sign_up"]


def sign_up(parts: AccountParts, asked: SignUp, network_address: str | None = None) -> None:
    """Have a mail sent to the address: to confirm it, or to say that it has an account.

    Which of them is found out after the answer was given.

    Raises:
        TooManyAttempts: too many mails to this address, or asked for from that one.
    """
    parts.count_mail(asked.email, network_address)
    password_hash = parts.passwords.hash(asked.password)
    parts.outbox.submit(lambda: _send_sign_up(parts, asked.email, password_hash))


def _send_sign_up(parts: AccountParts, email: str, password_hash: str) -> None:
    base_url = parts.issuer.issuer
    if parts.store.find(address_key(email)) is not None:
        parts.mail.send(letters.has_account_already(email, base_url))
        return
    secret = parts.new_secret()
    parts.store.add_sign_up(
        {
            "token_hash": secret.digest,
            "email": email,
            "email_key": address_key(email),
            "password_hash": password_hash,
            "expires_at": parts.now() + letters.HOURS_TO_CONFIRM * 3600,
        }
    )
    parts.mail.send(letters.confirm_address(email, base_url, secret.text))


def confirm_address(parts: AccountParts, secret: str) -> None:
    """Make the account that was asked for.

    Raises:
        InvalidLink: the mail's secret was used, is too old, or the address has an account by now.
    """
    if not parts.store.confirm_sign_up(digest_of(secret), parts.new_id(), parts.now()):
        raise InvalidLink


def create_account(
    parts: AccountParts, asked: SignUp, *, is_admin: bool, account_id: str | None = None
) -> Account | None:
    """A new account whose address the operator vouches for; None when the address has one."""
    account = Account(
        id=account_id or parts.new_id(),
        email=asked.email,
        password_hash=parts.passwords.hash(asked.password),
        is_admin=is_admin,
        generation=0,
        created_at=parts.now(),
        blocked_at=None,
    )
    return account if parts.store.add(account, address_key(asked.email)) else None
