"""``licet keys``: what the embedded issuer signs with."""

from __future__ import annotations

from collections.abc import Callable

import click
from flask import Flask

from licet.authn.issuers import embedded_issuer
from licet.extension import require_licet

__all__ = ["keys"]


@click.group()
def keys() -> None:
    """Manage the signing keys."""


@keys.command()
@click.option("--revoke", is_flag=True, help="Former keys leaked: refuse all that they signed.")
@click.pass_obj
def rotate(load_app: Callable[[], Flask], *, revoke: bool) -> None:
    """Sign with the next key from now on; tokens in use stay good until they expire."""
    app = load_app()
    require_licet(app)
    issuer = embedded_issuer(app)
    issuer.rotate(revoke=revoke)
    published = issuer.jwks()["keys"]
    click.echo(f"{published[0]['kid']}\tsigns")
    click.echo(f"{published[1]['kid']}\tis the next to sign")
    for key in published[2:]:
        click.echo(f"{key['kid']}\tstays published")
