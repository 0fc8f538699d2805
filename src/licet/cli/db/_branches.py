"""Which app and which branches a command is about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from flask import Flask

from licet.db.branches.branch import APP, LICET, Branch
from licet.db.branches.foreign_env import unread_settings
from licet.db.branches.moves.scripts import is_known
from licet.db.models import branches_of, other_binds
from licet.errors import ConfigurationError, SchemaUnusable, StoreUnavailable
from licet.errors.base import reason_of

__all__ = ["branch_option", "chosen", "main_branch", "of_revision", "telling", "with_app"]

F = TypeVar("F", bound=Callable[..., Any])
_TOLD: Final = "licet.db.env"
_NO_MODELS: Final = (
    "The app has registered no models, so there is no branch app: call "
    "licet.db.register_models(app, Base) where the app is made."
)
branch_option: Final = click.option(
    "--branch",
    "name",
    type=click.Choice([LICET, APP]),
    help="Only the migrations of licet's tables, or only of the app's.",
)


def with_app(command: F) -> F:
    """Give a command the app as its first argument, and run it in the app's context.

    Under ``licet`` the context's object loads the app, under ``flask`` it is Flask's `ScriptInfo`.
    """

    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        found: Any = ctx.obj
        app: Flask = getattr(found, "load_app", found)()
        with app.app_context():
            return ctx.invoke(command, app, *args, **kwargs)

    return functools.update_wrapper(run, command)  # type: ignore[return-value]  # click's decorator


def chosen(app: Flask, name: str | None) -> list[Branch]:
    """The named branch, or all: licet's first, since tables of the app's may refer to it."""
    found = branches_of(app)
    if APP in found and name != LICET:
        _tell_unread(app, found[APP])
    if name is None:
        return list(found.values())
    if name not in found:
        raise ConfigurationError(_NO_MODELS)
    return [found[name]]


def _tell_unread(app: Flask, branch: Branch) -> None:
    ctx = click.get_current_context().find_root()
    if ctx.meta.setdefault(_TOLD, False):
        return
    ctx.meta[_TOLD] = True
    for path, names in unread_settings(branch):
        remedy = (
            f"the revisions are those in {_shown(branch.versions)}; take it out there."
            if path.suffix == ".ini"
            else "say it by register_models(app, models, ignored=…, url=…), then take it out there."
        )
        click.echo(
            f"app: {path} configures {', '.join(names)}, which licet does not read: {remedy}",
            err=True,
        )
    for bind, count in other_binds(app).items():
        click.echo(
            f"app: {count} tables of the bind {bind} are left out: licet migrates and checks the "
            "default bind only.",
            err=True,
        )


def main_branch(app: Flask, name: str | None) -> Branch:
    """The named branch; without a name the app's, or licet's where the app has none."""
    return chosen(app, name)[-1]


def of_revision(app: Flask, name: str | None, revision: str) -> Branch:
    """The branch that a revision is of.

    Raises:
        ConfigurationError: no branch has it, or both have.
    """
    if name is not None or not revision[:1].isalnum() or revision in ("base", "head", "heads"):
        return main_branch(app, name)
    named, _at, _steps = revision.partition("@")  # such as label@head, or 1a2b3c@-1
    found = [one for one in chosen(app, None) if is_known(one, named)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"Both branches have a revision {revision}: say --branch licet or --branch app."
        )
    folders = " and ".join(_shown(one.versions) for one in chosen(app, None))
    raise ConfigurationError(f"There is no revision {revision} in {folders}.")


def _shown(folder: Path) -> str:
    return str(folder.absolute())


@contextmanager
def telling(branch: Branch) -> Iterator[None]:
    """Have an error about a database that does not answer name the branch's."""
    try:
        yield
    except SchemaUnusable:
        raise
    except StoreUnavailable as error:
        if branch.name == LICET:
            raise  # which the command line tells, with its setting
        raise StoreUnavailable(
            f"The app's database {branch.place} cannot be used: {reason_of(error)}. Start it, or "
            "correct its URL."
        ) from error
