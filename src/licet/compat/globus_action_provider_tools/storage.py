"""``storage``."""

from licet.actions.repository import AbstractActionRepository

__all__ = ["AbstractActionRepository"]
