"""What callers send about accounts, checked; and what they are given.

An address is ASCII, since two spellings that look alike must not be two accounts; it is compared
without regard to case. A password is Unicode in its composed form, 10 characters to 1,024 bytes; a
new one is neither the address nor one of the 10,000 most used.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    model_validator,
)

from licet.authn.accounts._most_used import is_most_used
from licet.wire.text import ascii_lower

__all__ = [
    "ChangePassword",
    "ConfirmAddress",
    "DeleteAccount",
    "Refresh",
    "ResetPassword",
    "SignIn",
    "SignOut",
    "SignUp",
    "WantReset",
    "address_key",
    "check_address",
    "check_new_password",
    "check_not_address",
]

MAX_PASSWORD_BYTES: Final = 1024
MIN_PASSWORD_CHARACTERS: Final = 10
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322 section 3.2.3
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def check_address(address: str) -> str:
    """The address without surrounding spaces.

    Raises:
        ValueError: it is not of the form ``somebody@example.org``.
    """
    address = address.strip(" ")
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise ValueError("write an address of the form somebody@example.org")
    return address


def address_key(address: str) -> str:
    """What two spellings of one address have in common."""
    return ascii_lower(address)


def _check_password(password: str) -> str:
    composed = unicodedata.normalize("NFC", password)
    try:
        size_bytes = len(composed.encode())
    except UnicodeEncodeError:
        raise ValueError("a password is Unicode text") from None
    if size_bytes > MAX_PASSWORD_BYTES:
        raise ValueError(f"a password has at most {MAX_PASSWORD_BYTES} bytes")
    return composed


def check_new_password(password: str) -> str:
    """The password in its composed form.

    Raises:
        ValueError: it is shorter than 10 characters, longer than 1,024 bytes, or one that everybody
            tries first.
    """
    composed = _check_password(password)
    if len(composed) < MIN_PASSWORD_CHARACTERS:
        raise ValueError(f"a password has at least {MIN_PASSWORD_CHARACTERS} characters")
    if is_most_used(composed):
        raise ValueError("this password is among the most used ones: choose another")
    return composed


def check_not_address(password: str, address: str) -> None:
    """Refuse an address as its own password.

    Raises:
        ValueError: it is.
    """
    if address_key(password.strip()) == address_key(address):
        raise ValueError("the address cannot be the password: choose another")


Address = Annotated[str, StringConstraints(max_length=320), AfterValidator(check_address)]
GivenPassword = Annotated[str, AfterValidator(_check_password)]
NewPassword = Annotated[str, AfterValidator(check_new_password)]
Secret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
Scope = Annotated[str, StringConstraints(max_length=4096)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Nothing: whatever is in here belongs in no log."""
        return []


class SignUp(_Body):
    """Who wants an account."""

    email: Address
    password: NewPassword

    @model_validator(mode="after")
    def _check_password(self) -> Self:
        check_not_address(self.password, self.email)
        return self


class SignIn(_Body):
    """Who wants in, and for what: scopes, separated by spaces; all that there are when unsaid."""

    email: Address
    password: GivenPassword
    scope: Scope | None = None


class ConfirmAddress(_Body):
    """The secret of a mail, and the password of the sign-up that the mail answers."""

    token: Secret
    password: GivenPassword


class WantReset(_Body):
    """Whose password is forgotten."""

    email: Address


class ResetPassword(_Body):
    """The secret of a mail, and the new password."""

    token: Secret
    password: NewPassword


class ChangePassword(_Body):
    """The password as it is, and as it shall be."""

    current_password: GivenPassword
    new_password: NewPassword


class DeleteAccount(_Body):
    """The password, so that a stolen token alone deletes nothing."""

    password: GivenPassword


class Refresh(_Body):
    """The refresh token."""

    refresh_token: Secret


class SignOut(_Body):
    """The refresh token whose session ends; the caller's own session when it is not given."""

    refresh_token: Secret | None = None


def complaints(errors: list[Any]) -> str:
    """What is wrong with a body, field by field, without any value."""
    return "; ".join(
        f"{'.'.join(map(str, error['loc'])) or 'body'}: "
        f"{str(error['msg']).removeprefix('Value error, ')}"
        for error in errors
    )
