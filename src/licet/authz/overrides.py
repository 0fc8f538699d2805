"""Overrides: requirements that are switched off for a while.

Source: seed document 002 ("Disabling Requirements").
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

from werkzeug.local import LocalProxy

from licet.authz._contexts import Manager, innermost
from licet.authz._current import registered_allows
from licet.authz._requirement_set import RequirementSet

__all__ = [
    "Override",
    "OverrideManager",
    "current_overrides",
    "overrides_in_force",
    "while_in_force",
]

T = TypeVar("T")


class Override(RequirementSet):
    """Requirements that are not asked while this counts, compared by ``==`` and hash."""

    def is_overridden(self, requirement: Any) -> bool:
        """Whether the requirement is switched off."""
        return requirement in self


class OverrideManager(Manager[Override]):
    """The overrides of one `Allows`, reached as ``allows.overrides``."""

    kind = "override"
    container = Override

    def override(
        self,
        override: Override,
        use_parent: bool = False,  # noqa: FBT001, FBT002 - the seed's signature
    ) -> AbstractContextManager[Override]:
        """Push `override` for a block, which gets what then counts."""
        return self._for_a_while(override, use_parent=use_parent)


def _current() -> Override | None:
    allows = registered_allows()
    if allows is not None:
        return allows.overrides.current  # type: ignore[no-any-return]  # an OverrideManager's
    found = innermost(OverrideManager.kind)
    return None if found is None else found[1]


current_overrides: Override = LocalProxy(_current)  # type: ignore[assignment]  # a proxy of one
"""What is switched off in checks of the app's Allows; outside of an app, what was pushed last."""

_UNTOLD = Override()
_in_force: ContextVar[Override | None] = ContextVar("licet.authz.in_force", default=_UNTOLD)


def overrides_in_force() -> Override | None:
    """The overrides of the check that is under way; outside of one, the current ones."""
    told = _in_force.get()
    return _current() if told is _UNTOLD else told


def while_in_force(overrides: Override | None, check: Callable[[], T]) -> T:
    """Run a check whose requirements may ask further ones by themselves, under these overrides."""
    token = _in_force.set(overrides)
    try:
        return check()
    finally:
        _in_force.reset(token)
