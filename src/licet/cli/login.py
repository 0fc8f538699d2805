"""``licet login``, ``licet logout``, ``licet whoami``: signing in from the command line."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
import webbrowser
from dataclasses import dataclass
from getpass import GetPassWarning
from typing import Final

import click

from licet.authn.tokens.provider_metadata import ProviderMetadata, discover
from licet.cli.logins.accounts import accounts_endpoint, sign_in_with_password
from licet.cli.logins.code_flow import CodeFlow
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.cli.logins.exit_codes import login_exit_codes, tell
from licet.cli.logins.file import Kind, Login, LoginsFile
from licet.cli.logins.renewal import renew_at, replace_login, sign_out
from licet.cli.logins.services import Service, find_service
from licet.errors import UsageError
from licet.settings import DEFAULT_ISSUER
from licet.wire.text import printable

__all__ = ["login", "logout", "whoami"]

_NOBODY: Final = 1
_MAX_PASSWORD_LINE: Final = 4096


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What somebody wants to sign in for."""

    issuer: str
    resource: str | None
    scopes: tuple[str, ...]
    email: str | None
    from_stdin: bool
    client_id: str | None
    audience: str | None
    opens_browser: bool
    wait_seconds: int


@click.command()
@click.argument("issuer", required=False)
@click.option(
    "--resource",
    metavar="URL",
    help="The service that the tokens are for, and the only one that they are sent to.",
)
@click.option("--scope", "scopes", multiple=True, help="A scope to ask for; repeatable.")
@click.option("--email", help="The address of a local account; asked for when it is not given.")
@click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)
@click.option(
    "--client-id",
    envvar="LICET_LOGIN_CLIENT_ID",
    help="How a foreign issuer knows this program ($LICET_LOGIN_CLIENT_ID).",
)
@click.option("--audience", help="The service's name at an issuer that wants `audience` (Auth0).")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
@click.option(
    "--wait-seconds",
    type=click.IntRange(1, 3600),
    default=300,
    show_default=True,
    help="How long to wait for the browser.",
)
@click.option("--status", is_flag=True, help="Tell who is signed in, and do nothing else.")
def login(
    issuer: str | None,
    resource: str | None,
    scopes: tuple[str, ...],
    email: str | None,
    from_stdin: bool,
    client_id: str | None,
    audience: str | None,
    no_browser: bool,
    wait_seconds: int,
    status: bool,
) -> None:
    """Sign in at ISSUER, so that `licet action` needs no --token.

    ISSUER is the one that --resource names when it names a single one, else $LICET_ISSUER, else
    http://localhost:8000. A licet service with accounts of its own asks for address and password;
    any other OpenID provider is signed in at with the browser.

    Exit codes: 0 done, 2 wrong usage, 3 refused, 4 unreachable.
    """
    if status:
        _show_logins()
        return
    with login_exit_codes():
        service = None if resource is None else find_service(resource)
        asked = _Asked(
            issuer=issuer or _issuer_of(service),
            resource=resource,
            scopes=scopes,
            email=email,
            from_stdin=from_stdin,
            client_id=client_id,
            audience=audience,
            opens_browser=not no_browser,
            wait_seconds=wait_seconds,
        )
        found = _signed_in(asked, service)
        replace_login(LoginsFile(), found)
    click.echo(printable(f"Signed in as {found.who} at {found.issuer} for {found.resource}"))


def _issuer_of(service: Service | None) -> str:
    if service is None:
        return os.environ.get("LICET_ISSUER") or DEFAULT_ISSUER
    if len(service.issuers) != 1:
        listed = ", ".join(service.issuers) or "nobody"
        raise UsageError(
            f"Name the issuer: {service.resource} takes tokens of {printable(listed)}."
        )
    return service.issuers[0]


def _signed_in(asked: _Asked, service: Service | None) -> Login:
    metadata = discover(asked.issuer)
    endpoint = accounts_endpoint(metadata)
    if endpoint is None and metadata.authorization_endpoint is None:
        raise LoginRefused(
            f"{metadata.issuer} lets nobody sign in: it has no accounts and no page to sign in at. "
            "If it is a service made with licet, set LICET_ACCOUNTS=true there, or use a token in "
            "place of a sign-in: LICET_TOKEN=$(licet --app MODULE:NAME token USER --all-scopes)."
        )
    if service is None:
        if endpoint is None:
            raise UsageError(
                f"Name the service that {metadata.issuer} shall give tokens for: --resource URL"
            )
        service = find_service(metadata.issuer)
    if metadata.issuer not in service.issuers:
        raise LoginRefused(f"{service.resource} does not take tokens of {metadata.issuer}.")
    if endpoint is None:
        return _with_browser(asked, metadata, service.resource)
    return _with_password(asked, metadata.issuer, endpoint, service.resource)


