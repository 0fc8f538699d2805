"""``licet matrix`` and ``licet explain``: what an app's policies allow, and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from licet.authn.issuers import embedded_issuer
from licet.authz.flask import (
    current_caller,
    current_session,
    matrix_of,
    policies_of,
    refusal_for,
)
from licet.authz.matrix import Matrix, as_html, as_json, as_markdown
from licet.authz.policies._models.mapping import python_type
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.errors import AccessDenied, AuthenticationError, ConfigurationError
from licet.errors.base import reason_of

__all__ = ["explain", "matrix"]

_FORMS: dict[str, Callable[[Matrix], str]] = {
    "markdown": as_markdown,
    "html": as_html,
    "json": as_json,
}
_UNREACHABLE = 4
_SUFFIXES = {".html": "html", ".json": "json"}


@click.command()
@click.argument("app", required=False)
@click.option("--format", "form", type=click.Choice(sorted(_FORMS)), help="markdown unless --check")
@click.option(
    "--check",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Exit 1 unless this file holds what would be printed.",
)
@click.pass_obj
def matrix(
    load_app: Callable[..., Flask], app: str | None, form: str | None, page: Path | None
) -> None:
    """Print who may do what: a table for each policy of APP, and its endpoints."""
    form = form or _SUFFIXES.get(page.suffix if page else "", "markdown")
    loaded = load_app(app)
    printed = _FORMS[form](matrix_of(loaded))
    if page is None:
        click.echo(printed, nl=False)
        return
    try:
        kept = page.read_text("utf-8")
    except FileNotFoundError:
        kept = ""
    if kept != printed:
        differences = unified_diff(
            kept.splitlines(), printed.splitlines(), str(page), "the code", lineterm=""
        )
        click.echo("\n".join(differences))
        click.echo(f"licet: {page} is not what the code says: write it anew.", err=True)
        sys.exit(1)


@click.command()
@click.argument("verb")
@click.argument("resource")
@click.argument("key")
@click.option("--as", "user", help="Who asks; nobody when not given.")
@click.pass_obj
def explain(
    load_app: Callable[..., Flask], verb: str, resource: str, key: str, user: str | None
) -> None:
    """Print why somebody may or may not do VERB with the object KEY of the policy RESOURCE.

    The last line has the status that HTTP would answer. Exits with 0 when they may, with 1 when
    not, with 4 when the database does not answer.
    """
    app = load_app(None)
    policy = _policy(app, resource)
    wanted = Verb(verb.upper() if verb.islower() else verb)
    asked = f"{user or 'nobody'} {wanted} {policy.name} {key}"
    headers = {}
    if user is not None:
        headers["Authorization"] = f"Bearer {embedded_issuer(app).mint(user, [])}"
    with app.test_request_context(headers=headers), _database_errors():
        owner = current_session().get(policy.model, _typed(policy, key))
        if owner is None:
            raise click.ClickException(f"There is no {policy.name} with the key {key!r}.")
        try:
            identity = current_caller()
        except (AccessDenied, AuthenticationError) as refusal:
            click.echo(f"{asked}: denied, {refusal.code}")
            raise click.ClickException(f"{user} may do nothing: {refusal.description}") from refusal
        click.echo(str(policy.explain(identity, wanted, owner)))
        decision = policy.decide(identity, wanted, owner)
        refused = None if decision else refusal_for(identity, decision)
        click.echo(f"{asked}: {'allowed' if refused is None else f'denied, {refused.code}'}")
        sys.exit(0 if decision else 1)


@contextmanager
def _database_errors() -> Iterator[None]:
    """End with 4 when the database of the app's objects cannot be read."""
    try:
        yield
    except DBAPIError as error:
        click.echo(
            f"licet: The database of the app's objects cannot be read: {reason_of(error)}", err=True
        )
        sys.exit(_UNREACHABLE)


def _policy(app: Flask, name: str) -> Policy:
    known = {policy.name: policy for policy in policies_of(app)}
    if name not in known:
        raise ConfigurationError(
            f"The app has no policy {name!r}; it has {', '.join(sorted(known)) or 'none'}."
        )
    return known[name]


def _typed(policy: Policy, key: str) -> Any:
    """The key as the type of the primary key's column."""
    (column,) = inspect(policy.model).primary_key
    wanted = python_type(column.type)
    if wanted is object:  # the database reads what is written
        return key
    try:
        return getattr(wanted, "fromisoformat", wanted)(key)
    except ValueError as error:
        raise click.ClickException(f"The key {key!r} is no {column.type}.") from error
