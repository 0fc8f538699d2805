"""Migrations tried on a copy of a database: up, checked, down, up again, and what it cost."""

from licet.db.branches.rehearsal.play import Rehearsal, Step, rehearse

__all__ = ["Rehearsal", "Step", "rehearse"]
