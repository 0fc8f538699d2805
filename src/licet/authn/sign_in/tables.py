"""The tables of sign-in at foreign providers. Moments are whole seconds since 1970.

What a browser holds is kept as its SHA-256 only, and no token of a provider is kept at all.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from licet.db.tables import metadata

__all__ = ["attempt", "foreign_session", "metadata"]

# Sign-ins on their way: whoever comes back takes the row away.
attempt: Final = sa.Table(
    "licet_sign_in",
    metadata,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("next_path", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_sign_in_expires_at", "expires_at"),
)

foreign_session: Final = sa.Table(
    "licet_foreign_session",
    metadata,
    sa.Column("cookie_hash", sa.String(64), primary_key=True),
    sa.Column("principal", sa.String(64), nullable=False),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("claims", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Index("ix_licet_foreign_session_principal", "principal", "created_at"),
    sa.Index("ix_licet_foreign_session_expires_at", "expires_at"),
)
