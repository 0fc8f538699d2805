"""Engine and session handling, licet's own migrations, and those of the app."""

from licet.db.apart import include_name, include_object
from licet.db.branches.unresolved import Unresolved
from licet.db.engine import Database
from licet.db.flask import database_of
from licet.db.migrate import current_revision, head_revision, upgrade
from licet.db.models import register_models
from licet.db.sweeps import on_sweep

__all__ = [
    "Database",
    "Unresolved",
    "current_revision",
    "database_of",
    "head_revision",
    "include_name",
    "include_object",
    "on_sweep",
    "register_models",
    "upgrade",
]
