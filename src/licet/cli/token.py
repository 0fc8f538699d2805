"""``licet token``: a token of the embedded issuer, for curl."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask

from licet.actions.interface.flask import provider_scopes
from licet.authn.issuers import embedded_issuer
from licet.extension import require_licet

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

    An app with action providers asks for scopes; in any other a token needs none.
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
    issuer = embedded_issuer(app)
    if issuer.has_new_keys:
        click.echo(
            f"licet: {issuer.key_path} was made just now: only a service that is started with the "
            "same LICET_INSTANCE_PATH takes this token.",
            err=True,
        )
    click.echo(issuer.mint(user, wanted, groups=groups, ttl_seconds=ttl_seconds))
