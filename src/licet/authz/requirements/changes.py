"""Overrides and additions: requirements that are switched off, or asked besides, for a while.

Source: seed document 002 ("Disabling Requirements", "Adding More Requirements").
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

from werkzeug.local import LocalProxy

from licet.authz.requirements._contexts import Manager, innermost
from licet.authz.requirements._current import registered_allows
from licet.authz.requirements._requirement_set import RequirementSet

__all__ = [
    "Additional",
    "AdditionalManager",
    "Override",
    "OverrideManager",
    "current_additions",
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


def _current_overrides() -> Override | None:
    allows = registered_allows()
    if allows is not None:
        return allows.overrides.current  # type: ignore[no-any-return]  # an OverrideManager's
    found = innermost(OverrideManager.kind)
    return None if found is None else found[1]


current_overrides: Override = LocalProxy(_current_overrides)  # type: ignore[assignment]  # a proxy of one
"""What is switched off in checks of the app's Allows; outside of an app, what was pushed last."""

_UNTOLD = Override()
_in_force: ContextVar[Override | None] = ContextVar("licet.authz.in_force", default=_UNTOLD)


def overrides_in_force() -> Override | None:
    """The overrides of the check that is under way; outside of one, the current ones."""
    told = _in_force.get()
    return _current_overrides() if told is _UNTOLD else told


def while_in_force(overrides: Override | None, check: Callable[[], T]) -> T:
    """Run a check whose requirements may ask further ones by themselves, under these overrides."""
    token = _in_force.set(overrides)
    try:
        return check()
    finally:
        _in_force.reset(token)


class Additional(RequirementSet):
    """Requirements that checks ask too while this counts, each at most once, in any order."""

    def is_added(self, requirement: Any) -> bool:
        """Whether checks ask the requirement."""
        return requirement in self


class AdditionalManager(Manager[Additional]):
    """The additions of one `Allows`, reached as ``allows.additional``."""

    kind = "additional"
    container = Additional

    def additional(
        self,
        additional: Additional,
        use_parent: bool = False,  # noqa: FBT001, FBT002 - the seed's signature
    ) -> AbstractContextManager[Additional]:
        """Push `additional` for a block, which gets what then counts."""
        return self._for_a_while(additional, use_parent=use_parent)


def _current_additions() -> Additional | None:
    allows = registered_allows()
    if allows is not None:
        return allows.additional.current  # type: ignore[no-any-return]  # an AdditionalManager's
    found = innermost(AdditionalManager.kind)
    return None if found is None else found[1]


current_additions: Additional = LocalProxy(_current_additions)  # type: ignore[assignment]  # a proxy of one
"""What checks of the app's Allows ask besides; outside of an app, what was pushed last."""
