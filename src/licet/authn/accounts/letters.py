"""What the mails say."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from licet.authn.accounts.mail import Mail

__all__ = ["confirm_address", "has_account_already", "password_changed", "reset_password"]

HOURS_TO_CONFIRM: Final = 24
MINUTES_TO_RESET: Final = 60


def confirm_address(to: str, base_url: str, secret: str) -> Mail:
    """For a new address."""
    return Mail(
        to=to,
        subject="Confirm your address",
        text=(
            f"Somebody, we hope you, signed up with this address at {base_url}.\n\n"
            f"To confirm it, open this page within {HOURS_TO_CONFIRM} hours, and enter the "
            "password\nthat you chose when you signed up:\n\n"
            f"{base_url}/auth/confirm?token={quote(secret)}\n\n"
            "If it was not you, do nothing: without confirmation there is no account.\n"
        ),
    )


def has_account_already(to: str, base_url: str) -> Mail:
    """For an address that has an account, instead of the letter above."""
    return Mail(
        to=to,
        subject="You have an account already",
        text=(
            f"Somebody, perhaps you, signed up with this address at {base_url}, where it has an\n"
            "account already. Nothing was changed.\n\n"
            f"To sign in:                {base_url}/auth/sign-in\n"
            f"If the password is lost:   {base_url}/auth/forgot-password\n"
        ),
    )


def reset_password(to: str, base_url: str, secret: str) -> Mail:
    """For a forgotten password."""
    return Mail(
        to=to,
        subject="Choose a new password",
        text=(
            f"Somebody, we hope you, asked for a new password at {base_url}.\n\n"
            f"To choose one, open this page within {MINUTES_TO_RESET} minutes:\n\n"
            f"{base_url}/auth/new-password?token={quote(secret)}\n\n"
            "If it was not you, do nothing: the password stays as it is.\n"
        ),
    )


def password_changed(to: str, base_url: str) -> Mail:
    """After a change, however it was made."""
    return Mail(
        to=to,
        subject="Your password was changed",
        text=(
            f"The password of your account at {base_url} was changed, and every session was\n"
            "ended. If it was not you, choose a new one now:\n\n"
            f"{base_url}/auth/forgot-password\n"
        ),
    )
