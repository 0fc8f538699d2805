"""Settings of local accounts and browser sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

from licet.settings._source import Source

__all__ = ["AccountSettings"]


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """What the operator decided about local accounts.

    `sign_up` is ``open`` where strangers may sign up, else ``closed``; `session_seconds` is how
    long a sign-in lasts; `cookie_secure` is off for plain HTTP only; `smtp_url` is empty when mails
    are written to the instance folder; `scopes` may be asked for beside those of the app's
    providers; `throttle_storage_url` is empty when each process counts attempts by network address
    for itself.
    """

    enabled: bool
    sign_up: str
    session_seconds: int
    cookie_secure: bool
    smtp_url: str = field(repr=False)
    mail_from: str
    scopes: tuple[str, ...]
    throttle_storage_url: str = field(repr=False)

    @classmethod
    def read(cls, source: Source) -> AccountSettings:
        """Take them as `Settings.read` does."""
        return cls(
            enabled=source.flag("LICET_ACCOUNTS", default=False),
            sign_up=source.choice("LICET_SIGN_UP", ("closed", "open")),
            session_seconds=source.positive("LICET_SESSION_SECONDS", 30 * 24 * 3600),
            cookie_secure=source.flag("LICET_COOKIE_SECURE", default=True),
            smtp_url=source.text("LICET_SMTP_URL", ""),
            mail_from=source.text("LICET_MAIL_FROM", "licet@localhost"),
            scopes=tuple(source.text("LICET_ACCOUNT_SCOPES", "").split()),
            throttle_storage_url=source.text("LICET_THROTTLE_STORAGE_URL", ""),
        )
