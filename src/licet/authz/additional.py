"""Additions: requirements that every check asks for a while, beside its own.

Source: seed document 002 ("Adding More Requirements").
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from werkzeug.local import LocalProxy

from licet.authz._contexts import Manager, innermost
from licet.authz._current import registered_allows
from licet.authz._requirement_set import RequirementSet

__all__ = ["Additional", "AdditionalManager", "current_additions"]


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


def _current() -> Additional | None:
    allows = registered_allows()
    if allows is not None:
        return allows.additional.current  # type: ignore[no-any-return]  # an AdditionalManager's
    found = innermost(AdditionalManager.kind)
    return None if found is None else found[1]


current_additions: Additional = LocalProxy(_current)  # type: ignore[assignment]  # a proxy of one
"""What checks of the app's Allows ask besides; outside of an app, what was pushed last."""
