"""What all of licet's tables belong to: each subject adds its own, in a module ``tables``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

import sqlalchemy as sa

__all__ = ["all_tables", "metadata"]

metadata: Final = sa.MetaData()
_LICET: Final = Path(__file__).parent.parent


def all_tables() -> sa.MetaData:
    """The metadata with the tables of every subject in it.

    The subjects are found by the name of their module, since what is below them imports none.
    """
    for path in sorted(_LICET.rglob("tables.py")):
        import_module(".".join(("licet", *path.relative_to(_LICET).with_suffix("").parts)))
    return metadata
