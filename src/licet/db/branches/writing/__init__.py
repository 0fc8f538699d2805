"""Writes a revision from what differs between the models and the database."""

from licet.db.branches.writing.revision import Written, write_revision

__all__ = ["Written", "write_revision"]
