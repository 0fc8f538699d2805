"""``licet token``: a token of the embedded issuer, for curl."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask

from licet.actions.interface.flask import provider_scopes
from licet.authn.issuers import accepted_scopes, embedded_issuer
from licet.errors.names import suggestion
from licet.extension import require_licet
from licet.settings.state import app_state
from licet.wire.text import printable

__all__ = ["token"]


@click.command()
@click.argument("user")
@click.option("--scope", "scopes", multiple=True, help="A scope the token carries; repeatable.")
@click.option("--all-scopes", is_flag=True, help="Every scope of the app's providers.")
@click.option("--group", "groups", multiple=True, help="A group of the user; repeatable.")
@click.option(
    "--ttl-seconds", type=click.IntRange(1, 86400), help="How long it is good; 900 by default."
)
@click.pass_obj
def token(
    load_app: Callable[[], Flask],
    user: str,
    scopes: tuple[str, ...],
    all_scopes: bool,
    groups: tuple[str, ...],
    ttl_seconds: int | None,
) -> None:
    """Print a bearer token for USER that the app accepts.

    An app with action providers asks for scopes; in any other a token needs none. A scope that
    the app does not know is told on standard error, and is in the token all the same.
    """
    app = load_app()
    require_licet(app)
    known = provider_scopes(app)
    wanted = (*scopes, *known) if all_scopes else scopes
    if known and not wanted:
        listed = "\n  ".join(known)
        raise click.UsageError(
            f"Give --scope or --all-scopes. The app's providers know:\n  {listed}"
        )
    _tell_unknown_scopes(app, scopes)
    issuer = embedded_issuer(app)
    if issuer.has_new_keys:
        click.echo(
            f"licet: {issuer.key_path} was made just now: only a service that is started with the "
            "same LICET_INSTANCE_PATH takes this token.",
            err=True,
        )
    click.echo(issuer.mint(user, wanted, groups=groups, ttl_seconds=ttl_seconds))


def _tell_unknown_scopes(app: Flask, scopes: tuple[str, ...]) -> None:
    """Say of each scope that no provider of the app knows: it may be a slip, or the app's own."""
    known = {*provider_scopes(app), *accepted_scopes(app)}
    if not known:
        return
    known.update(app_state(app).settings.accounts.scopes)
    for scope in dict.fromkeys(scopes):
        if scope not in known:
            told = f"The app's providers know no scope {scope!r}: {suggestion(scope, known)}"
            click.echo(printable(f"licet: {told}"), err=True)
