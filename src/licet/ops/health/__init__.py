"""Checks of an app's health, each of which gives whether it passed, and a sentence."""

from licet.ops.health.migrations import check_migrations

__all__ = ["check_migrations"]
