"""Engine and session handling, and licet's own migrations."""

from licet.db.apart import include_object
from licet.db.engine import Database
from licet.db.flask import database_of
from licet.db.migrate import current_revision, head_revision, upgrade

__all__ = [
    "Database",
    "current_revision",
    "database_of",
    "head_revision",
    "include_object",
    "upgrade",
]
