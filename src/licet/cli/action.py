"""``licet action``: any provider's operations from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from stamina.instrumentation import set_on_retry_hooks

from licet.actions.client import (
    LOG_PAGE,
    ActionClient,
    ActionFailed,
    ActionInactive,
    ProviderError,
    ProviderUnreachable,
)
from licet.cli.logins.exit_codes import login_exit_codes
from licet.wire.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from licet.cli.logins.renewal import KeptToken

    Token = str | KeptToken

__all__ = ["action"]

Command = Callable[..., None]
INTERRUPTED = 130  # what a shell tells of a program that Ctrl-C ended


def _complain(error: Exception) -> None:
    click.echo(printable(f"licet: {error}"), err=True)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        with login_exit_codes():
            yield
    except ActionFailed as error:
        _show(error.status)
        _complain(error)
        sys.exit(1)
    except ActionInactive as error:
        _show(error.status)
        _complain(error)
        sys.exit(3)
    except ProviderError as error:
        _complain(error)
        sys.exit(4 if error.status in (502, 503, 504) else 3)
    except (ProviderUnreachable, TimeoutError) as error:
        _complain(error)
        sys.exit(4)
    except ValueError as error:  # what was asked for cannot be sent: not Unicode, or no token
        _complain(error)
        sys.exit(2)


@click.group()
def action() -> None:
    """Run and follow actions of a provider.

    Exit codes: 0 done, 1 the action failed, 2 wrong usage, 3 refused or, when it was waited for,
    inactive, 4 unreachable.
    """
    set_on_retry_hooks(())  # standard error is for people


def _for_provider(command: Command) -> Command:
    """The argument and options that every operation takes."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="One line of JSON, for scripts."),
        click.option(
            "--token",
            envvar="LICET_TOKEN",
            help="The bearer token ($LICET_TOKEN); else that of `licet login`.",
        ),
        click.option(
            "--scope",
            "--action-scope",
            "scopes",
            multiple=True,
            help="What the token of `licet login` must be good for; repeatable.",
        ),
        click.argument("url"),
    ):
        command = decorate(command)
    return _with_token(command)


def _with_token(command: Command) -> Command:
    """Give the command one token for ``--token`` and ``--scope``."""

    @wraps(command)
    def called(*, url: str, token: str | None, scopes: tuple[str, ...], **options: Any) -> None:
        command(url=url, token=_kept(url, scopes) if token is None else token, **options)

    return called


def _kept(url: str, scopes: tuple[str, ...]) -> KeptToken:
    from licet.cli.logins.renewal import KeptToken  # not for who brings a token

    return KeptToken(url, scopes=scopes)


_with_action_id = click.argument("action_id")


def _show(document: object, *, as_json: bool = False) -> None:
    click.echo(json.dumps(document, indent=None if as_json else 2))


def _member(document: Any, name: str) -> str:
    try:
        return str(document[name])
    except (KeyError, TypeError) as error:
        raise ProviderUnreachable(f"The provider's answer lacks the member {name!r}.") from error


@action.command()
@_for_provider
def introspect(url: str, token: Token, as_json: bool) -> None:
    """What the provider at URL does, and what it takes."""
    with _exit_codes(), ActionClient(url, token) as client:
        _show(client.introspect(), as_json=as_json)


@action.command()
@_for_provider
@click.option("--body", required=True, help="The action's input: JSON, or @FILE with JSON.")
@click.option("--request-id", help="Repeat with the same id to be sure of exactly one action.")
@click.option("--label", help="A name for people to read, at most 64 characters.")
@click.option("--monitor-by", multiple=True, help="A principal that may see it; repeatable.")
@click.option("--manage-by", multiple=True, help="A principal that may cancel it; repeatable.")
@click.option("--release-after", help="How long it is kept, as in P30D.")
@click.option("--deadline", help="When it must have ended, as in 2030-01-31T12:00:00Z.")
@click.option("--watch", is_flag=True, help="Wait until it has ended, and show its progress.")
def run(
    url: str,
    token: Token,
    as_json: bool,
    body: str,
    request_id: str | None,
    watch: bool,
    **options: Any,
) -> None:
    """Start an action of the provider at URL."""
    asked = {name: value for name, value in options.items() if value}
    asked = {name: list(v) if isinstance(v, tuple) else v for name, v in asked.items()}
    with _exit_codes(), ActionClient(url, token) as client:
        status = client.run(_read_body(body), request_id=request_id, **asked)
        if watch:
            status = _watch(client, _member(status, "action_id"))
        _show(status, as_json=as_json)


