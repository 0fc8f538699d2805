"""Commands are imported when they are called, and listed as if they had been."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from licet.cli import main
from licet.cli.lazy_group import LazyCommand

NAMES = sorted(main.commands)
HEAVY = {"flask", "werkzeug", "sqlalchemy", "pydantic", "httpx2", "rich", "gunicorn"}


def called(*words: str, **environ: str) -> tuple[str, set[str]]:
    """What ``licet`` printed, and the modules that it has loaded when it ends."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from licet.cli import main\n"
        "main(prog_name='licet')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, set(done.stderr.split())


def help_lines(group: click.Group, width: int) -> str:
    """The list of commands as a terminal of this width shows it."""
    formatter = click.HelpFormatter(width=width)
    group.format_commands(click.Context(group), formatter)
    return formatter.getvalue()


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("tokne",)])
def test_no_command_is_imported_for_a_list(words: tuple[str, ...]):
    """The version, the help and the words for a typing error come from names alone."""
    _, loaded = called(*words)

    assert "licet.cli.main" in loaded
    assert not loaded & (HEAVY | {"licet.cli.token", "licet.cli.action"})


def test_no_command_is_imported_for_completion():
    """A shell that completes ``licet w`` imports no command."""
    asked = {"_LICET_COMPLETE": "bash_complete", "COMP_WORDS": "licet w", "COMP_CWORD": "1"}

    printed, loaded = called(**asked)

    assert printed.split() == ["plain,who", "plain,whoami", "plain,worker"]
    assert not loaded & (HEAVY | {"licet.cli.worker"})


def test_a_called_command_imports_no_other():
    """``licet action`` imports nothing that serves requests."""
    _, loaded = called("action", "--help")

    assert "licet.cli.action" in loaded
    assert not loaded & (HEAVY - {"httpx2", "rich"})  # older versions of httpx2 import rich


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [30, 60, 80, 250])
def test_the_listed_help_is_the_command_s(name: str, width: int):
    """A command is listed as click would list it if it were imported."""
    listed = main.commands[name]
    assert isinstance(listed, LazyCommand)
    itself = main.get_command(click.Context(main, **main.context_settings), name)
    assert itself is not None

    assert not isinstance(itself, LazyCommand)
    assert itself.name == name
    assert help_lines(click.Group(commands=[listed]), width) == help_lines(
        click.Group(commands=[itself]), width
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(licet, name: str):
    """``licet COMMAND --help`` works for each command that is listed."""
    result = licet(name, "--help")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Usage: main {name} ")


@pytest.mark.parametrize(("typed", "offered"), [("w", ["who", "whoami", "worker"]), ("x", [])])
def test_completion(typed: str, offered: list[str]):
    """A shell is offered the commands that begin with what was typed."""
    found = main.shell_complete(click.Context(main, **main.context_settings), typed)

    assert [item.value for item in found] == offered
    assert all(item.help for item in found)


def test_options_are_completed_too():
    """A dash completes the group's own options."""
    context = click.Context(main, **main.context_settings)
    assert "--app" in [item.value for item in main.shell_complete(context, "--a")]


def test_a_typing_error_is_pointed_at(licet):
    """An unknown command is wrong usage, and the nearest ones are named."""
    result = licet("tokne", "alice")

    assert result.exit_code == 2
    assert "No such command 'tokne'" in result.stderr


def test_python_m_licet():
    """``python -m licet`` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "licet", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("licet, version ")
