"""The ``licet`` command and what its subcommands share: the app, and errors as one line.

Exit codes: 0 done, 1 the action failed, 2 wrong usage, 3 refused, 4 unreachable.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from licet.cli.lazy_group import LazyCommand, LazyGroup
from licet.errors import ConfigurationError, LicetError
from licet.settings import check_environment

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["main"]

_DEFAULT_FILES: Final = ("app.py", "wsgi.py")
_COMMANDS: Final = (
    LazyCommand(
        "access-review",
        "licet.cli.access",
        "Print as CSV which accounts may do a verb with which objects of APP's policy RESOURCE.",
    ),
    LazyCommand("account", "licet.cli.account", "Create, block and list local accounts."),
    LazyCommand("action", "licet.cli.action", "Run and follow actions of a provider."),
    LazyCommand("audit", "licet.cli.audit", "Print who may call each endpoint."),
    LazyCommand("db", "licet.cli.db", "Migrate, check and copy licet's tables and the app's."),
    LazyCommand("doctor", "licet.cli.doctor", "Try whether the app is configured safely."),
    LazyCommand(
        "explain",
        "licet.cli.access",
        "Print why somebody may or may not do VERB with the object KEY of the policy RESOURCE.",
    ),
    LazyCommand("keys", "licet.cli.keys", "Manage the signing keys."),
    LazyCommand(
        "login",
        "licet.cli.login",
        "Sign in at ISSUER, so that `licet action` needs no --token.",
    ),
    LazyCommand(
        "logout",
        "licet.cli.login",
        "Sign out at ISSUER: end the sign-in there, and forget its tokens.",
    ),
    LazyCommand(
        "matrix",
        "licet.cli.access",
        "Print who may do what: a table for each policy of APP, and its endpoints.",
    ),
    LazyCommand(
        "openapi",
        "licet.cli.openapi",
        "Print the OpenAPI document of APP.",
    ),
    LazyCommand("serve", "licet.cli.serve", "Serve the app with gunicorn."),
    LazyCommand(
        "sweep",
        "licet.cli.worker",
        "Look after durable actions that nobody else looks after, until SIGTERM.",
    ),
    LazyCommand("token", "licet.cli.token", "Print a bearer token for USER that the app accepts."),
    LazyCommand(
        "who",
        "licet.cli.access",
        "Print the accounts that may do VERB with the object KEY of APP's policy RESOURCE.",
    ),
    LazyCommand(
        "whoami",
        "licet.cli.login",
        "Tell who is signed in, where, for which service and with which scopes; "
        "ends with 1 if nobody.",
    ),
    LazyCommand("worker", "licet.cli.worker", "Run the app's durable actions until SIGTERM."),
)


class _Group(LazyGroup):
    """Shows licet's own errors as one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LicetError as error:
            from licet.db.flask import told

            text, code = told(error, getattr(ctx.obj, "app", None))
            click.echo(f"licet: {text}", err=True)
            sys.exit(code)


class _AppLoader:
    """Loads the app that the command line names; `app` is the one that was loaded."""

    def __init__(self, import_path: str | None) -> None:
        self._import_path = import_path
        self.app: Flask | None = None

    def __call__(self, given: str | None = None) -> Flask:
        """The app at `given`, else at ``--app``, else in app.py or wsgi.py of the current folder.

        Raises:
            ConfigurationError: there is no app.
        """
        from flask.cli import NoAppException, ScriptInfo

        path = given or self._import_path
        if path is None and not any(Path(name).is_file() for name in _DEFAULT_FILES):
            raise click.UsageError(
                "Which app? Give --app module:name before the command, set LICET_APP, or run the "
                f"command in the folder of {' or '.join(_DEFAULT_FILES)}."
            )
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            with redirect_stdout(sys.stderr):  # what the app prints is no part of our output
                self.app = ScriptInfo(app_import_path=path, set_debug_flag=False).load_app()
        except NoAppException as error:
            raise ConfigurationError(str(error)) from error
        return self.app


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--app",
    "import_path",
    envvar=["LICET_APP", "FLASK_APP"],
    help="The Flask app, as module:name or module:factory; else app.py or wsgi.py is looked for.",
)
@click.version_option(package_name="licet", prog_name="licet")
@click.pass_context
def main(ctx: click.Context, import_path: str | None) -> None:
    """Run and inspect services made with licet."""
    check_environment()
    ctx.obj = _AppLoader(import_path)


main.add_lazily(_COMMANDS)
