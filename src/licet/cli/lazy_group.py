"""A group of the command line whose commands are imported when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import click
from click.shell_completion import CompletionItem

__all__ = ["LazyCommand", "LazyGroup"]


class LazyCommand(click.Command):
    """The name and the help of a command, for lists; `load` imports the command itself.

    Args:
        name: the command's name, and, with _ for -, its name in `module`.
        module: where it is defined.
        help_line: the first sentence of the command's own help.
    """

    def __init__(self, name: str, module: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = module
        self._attribute = name.replace("-", "_")

    def load(self) -> click.Command:
        """The command itself."""
        found: click.Command = getattr(import_module(self._module), self._attribute)
        return found


class LazyGroup(click.Group):
    """Imports a command when it is called; its help and its completion import none."""

    def add_lazily(self, commands: Iterable[LazyCommand]) -> None:
        """Add commands that are imported later."""
        for command in commands:
            self.add_command(command)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported if need be."""
        found = super().get_command(ctx, cmd_name)
        return found.load() if isinstance(found, LazyCommand) else found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, from their names and help lines."""
        click.Group(commands=self.commands).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands as click does, from their names and help lines."""
        listed = [
            CompletionItem(name, help=self.commands[name].get_short_help_str())
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return listed + click.Command.shell_complete(self, ctx, incomplete)
