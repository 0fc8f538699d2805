"""Local accounts in an app: made from the settings, attached under ``/auth``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, after_this_request, has_request_context

from licet.authn.accounts.mail import MailTransport, Outbox, transport_for
from licet.authn.accounts.parts import AccountParts
from licet.authn.accounts.passwords import Passwords
from licet.authn.accounts.revocation import AccountTokenVerifier, Revocations
from licet.authn.accounts.store import AccountStore
from licet.authn.issuers import accepted_scopes, embedded_issuer
from licet.authn.shared_counts import make_throttle
from licet.authn.throttle import Limits
from licet.authn.tokens.chain import IssuerVerifier, TokenGuard
from licet.db.flask import database_of
from licet.settings import Settings
from licet.settings.state import app_state

__all__ = [
    "LIMITS",
    "MAIL",
    "PASSWORDS",
    "accounts_of",
    "before_account_deletion",
    "token_guard",
]

# Put under these names before the accounts are first used, a part replaces the one of the settings.
PASSWORDS: Final = "accounts.passwords"
MAIL: Final = "accounts.mail"
LIMITS: Final = "accounts.limits"
_PARTS: Final = "accounts.parts"
_BEFORE_DELETION: Final = "accounts.before_deletion"
_LEEWAY_SECONDS: Final = 60


def accounts_of(app: Flask) -> AccountParts:
    """The app's accounts; also for an app that serves no endpoints for them.

    Raises:
        ConfigurationError: the embedded issuer is off, or the settings of mail or throttle are not
            usable.
    """
    return app_state(app).get_or_build(_PARTS, lambda _settings: _make_parts(app))


def before_account_deletion(app: Flask, leave: Callable[[str], None]) -> None:
    """Have a function called before somebody deletes their own account, with the account's id.

    It forgets what the app keeps of them, or refuses by `AccountInUse`, whose text says what to do
    first. The password was checked before. What it does must bear to be done twice.
    """
    _before_deletion(app).append(leave)


def _before_deletion(app: Flask) -> list[Callable[[str], None]]:
    return app_state(app).get_or_build(_BEFORE_DELETION, lambda _settings: [])


def _make_parts(app: Flask) -> AccountParts:
    state = app_state(app)
    settings, issuer = state.settings, embedded_issuer(app)
    store = AccountStore(
        lambda: database_of(app), mark_seconds=settings.access_token_seconds + _LEEWAY_SECONDS
    )
    return AccountParts(
        store=store,
        issuer=issuer,
        passwords=state.get_or_build(PASSWORDS, lambda _settings: Passwords()),
        revocations=Revocations(store.marks_after),
        mail=state.get_or_build(MAIL, _make_mail),
        outbox=Outbox(when_answered=_when_answered),
        limits=state.get_or_build(LIMITS, lambda _settings: Limits()),
        before_deletion=_before_deletion(app),
        addresses=make_throttle(settings),
        session_seconds=settings.accounts.session_seconds,
        sign_up_is_open=settings.accounts.sign_up == "open",
        public_url=settings.public_url,
        grantable=lambda: [*accepted_scopes(app), *settings.accounts.scopes],
    )


def _when_answered(start: Callable[[], None]) -> None:
    """Begin the work when the answer has left, so that its time tells nothing of the work."""
    if not has_request_context():
        start()
        return

    @after_this_request
    def after(response: Response) -> Response:
        response.call_on_close(start)
        return response


def _make_mail(settings: Settings) -> MailTransport:
    return transport_for(
        settings.accounts.smtp_url,
        sender=settings.accounts.mail_from,
        folder=settings.instance_path / "mail",
    )


def token_guard(app: Flask) -> TokenGuard:
    """What refuses the accounts' withdrawn tokens, whoever verifies them.

    Raises:
        ConfigurationError: as `accounts_of`.
    """
    revocations = accounts_of(app).revocations

    def wrap(verifier: IssuerVerifier) -> IssuerVerifier:
        return AccountTokenVerifier(verifier, revocations)

    return TokenGuard(wrap=wrap, check=revocations.check)
