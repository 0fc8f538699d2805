"""How a command ends when a sign-in is refused or cannot be asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from licet.authn.tokens._fetch import ProviderUnusable
from licet.cli.logins.errors import LoginRefused, LoginUnreachable
from licet.wire.text import printable

__all__ = ["login_exit_codes", "tell"]

_REFUSED: Final = 3
_UNREACHABLE: Final = 4


@contextmanager
def login_exit_codes() -> Iterator[None]:
    """End with 3 when the sign-in is refused, with 4 when somebody cannot be reached."""
    try:
        yield
    except LoginRefused as error:
        tell(str(error))
        sys.exit(_REFUSED)
    except (LoginUnreachable, ProviderUnusable) as error:
        tell(str(error))
        sys.exit(_UNREACHABLE)


def tell(text: str) -> None:
    """Write one line on standard error."""
    click.echo(printable(f"licet: {text}"), err=True)
