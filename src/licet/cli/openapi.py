"""``licet openapi``: the OpenAPI document of an app, and whether a kept one is up to date."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask

from licet.cli.access import print_or_check
from licet.rest.openapi import About, document_of, openapi_of

__all__ = ["openapi"]


@click.command()
@click.argument("app", required=False)
@click.option(
    "--check",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exit 1 unless this file holds what would be printed.",
)
@click.option("--public", "is_public", is_flag=True, help="Only what everybody may know of.")
@click.pass_obj
def openapi(
    load_app: Callable[..., Flask], app: str | None, page: Path | None, is_public: bool
) -> None:
    """Print the OpenAPI document of APP.

    It has operations that only some callers may know of as well, unless --public is given.
    """
    loaded = load_app(app)
    served = openapi_of(loaded)
    if served is not None:
        document = served.document(shows_hidden=not is_public)
    else:
        document = document_of(loaded, About(title=loaded.name), shows_hidden=not is_public)
    printed = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    print_or_check(printed, page, "what the app serves")
