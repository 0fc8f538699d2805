"""What may come of signing in, beside success."""

from __future__ import annotations

from licet.errors import LicetError

__all__ = ["LoginEnded", "LoginRefused", "LoginUnreachable"]


class LoginRefused(LicetError):
    """Whoever was asked says no, or says something that must not be believed."""

    code_name = "login_refused"


class LoginEnded(LoginRefused):
    """The refresh token is not good any more."""

    code_name = "login_ended"


class LoginUnreachable(LicetError):
    """Whoever was asked does not answer, or not as it should."""

    code_name = "login_unreachable"
