"""Having tokens from a kept sign-in: found for a service, renewed before they end, revoked.

Source: RFC 6749 section 6, RFC 7009.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from licet.cli.logins.asking import Answer, post
from licet.cli.logins.code_flow import target_of
from licet.cli.logins.errors import LoginEnded, LoginRefused, LoginUnreachable
from licet.cli.logins.file import Kind, Login, LoginsFile
from licet.cli.logins.grant import Grant, grant_of
from licet.cli.logins.services import find_service, is_within

__all__ = ["KeptToken", "renew_at", "replace_login", "revoke", "sign_out"]

LEEWAY_SECONDS: Final = 60


class KeptToken:
    """The access token for one address, renewed whenever it is about to end.

    Args:
        url: where it will be sent; no sign-in for another service is used.
        scopes: what the sign-in must have been granted.
    """

    def __init__(
        self,
        url: str,
        logins: LoginsFile | None = None,
        *,
        scopes: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scopes = frozenset(scopes)
        self._url = url
        self._logins = logins or LoginsFile()
        self._clock = clock
        self._login: Login | None = None
        self._has_looked = False

    def __call__(self) -> str | None:
        """The token to send now; None when nobody is signed in for this address.

        Raises:
            LoginRefused: the service does not take the issuer's tokens any more, or it refused.
            LoginEnded: one has to sign in again.
            LoginUnreachable: the issuer or the service does not answer.
            UsageError: the file of sign-ins cannot be used.
        """
        if not self._has_looked:
            self._login, self._has_looked = self._found(), True
        if self._login is not None and not self._is_fresh(self._login):
            self._login = self._renewed(self._login)
        return None if self._login is None else self._login.access_token

    def _is_fresh(self, login: Login) -> bool:
        return self._clock() < login.renew_at

    def _found(self) -> Login | None:
        candidates = [one for one in self._logins.read() if is_within(one.resource, self._url)]
        if not candidates:
            return None
        closest = max(len(one.resource) for one in candidates)
        resource = next(one.resource for one in candidates if len(one.resource) == closest)
        issuers = find_service(resource).issuers
        good = [one for one in candidates if one.resource == resource and one.issuer in issuers]
        for one in good:
            if self._scopes <= set(one.scope.split()):
                return one
        if good:
            granted = set(good[0].scope.split())
            lacking = " ".join(sorted(self._scopes - granted))
            options = " ".join(f"--scope {scope}" for scope in sorted(self._scopes | granted))
            raise LoginRefused(
                f"The sign-in at {good[0].issuer} was not granted {lacking}. Sign in again: "
                f"licet login {good[0].issuer} {options}"
            )
        raise LoginRefused(
            f"{resource} does not take tokens of {candidates[0].issuer} any more: none was sent."
        )

    def _renewed(self, seen: Login) -> Login:
        with self._logins.exclusive():
            login = next((one for one in self._logins.read() if one.key == seen.key), None)
            if login is not None and self._is_fresh(login):  # another process was quicker
                return login
            try:
                grant = _refreshed(login)
            except LoginEnded as error:
                self._logins.remove(seen.key)
                raise LoginEnded(f"{error} Sign in again: licet login {seen.issuer}") from error
            renewed = seen.model_copy(
                update={
                    "access_token": grant.access_token,
                    "renew_at": renew_at(grant, self._clock()),
                    "refresh_token": grant.refresh_token or seen.refresh_token,
                    "scope": grant.scope or seen.scope,
                }
            )
            self._logins.put(renewed)
            return renewed


def renew_at(grant: Grant, now: float) -> float:
    """When the next token is had: a minute before this one ends, or a quarter of its life."""
    return now + grant.expires_in - min(LEEWAY_SECONDS, grant.expires_in / 4)


def _refreshed(login: Login | None) -> Grant:
    if login is None:
        raise LoginEnded("You signed out meanwhile.")
    if login.refresh_token is None:
        raise LoginEnded("Your sign-in has ended, and its issuer gave nothing to renew it with.")
    if login.kind is Kind.ACCOUNT:
        answer = post(login.token_endpoint, body={"refresh_token": login.refresh_token})
    else:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": login.refresh_token,
            "client_id": str(login.client_id),
            **target_of(login.resource, login.audience),
        }
        answer = post(login.token_endpoint, form=form)
    if _has_ended(answer, login.kind):
        raise LoginEnded("Your sign-in has ended.")
    return grant_of(answer.granted())


def _has_ended(answer: Answer, kind: Kind) -> bool:
    if kind is Kind.ACCOUNT:
        return answer.status == 401
    return answer.status == 400 and answer.document.get("error") == "invalid_grant"


def revoke(login: Login) -> bool:
    """End a sign-in at its issuer; False when the issuer has no way to.

    Raises:
        LoginRefused: the issuer will not.
        LoginUnreachable: it does not answer.
    """
    if login.revocation_endpoint is None:
        return False
    if login.kind is Kind.ACCOUNT:
        post(login.revocation_endpoint, body={"refresh_token": login.refresh_token}).granted()
        return True
    stays = login.refresh_token is not None
    form = {
        "token": login.refresh_token or login.access_token,
        "token_type_hint": "refresh_token" if stays else "access_token",
        "client_id": str(login.client_id),
    }
    answer = post(login.revocation_endpoint, form=form)
    if answer.document.get("error") == "unsupported_token_type":
        return False
    answer.granted()
    return True


def replace_login(logins: LoginsFile, login: Login) -> None:
    """Keep a sign-in, and end the one that it takes the place of."""
    with logins.exclusive():
        before = [one for one in logins.read() if one.key == login.key]
        logins.put(login)
    for one in before:
        with suppress(LoginRefused, LoginUnreachable):  # it ends by itself
            revoke(one)


def sign_out(logins: LoginsFile, login: Login) -> bool:
    """Forget a sign-in, and end it at its issuer; False when the issuer has no way to.

    Raises:
        LoginRefused, LoginUnreachable: as `revoke`; it is forgotten all the same.
    """
    with logins.exclusive():  # not while it is being renewed: the newest token is the one to end
        found = next((one for one in logins.read() if one.key == login.key), login)
        logins.remove(login.key)
    return revoke(found)
