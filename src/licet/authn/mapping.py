"""What an app makes of an identity: its own roles, its account, and how the account stands.

The app gives a function for each (`licet.Licet.roles_of`, ``account_of``, ``standing_of``). One
that raises, or gives something else than it should, is a bug: it denies, and is logged. Errors of
licet's own that it raises, a 503 for example, reach the caller as they are.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

from licet.authn.identity import Identity
from licet.errors import AccessDenied, ConfigurationError
from licet.errors.base import HTTPError
from licet.errors.names import with_article

__all__ = ["HOOKS", "IdentityMapping", "Standing"]

log = logging.getLogger(__name__)
Hook = Callable[[Any], Any]
HOOKS: Final = ("roles_of", "account_of", "standing_of")


class Standing(Enum):
    """Whether an account may be used."""

    ACTIVE = "active"
    UNAPPROVED = "unapproved"  # nobody has let them in yet
    DISABLED = "disabled"  # somebody has put them out


class IdentityMapping:
    """The functions that one app gave."""

    def __init__(self) -> None:
        self._hooks: dict[str, Hook] = {}

    def has(self, name: str) -> bool:
        """Whether the app gave the function called `name`."""
        return name in self._hooks

    def give(self, name: str, hook: Hook) -> None:
        """Take `hook` as the app's function called `name`.

        Raises:
            ConfigurationError: it is no function, is asynchronous, or is the second.
        """
        if not callable(hook) or isinstance(hook, type) or inspect.iscoroutinefunction(hook):
            raise ConfigurationError(
                f"@licet.{name} takes an ordinary function of one argument, not {hook!r}."
            )
        if self._hooks.setdefault(name, hook) is not hook:
            raise ConfigurationError(
                f"The app has {with_article(name)} already: {self._hooks[name]!r}. There can be "
                "one."
            )

    def take(self, other: IdentityMapping) -> None:
        """Take every function that `other` was given.

        Raises:
            ConfigurationError: there is another of that name.
        """
        for name, hook in other._hooks.items():
            self.give(name, hook)

    def roles(self, identity: Identity) -> frozenset[str]:
        """The app's roles for `identity`; the issuer's, when the app gave no function.

        Raises:
            AccessDenied: the app's function fails.
        """
        if not self.has("roles_of"):
            return identity.roles
        found = self._ask("roles_of", identity)
        if not isinstance(found, AbstractSet) or not all(isinstance(role, str) for role in found):
            raise _denial("roles_of", f"gives {type(found).__name__}, not a set of str")
        return frozenset(found)

    def account(self, identity: Identity) -> Any:
        """The app's account of `identity`, or None when they are not registered.

        Raises:
            AccessDenied: the app's function fails.
            ConfigurationError: the app gave none.
        """
        if not self.has("account_of"):
            raise ConfigurationError(
                "The app has no accounts that licet knows of: give it a function with "
                "@licet.account_of."
            )
        found = self._ask("account_of", identity)
        if found is not None and not _is_account(found):
            raise _denial("account_of", f"gives {type(found).__name__}, not an account or None")
        return found

    def standing(self, account: Any) -> Standing:
        """How `account` stands; active, when the app gave no function.

        Raises:
            AccessDenied: the app's function fails.
        """
        if not self.has("standing_of"):
            return Standing.ACTIVE
        found = self._ask("standing_of", account)
        if not isinstance(found, Standing):
            raise _denial("standing_of", f"gives {type(found).__name__}, not a Standing")
        return found

    def _ask(self, name: str, argument: Any) -> Any:
        try:
            found = self._hooks[name](argument)
        except Exception as error:
            if isinstance(error, HTTPError):
                raise
            raise _denial(name, _told(error)) from error
        if inspect.iscoroutine(found):
            found.close()  # else Python warns that nobody awaited it
        return found


def _is_account(found: object) -> bool:
    """Whether it can stand for somebody: it is finished, and neither a claim nor empty."""
    # What can be awaited is also werkzeug's proxy, which may stand for None.
    unfinished = inspect.isawaitable(found) or inspect.isgenerator(found)
    if unfinished or isinstance(found, bool | type) or inspect.isroutine(found):
        return False
    try:
        return bool(found)
    except Exception:  # noqa: BLE001 - what has no truth, as an SQL expression, is no account
        return False


def _told(error: Exception) -> str:
    """Kind and place, not the text, which may quote whom it is about."""
    (*_, last) = traceback.extract_tb(error.__traceback__)
    return f"raised {type(error).__name__} in {PurePath(last.filename).name}, line {last.lineno}"


def _denial(name: str, mistake: str) -> AccessDenied:
    log.error("The app's %s %s, which denies", name, mistake)
    return AccessDenied()
