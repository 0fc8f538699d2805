"""``storage``."""

from licet.actions.documents import AbstractActionRepository

__all__ = ["AbstractActionRepository"]
