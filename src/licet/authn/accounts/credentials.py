"""How accounts come to be, and what changes them.

A sign-up makes no account. It waits with its own password until its own mail is answered with that
password; a later sign-up of the address replaces it. A stranger who signs up with somebody else's
address first therefore has nothing of it. Changing and resetting a
password, deleting and blocking an account end every session of it.
"""

from __future__ import annotations

from typing import Final

from licet.authn.accounts import letters
from licet.authn.accounts.documents import (
    ChangePassword,
    ConfirmAddress,
    ResetPassword,
    SignUp,
    address_key,
    check_not_address,
)
from licet.authn.accounts.parts import NOWHERE, AccountParts, Place
from licet.authn.accounts.records import Account
from licet.authn.secret import digest_of
from licet.errors import AccessDenied, InvalidCredentials, InvalidLink, InvalidRequest

__all__ = [
    "ask_reset",
    "change_password",
    "confirm_address",
    "create_account",
    "delete_account",
    "require_open_sign_up",
    "reset_password",
    "set_blocked",
    "sign_up",
]

_CLOSED: Final = "Sign-up is closed here. Ask the people who run this service for an account."
_NOT_OF_THIS_SIGN_UP: Final = (
    "This is not the password of the sign-up that this mail is for. If you did not sign up "
    "yourself, do not confirm: sign up again with a password of your own."
)


def change_password(
    parts: AccountParts,
    account_id: str,
    asked: ChangePassword,
    place: Place = NOWHERE,
) -> None:
    """Set another password; the caller's own session ends as well.

    Raises:
        InvalidCredentials: the present password is not right.
        InvalidRequest: the new password is the account's address.
        TooManyAttempts: it was tried too often.
    """
    account = parts.rechecked_account(account_id, asked.current_password, place)
    _check_not_address("new_password", asked.new_password, account)
    password_hash = parts.passwords.hash(asked.new_password)
    parts.revoke(parts.store.set_password(account.id, password_hash, parts.now()))
    parts.post(letters.password_changed(account.email, parts.base_url))


def ask_reset(parts: AccountParts, email: str, place: Place = NOWHERE) -> None:
    """Have a link sent, if the address has an account; whether, is found out after the answer.

    Raises:
        TooManyAttempts: too many mails to this address, or asked for from that one.
    """
    parts.count_mail(email, place)
    parts.outbox.submit(lambda: _send_reset(parts, email))


def _send_reset(parts: AccountParts, email: str) -> None:
    account = parts.store.find(address_key(email))
    if account is None or account.blocked_at:
        return
    secret = parts.new_secret()
    expires_at = parts.now() + letters.MINUTES_TO_RESET * 60
    parts.store.add_reset(secret.digest, account.id, expires_at)
    parts.mail.send(letters.reset_password(account.email, parts.base_url, secret.text))


def reset_password(parts: AccountParts, asked: ResetPassword) -> None:
    """Set the password by a mail's secret, which is thereby used, like all others of the account.

    Raises:
        InvalidLink: it was used, or is too old.
        InvalidRequest: the new password is the account's address.
    """
    token_hash = digest_of(asked.token)
    owner = parts.store.owner_of_reset(token_hash, parts.now())
    if owner is None:  # before the work of hashing
        raise InvalidLink
    _check_not_address("password", asked.password, owner)
    used = parts.store.use_reset(token_hash, parts.passwords.hash(asked.password), parts.now())
    if used is None:
        raise InvalidLink
    parts.revoke(used)
    account = parts.store.get(used.account_id)
    if account is not None:
        parts.forget_attempts(account.email)
        parts.post(letters.password_changed(account.email, parts.base_url))


def _check_not_address(name: str, password: str, account: Account) -> None:
    try:
        check_not_address(password, account.email)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}") from None


def delete_account(
    parts: AccountParts, account_id: str, password: str, place: Place = NOWHERE
) -> None:
    """Forget an account and all that is its own.

    Raises:
        InvalidCredentials: the password is not right.
        TooManyAttempts: it was tried too often.
        AccountInUse: the app needs the account.
    """
    account = parts.rechecked_account(account_id, password, place)
    for leave in parts.before_deletion:
        leave(account.id)
    parts.revoke(parts.store.delete(account.id, parts.now()))


def set_blocked(parts: AccountParts, email: str, *, blocked: bool) -> bool:
    """Block or unblock an account; false when there is none of that address."""
    account = parts.store.find(address_key(email))
    if account is None:
        return False
    parts.revoke(parts.store.set_blocked(account.id, parts.now(), blocked=blocked))
    return True


def require_open_sign_up(parts: AccountParts) -> None:
    """Refuse whoever wants an account where the operator alone makes them.

    Raises:
        AccessDenied: LICET_SIGN_UP is closed.
    """
    if not parts.sign_up_is_open:
        raise AccessDenied(_CLOSED)


def sign_up(parts: AccountParts, asked: SignUp, place: Place = NOWHERE) -> None:
    """Have a mail sent to the address: to confirm it, or to say that it has an account.

    Which of them is found out after the answer was given.

    Raises:
        AccessDenied: sign-up is closed.
        TooManyAttempts: too many mails to this address, or asked for from that one.
    """
    require_open_sign_up(parts)
    parts.count_mail(asked.email, place)
    password_hash = parts.passwords.hash(asked.password)
    parts.outbox.submit(lambda: _send_sign_up(parts, asked.email, password_hash))


def _send_sign_up(parts: AccountParts, email: str, password_hash: str) -> None:
    base_url = parts.base_url
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


def confirm_address(parts: AccountParts, asked: ConfirmAddress, place: Place = NOWHERE) -> None:
    """Make the account that was asked for, for somebody who knows the password of the sign-up.

    The mail alone proves the address only: the sign-up may be a stranger's, with their password.

    Raises:
        AccessDenied: sign-up is closed.
        InvalidLink: the mail's secret was used, was replaced by a newer sign-up, is too old, or the
            address has an account by now.
        InvalidCredentials: the password is not the one of this sign-up.
        TooManyAttempts: passwords were tried too often with this link, or from that address.
    """
    require_open_sign_up(parts)
    token_hash = digest_of(asked.token)
    kept = parts.store.password_of_sign_up(token_hash, parts.now())
    if kept is None:
        raise InvalidLink
    parts.count_confirmation(token_hash, place)
    if not parts.passwords.verify(kept, asked.password):
        raise InvalidCredentials(_NOT_OF_THIS_SIGN_UP)
    if not parts.store.confirm_sign_up(token_hash, parts.new_id(), parts.now()):
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
