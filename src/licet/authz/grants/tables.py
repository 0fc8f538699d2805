"""The table of grants. It lies beside the tables of the objects, in licet's database.

`object_type` is the name of the objects' table, with its schema if it has one, and `object_id`
their primary key as text, of a UUID its 32 digits. Rows are never deleted: what was granted once
can be told later.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from licet.db.tables import metadata
from licet.db.types import UTCDateTime

__all__ = ["PRINCIPAL_LENGTH", "grant", "metadata"]

PRINCIPAL_LENGTH: Final = 255
grant: Final = sa.Table(
    "licet_grant",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("grantee", sa.String(PRINCIPAL_LENGTH), nullable=False),
    sa.Column("role", sa.String(64), nullable=False),
    sa.Column("object_type", sa.String(128), nullable=False),
    sa.Column("object_id", sa.String(255), nullable=False),
    sa.Column("giver", sa.String(PRINCIPAL_LENGTH), nullable=False),
    sa.Column("given_at", UTCDateTime, nullable=False),
    sa.Column("expires_at", UTCDateTime),
    sa.Column("revoked_at", UTCDateTime),
    sa.Column("reason", sa.Text),
    sa.Index("ix_licet_grant_object", "object_type", "object_id", "role"),
    sa.Index("ix_licet_grant_grantee", "grantee", "object_type", "role"),
)
