"""``licet matrix``, ``explain``, ``who``, ``access-review``: what policies allow whom, and why."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from licet.authn.issuers import embedded_issuer
from licet.authz.accounts import accounts_of
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
from licet.errors.names import suggestion

__all__ = ["access_review", "explain", "matrix", "print_or_check", "who"]

_MOST_LINES = 200

_FORMS: dict[str, Callable[[Matrix], str]] = {
    "markdown": as_markdown,
    "html": as_html,
    "json": as_json,
}
_UNREACHABLE = 4
_AT_ONCE = 500
_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
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
    print_or_check(printed, page, "what the code says")


def print_or_check(printed: str, page: Path | None, meant: str) -> None:
    """Print a page; or compare it with the file that holds it, and exit 1 if they differ.

    Args:
        printed: the page.
        page: the file; None to print.
        meant: what the file should be, for the message.
    """
    if page is None:
        click.echo(printed, nl=False)
        return
    try:
        kept = page.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        kept = ""
    if kept == printed:
        return
    lines = list(
        unified_diff(kept.splitlines(), printed.splitlines(), str(page), "new", lineterm="")
    )
    click.echo("\n".join(lines[:_MOST_LINES]))
    if len(lines) > _MOST_LINES:
        click.echo(f"… and {len(lines) - _MOST_LINES} lines more")
    click.echo(f"licet: {page} is not {meant}: write it anew.", err=True)
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
    wanted = _spelt(verb)
    asked = f"{user or 'nobody'} {wanted} {policy.name} {key}"
    headers = {}
    if user is not None:
        headers["Authorization"] = f"Bearer {embedded_issuer(app).mint(user, [])}"
    with app.test_request_context(headers=headers), _database_errors():
        owner = _found(policy, key)
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


@click.command()
@click.argument("app")
@click.argument("verb")
@click.argument("resource")
@click.argument("key")
@click.pass_obj
def who(load_app: Callable[..., Flask], app: str, verb: str, resource: str, key: str) -> None:
    """Print the accounts that may do VERB with the object KEY of APP's policy RESOURCE.

    A line for each, of its principal and its primary key; accounts that may not be used are left
    out. Control characters are escaped. Exits with 4 when the database does not answer.
    """
    loaded = load_app(app)
    policy = _policy(loaded, resource)
    wanted = _verb_of(policy, verb)
    with loaded.test_request_context(), _database_errors():
        n_found = 0
        for principal, account in _accounts_that_may(loaded, policy, wanted, _found(policy, key)):
            n_found += 1
            click.echo(f"{_in_one_line(principal)}\t{_in_one_line(account)}")
    if not n_found:
        click.echo(f"Nobody may {wanted} {policy.name} {key}.", err=True)


@click.command("access-review")
@click.argument("app")
@click.argument("resource")
@click.option("--verb", default="VIEW", show_default=True, help="What the accounts may do.")
@click.pass_obj
def access_review(load_app: Callable[..., Flask], app: str, resource: str, verb: str) -> None:
    """Print as CSV which accounts may do a verb with which objects of APP's policy RESOURCE.

    A line for each object and account: the policy, the object's key, the verb, the account's
    principal and key. What a spreadsheet would take for a formula begins with an apostrophe. Exits
    with 4 when the database does not answer.
    """
    loaded = load_app(app)
    policy = _policy(loaded, resource)
    wanted = _verb_of(policy, verb)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["resource", "key", "verb", "principal", "account"])
    with loaded.test_request_context(), _database_errors():
        session = current_session()
        for owner in _all_objects(policy, session):
            key = ",".join(map(str, inspect(owner).identity))
            for principal, account in _accounts_that_may(loaded, policy, wanted, owner):
                told = (policy.name, key, wanted.name, principal, account)
                rows.writerow([_harmless(cell) for cell in told])


def _all_objects(policy: Policy, session: Session) -> Iterator[Any]:
    """Every object of the policy's, by key; a few at a time are in the session."""
    keys = inspect(policy.model).primary_key
    for number, key in enumerate(session.execute(select(*keys).order_by(*keys)).all()):
        if number % _AT_ONCE == 0:
            session.expunge_all()
        owner = session.get(policy.model, tuple(key))
        if owner is not None:  # deleted meanwhile
            yield owner


def _accounts_that_may(
    app: Flask, policy: Policy, verb: Verb, owner: Any
) -> Iterator[tuple[str, str]]:
    """The principal and the primary key of each account, in the order of the keys."""
    accounts = accounts_of(app)
    keys = inspect(accounts.model).primary_key
    asked = policy.who_can(verb, owner, accounts=accounts).order_by(*keys)
    listed = asked.with_only_columns(accounts.principal.expression, *keys)
    for principal, *key in current_session().execute(listed):
        yield str(principal), ",".join(map(str, key))


def _in_one_line(text: str) -> str:
    """The text, so that it is no further line, column or command of a terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _harmless(cell: str) -> str:
    """The cell, so that no spreadsheet runs it: a formula begins with one of these characters."""
    is_number = cell.removeprefix("-").isdecimal()
    is_formula = cell.startswith(_OF_FORMULAS) or cell.lstrip().startswith(_OF_FORMULAS)
    return f"'{cell}" if is_formula and not is_number else cell


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


def _spelt(verb: str) -> Verb:
    return Verb(verb.upper() if verb.islower() else verb)


def _verb_of(policy: Policy, given: str) -> Verb:
    """The verb of that name, which the policy must have."""
    verb = _spelt(given)
    if verb.name not in policy.verbs:
        raise ConfigurationError(
            f"The policy {policy.name} has no verb {given!r}: "
            f"{suggestion(verb.name, set(policy.verbs))}"
        )
    return verb


def _found(policy: Policy, key: str) -> Any:
    """The object with the key."""
    owner = current_session().get(policy.model, _typed(policy, key))
    if owner is None:
        raise click.ClickException(f"There is no {policy.name} with the key {key!r}.")
    return owner


def _policy(app: Flask, name: str) -> Policy:
    known = {policy.name: policy for policy in policies_of(app)}
    if name not in known:
        raise ConfigurationError(
            f"The app has no policy {name!r}; it has {', '.join(sorted(known)) or 'none'}."
        )
    return known[name]


def _typed(policy: Policy, key: str) -> Any:
    """The key as the types of the primary key's columns, which commas separate."""
    columns = inspect(policy.model).primary_key
    if len(columns) == 1:
        return _typed_part(columns[0], key)
    parts = key.split(",")
    if len(parts) != len(columns):
        names = ",".join(column.name for column in columns)
        raise click.ClickException(f"The key {key!r} is not of the form {names}.")
    return tuple(map(_typed_part, columns, parts))


def _typed_part(column: Any, key: str) -> Any:
    wanted = python_type(column.type)
    if wanted is object:  # the database reads what is written
        return key
    try:
        return getattr(wanted, "fromisoformat", wanted)(key)
    except ValueError as error:
        raise click.ClickException(f"The key {key!r} is no {column.type}.") from error
