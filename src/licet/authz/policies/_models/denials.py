"""The condition that a denial does not hold, by which decisions know one from other negations."""

from __future__ import annotations

from dataclasses import dataclass

from licet.authz.policies.conditions import Negation

__all__ = ["NotForbidden"]


@dataclass(frozen=True, eq=False)
class NotForbidden(Negation):
    """The opposite of one line of `Policy.forbid`; the inner footnote is that line in words."""
