"""The table of Idempotency-Keys: one row for each key of a caller, for a day.

`key_hash` is of the principal and the key, `digest` of the request that came with it first.
`answer` is empty until that request was answered. `taken_at` is when it came, in seconds.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from licet.db.tables import metadata

__all__ = ["idempotency_key", "metadata"]

idempotency_key: Final = sa.Table(
    "licet_idempotency_key",
    metadata,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("taken_at", sa.BigInteger, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Index("ix_licet_idempotency_key_taken_at", "taken_at"),
)