def _read_body(text: str) -> dict[str, Any]:
    from licet.actions.interface.validation import parse_json  # pydantic, for `run` alone
    from licet.errors import BadActionRequest

    try:
        body = parse_json(Path(text[1:]).read_bytes() if text.startswith("@") else text.encode())
        json.dumps(body, allow_nan=False)
    except OSError as error:
        raise click.BadParameter(f"{text[1:]} cannot be read: {error.strerror}") from error
    except BadActionRequest as error:
        raise click.BadParameter(f"--body: {error.description}") from error
    except ValueError as error:
        raise click.BadParameter(f"--body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.BadParameter("--body must be a JSON object")
    return body


@action.command()
@_for_provider
@_with_action_id
@click.option("--watch", is_flag=True, help="Wait until it has ended, and show its progress.")
def status(url: str, token: Token, as_json: bool, action_id: str, watch: bool) -> None:
    """The state of the action ACTION_ID."""
    with _exit_codes(), ActionClient(url, token) as client:
        found = _watch(client, action_id) if watch else client.status(action_id)
        _show(found, as_json=as_json)


@action.command()
@_for_provider
@_with_action_id
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after so many seconds.")
def wait(url: str, token: Token, as_json: bool, action_id: str, timeout: float | None) -> None:
    """Wait until the action ACTION_ID has ended; without a progress bar, for scripts."""
    with _exit_codes(), ActionClient(url, token) as client:
        _show(client.wait(action_id, timeout_seconds=timeout), as_json=as_json)


def _operation(name: str, help_text: str) -> None:
    @action.command(name, help=help_text)
    @_for_provider
    @_with_action_id
    def command(url: str, token: Token, as_json: bool, action_id: str) -> None:
        with _exit_codes(), ActionClient(url, token) as client:
            _show(getattr(client, name)(action_id), as_json=as_json)


_operation("cancel", "Ask the action ACTION_ID to end.")
_operation("release", "Forget the completed action ACTION_ID.")
_operation("resume", "Go on with the inactive action ACTION_ID.")


@action.command()
@_for_provider
@_with_action_id
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--reverse", is_flag=True, help="Newest entry first.")
@click.option("--since", help="Not before this time, as in 2030-01-31T12:00:00Z.")
@click.option("--until", help="Not after this time.")
@click.option("--code", help="Entries with this code only.")
def log(
    url: str,
    token: Token,
    as_json: bool,
    action_id: str,
    limit: int,
    reverse: bool,
    **filters: str | None,
) -> None:
    """What the action ACTION_ID wrote while it ran; with --json, one line an entry."""
    query: dict[str, Any] = {name: value for name, value in filters.items() if value}
    query |= {"limit": min(limit, LOG_PAGE), "reverse_order": str(reverse).lower()}
    with _exit_codes(), ActionClient(url, token) as client:
        for entry in islice(client.log_entries(action_id, **query), limit):
            if as_json:
                _show(entry, as_json=True)
            else:
                members = (_member(entry, name) for name in ("time", "code", "description"))
                click.echo(printable("  ".join(members)))


@action.command("list")
@_for_provider
@click.option("--status", "statuses", default="active,inactive,succeeded,failed", show_default=True)
@click.option("--roles", default="creator_id", show_default=True)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
def list_actions(
    url: str, token: Token, as_json: bool, statuses: str, roles: str, limit: int
) -> None:
    """Your actions, newest first."""
    with _exit_codes(), ActionClient(url, token) as client:
        for _, found in zip(
            range(limit), client.enumerate(status=statuses, roles=roles), strict=False
        ):
            if as_json:
                _show(found, as_json=True)
            else:
                label = found.get("label") or ""
                action_id, state, started = (
                    _member(found, name) for name in ("action_id", "status", "start_time")
                )
                click.echo(printable(f"{action_id}  {state:9}  {started}  {label}"))


def _watch(client: ActionClient, action_id: str) -> dict[str, Any]:
    """Follow an action, on a terminal with a bar on standard error, until it has ended."""
    from rich.console import Console

    console = Console(stderr=True)
    try:
        return (
            _wait_with_bar(client, action_id, console)
            if console.is_terminal
            else client.wait(action_id)
        )
    except KeyboardInterrupt:
        click.echo(f"licet: no longer watching; action {action_id} goes on.", err=True)
        sys.exit(INTERRUPTED)


def _wait_with_bar(client: ActionClient, action_id: str, console: Console) -> dict[str, Any]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        shown = progress.add_task(action_id, total=None)

        def update(found: dict[str, Any]) -> None:
            text = printable(str(found.get("display_status") or found.get("status")))
            details = found.get("details")
            fraction = details.get("progress") if isinstance(details, dict) else None
            if isinstance(fraction, int | float):
                progress.update(shown, description=text, total=1.0, completed=float(fraction))
            else:
                progress.update(shown, description=text)

        return client.wait(action_id, on_progress=update)
