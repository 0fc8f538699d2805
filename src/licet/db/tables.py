"""What all of licet's tables belong to: each subject adds its own."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

__all__ = ["metadata"]

metadata: Final = sa.MetaData()
