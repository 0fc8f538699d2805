"""Where a provider keeps its actions, when it does not use licet's own store."""

from __future__ import annotations

from abc import ABC, abstractmethod

from licet.actions.documents import ActionStatus

__all__ = ["AbstractActionRepository"]


class AbstractActionRepository(ABC):
    """What a blueprint asks of a provider's own storage.

    With one, the callbacks of status, cancel, release and resume get an `ActionStatus` instead of
    an id, and what they return is stored (or removed, for release).

    Source: the original toolkit's interface of the same name.
    """

    @abstractmethod
    def get(self, action_id: str) -> ActionStatus | None:
        """The action, or None."""

    @abstractmethod
    def store(self, action: ActionStatus) -> None:
        """Keep the action in its present state."""

    @abstractmethod
    def remove(self, action: ActionStatus) -> None:
        """Forget the action."""
