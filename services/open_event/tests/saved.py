"""The conference as it was at first, for tests that change it hundreds of times."""

import sqlite3
from collections.abc import Callable

from flask import Flask


def restorer(app: Flask) -> Callable[[], None]:
    """A function that brings the whole database back as it is now, page by page."""
    database = app.extensions["open_event"]
    database.prepare()
    copy = sqlite3.connect(":memory:", check_same_thread=False)

    def copied(*, back: bool) -> None:
        with database.engine.connect() as connection:
            original = connection.connection.driver_connection
            copy.backup(original) if back else original.backup(copy)

    copied(back=False)
    return lambda: copied(back=True)
