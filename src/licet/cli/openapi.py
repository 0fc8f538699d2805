"""``licet openapi``: the OpenAPI document of an app, and whether a kept one is up to date."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

import click
from flask import Flask

from licet.rest.openapi import About, document_of, openapi_of

__all__ = ["openapi"]

_MOST_LINES = 200


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
    if page is None:
        click.echo(printed, nl=False)
        return
    try:
        kept = page.read_text("utf-8")
    except FileNotFoundError:
        kept = ""
    if kept != printed:
        _show_differences(kept, printed, page)
        sys.exit(1)


def _show_differences(kept: str, printed: str, page: Path) -> None:
    lines = [
        *unified_diff(kept.splitlines(), printed.splitlines(), str(page), "the app", lineterm="")
    ]
    click.echo("\n".join(lines[:_MOST_LINES]))
    if len(lines) > _MOST_LINES:
        click.echo(f"… and {len(lines) - _MOST_LINES} lines more")
    click.echo(f"licet: {page} is not what the app serves: write it anew.", err=True)
