"""The answer of a policy: allowed or not, visible or not, and why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from licet.authz._explain import Explanation, first_failure

__all__ = ["ALLOWED", "Decision"]


@dataclass(frozen=True)
class Decision:
    """Whether the caller may do it; true in a boolean context when they may.

    `visible` and `reason` of a denial are worked out, by `explain` and `may_view`, when they are
    asked for: do so before the object changes again.
    """

    allowed: bool
    explain: Callable[[], Explanation] | None = None
    may_view: Callable[[], bool] | None = None

    def __bool__(self) -> bool:
        return self.allowed

    @cached_property
    def visible(self) -> bool:
        """Whether the caller may know that the object exists: 403 when they do, else 404."""
        return self.may_view is None or self.may_view()

    @cached_property
    def explanation(self) -> Explanation | None:
        """Every part of what was asked, with its outcome; None when it was allowed."""
        return None if self.explain is None else self.explain()

    @property
    def reason(self) -> str:
        """The first part because of which it was denied; for the log, never for the caller."""
        return "allowed" if self.explanation is None else first_failure(self.explanation)


ALLOWED: Final = Decision(allowed=True)
