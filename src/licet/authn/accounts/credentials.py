"""Changing and resetting passwords, deleting and blocking accounts: each ends every session."""

from __future__ import annotations

from licet.authn.accounts import letters
from licet.authn.accounts.documents import ChangePassword, ResetPassword, address_key
from licet.authn.accounts.parts import AccountParts, digest_of
from licet.errors import InvalidLink

__all__ = ["ask_reset", "change_password", "delete_account", "reset_password", "set_blocked"]


def change_password(
    parts: AccountParts,
    account_id: str,
    asked: ChangePassword,
    network_address: str | None = None,
) -> None:
    """Set another password; the caller's own session ends as well.

    Raises:
        InvalidCredentials: the present password is not right.
        TooManyAttempts: it was tried too often.
    """
    account = parts.rechecked_account(account_id, asked.current_password, network_address)
    password_hash = parts.passwords.hash(asked.new_password)
    parts.revoke(parts.store.set_password(account.id, password_hash, parts.now()))
    parts.post(letters.password_changed(account.email, parts.issuer.issuer))


def ask_reset(parts: AccountParts, email: str, network_address: str | None = None) -> None:
    """Have a link sent, if the address has an account; whether, is found out after the answer.

    Raises:
        TooManyAttempts: too many mails to this address, or asked for from that one.
    """
    parts.count_mail(email, network_address)
    parts.outbox.submit(lambda: _send_reset(parts, email))


def _send_reset(parts: AccountParts, email: str) -> None:
    account = parts.store.find(address_key(email))
    if account is None or account.blocked_at:
        return
    secret = parts.new_secret()
    expires_at = parts.now() + letters.MINUTES_TO_RESET * 60
    parts.store.add_reset(secret.digest, account.id, expires_at)
    parts.mail.send(letters.reset_password(account.email, parts.issuer.issuer, secret.text))


def reset_password(parts: AccountParts, asked: ResetPassword) -> None:
    """Set the password by a mail's secret, which is thereby used, like all others of the account.

    Raises:
        InvalidLink: it was used, or is too old.
    """
    token_hash = digest_of(asked.token)
    if not parts.store.has_reset(token_hash, parts.now()):  # before the work of hashing
        raise InvalidLink
    used = parts.store.use_reset(token_hash, parts.passwords.hash(asked.password), parts.now())
    if used is None:
        raise InvalidLink
    parts.revoke(used)
    account = parts.store.get(used.account_id)
    if account is not None:
        parts.forget_attempts(account.email)
        parts.post(letters.password_changed(account.email, parts.issuer.issuer))


def delete_account(
    parts: AccountParts, account_id: str, password: str, network_address: str | None = None
) -> None:
    """Forget an account and all that is its own.

    Raises:
        InvalidCredentials: the password is not right.
        TooManyAttempts: it was tried too often.
    """
    account = parts.rechecked_account(account_id, password, network_address)
    parts.revoke(parts.store.delete(account.id, parts.now()))


def set_blocked(parts: AccountParts, email: str, *, blocked: bool) -> bool:
    """Block or unblock an account; false when there is none of that address."""
    account = parts.store.find(address_key(email))
    if account is None:
        return False
    parts.revoke(parts.store.set_blocked(account.id, parts.now(), blocked=blocked))
    return True