def _with_password(asked: _Asked, issuer: str, endpoint: str, resource: str) -> Login:
    email = asked.email or _prompt_for_address(asked)
    scope = " ".join(asked.scopes) if asked.scopes else None
    grant = sign_in_with_password(endpoint, email, _password(asked), scope)
    return Login(
        kind=Kind.ACCOUNT,
        issuer=issuer,
        resource=resource,
        who=email.strip(),
        scope=grant.scope or "",
        token_endpoint=f"{endpoint}/refresh",
        revocation_endpoint=f"{endpoint}/logout",
        access_token=grant.access_token,
        renew_at=renew_at(grant, time.time()),
        refresh_token=grant.refresh_token,
    )


def _prompt_for_address(asked: _Asked) -> str:
    if asked.from_stdin:
        raise UsageError("Give --email with --password-stdin.")
    found: str = click.prompt("Email", err=True)
    return found


def _password(asked: _Asked) -> str:
    if asked.from_stdin:
        return sys.stdin.readline(_MAX_PASSWORD_LINE).rstrip("\r\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            found: str = click.prompt("Password", hide_input=True, err=True)
        except GetPassWarning:
            raise UsageError("There is no terminal to ask at: use --password-stdin.") from None
    return found


def _with_browser(asked: _Asked, metadata: ProviderMetadata, resource: str) -> Login:
    if not asked.client_id:
        raise UsageError(f"Give the --client-id by which {metadata.issuer} knows this program.")
    signed_in = CodeFlow(
        metadata=metadata,
        client_id=asked.client_id,
        scopes=asked.scopes,
        resource=resource,
        audience=asked.audience,
        show=lambda url: _show_page(url, opens=asked.opens_browser),
        wait_seconds=asked.wait_seconds,
    ).run()
    grant = signed_in.grant
    return Login(
        kind=Kind.OPENID,
        issuer=metadata.issuer,
        resource=resource,
        who=signed_in.who,
        scope=" ".join(asked.scopes) if grant.scope is None else grant.scope,
        client_id=asked.client_id,
        audience=asked.audience,
        token_endpoint=str(metadata.token_endpoint),
        revocation_endpoint=metadata.revocation_endpoint,
        access_token=grant.access_token,
        renew_at=renew_at(grant, time.time()),
        refresh_token=grant.refresh_token,
    )


def _show_page(url: str, *, opens: bool) -> None:
    click.echo(f"Sign in with a browser on this machine:\n\n  {printable(url)}\n", err=True)
    if opens and _has_desktop():
        # in a thread, since some browsers return only when they are closed
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _has_desktop() -> bool:
    """Whether a browser would have a window: one in the terminal would take that over."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in names)


@click.command()
@click.argument("issuer", required=False)
@click.option("--all", "everywhere", is_flag=True, help="Sign out everywhere.")
def logout(issuer: str | None, everywhere: bool) -> None:
    """Sign out at ISSUER: end the sign-in there, and forget its tokens.

    ISSUER may be left out where one is signed in at one issuer only.

    Exit codes: 0 done, 2 wrong usage, 3 and 4 forgotten here, but the issuer refused or could not
    be reached.
    """
    logins = LoginsFile()
    with login_exit_codes():
        failed: Exception | None = None
        for one in _chosen(logins.read(), issuer, everywhere=everywhere):
            try:
                is_revoked = sign_out(logins, one)
            except (LoginRefused, LoginUnreachable) as error:
                tell(f"The sign-in at {one.issuer} is forgotten here, but was not ended there.")
                failed = error
                continue
            click.echo(printable(f"Signed out at {one.issuer}"))
            if not is_revoked:
                tell(f"{one.issuer} cannot end a sign-in: it ends there by itself.")
        if failed is not None:
            raise failed


def _chosen(logins: tuple[Login, ...], issuer: str | None, *, everywhere: bool) -> list[Login]:
    found = [one for one in logins if everywhere or issuer in (None, one.issuer, f"{one.issuer}/")]
    if not found:
        raise UsageError("You are not signed in there." if issuer else "You are not signed in.")
    if not (everywhere or issuer) and len({one.issuer for one in found}) > 1:
        listed = " ".join(dict.fromkeys(one.issuer for one in found))
        raise UsageError(f"Name the issuer, or say --all. You are signed in at: {listed}")
    return found


@click.command()
def whoami() -> None:
    """Tell who is signed in, where, for which service and with which scopes; ends with 1 if nobody.

    Nobody is asked: the sign-in may have been ended elsewhere.
    """
    _show_logins()


def _show_logins() -> None:
    found = LoginsFile().read()
    for one in found:
        click.echo(printable(f"{one.who}  {one.issuer}  {one.resource}  {one.scope or '-'}"))
    if not found:
        tell("You are not signed in.")
        sys.exit(_NOBODY)
