"""``licet account``: the operator's hand on local accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from flask import Flask

from licet.authn.tokens.issuer import subject_of
from licet.errors import UsageError
from licet.extension import require_licet

if TYPE_CHECKING:
    from licet.authn.accounts.parts import AccountParts

__all__ = ["account"]

_PAGE = 500


@click.group()
def account() -> None:
    """Create, block and list local accounts."""


def _parts(load_app: Callable[[], Flask]) -> AccountParts:
    from licet.authn.accounts.flask import accounts_of  # argon2 and more, seldom needed

    app = load_app()
    require_licet(app)
    return accounts_of(app)


@account.command()
@click.argument("email")
@click.option("--admin", is_flag=True, help="Give the account the role admin.")
@click.option("--name", help="Be the person that `licet token NAME` stands for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_obj
def create(
    load_app: Callable[[], Flask], email: str, admin: bool, name: str | None, password_stdin: bool
) -> None:
    """Create an account for EMAIL, whose owner you vouch for."""
    from pydantic import ValidationError

    from licet.authn.accounts.credentials import create_account
    from licet.authn.accounts.documents import SignUp, complaints

    parts = _parts(load_app)
    account_id = None if name is None else subject_of(name)
    try:
        asked = SignUp(email=email, password=_password(from_stdin=password_stdin))
    except ValidationError as error:
        raise UsageError(complaints(error.errors(include_input=False))) from None
    made = create_account(parts, asked, is_admin=admin, account_id=account_id)
    if made is None:
        raise UsageError("There is an account of this address or name already.")
    click.echo(made.id)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


@account.command()
@click.argument("email")
@click.pass_obj
def block(load_app: Callable[[], Flask], email: str) -> None:
    """Keep EMAIL out: every session and token of the account ends within two seconds."""
    _set_blocked(load_app, email, blocked=True)


@account.command()
@click.argument("email")
@click.pass_obj
def unblock(load_app: Callable[[], Flask], email: str) -> None:
    """Let EMAIL sign in again."""
    _set_blocked(load_app, email, blocked=False)


def _set_blocked(load_app: Callable[[], Flask], email: str, *, blocked: bool) -> None:
    from licet.authn.accounts.credentials import set_blocked

    if not set_blocked(_parts(load_app), email, blocked=blocked):
        raise UsageError("There is no account of this address.")
    click.echo("blocked" if blocked else "unblocked")


@account.command("list")
@click.pass_obj
def list_command(load_app: Callable[[], Flask]) -> None:
    """Print every account: address, id, role, since when, and whether it is blocked."""
    from licet.authn.accounts.documents import address_key

    store = _parts(load_app).store
    after = ""
    while page := store.page(after=after, count=_PAGE):
        for found in page:
            since = datetime.fromtimestamp(found.created_at, UTC).date().isoformat()
            state = "blocked" if found.blocked_at else "active"
            roles = ",".join(found.roles) or "-"
            click.echo(f"{found.email}\t{found.id}\t{roles}\t{since}\t{state}")
        after = address_key(page[-1].email)
