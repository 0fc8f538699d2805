"""One latest moment for a whole exchange: connecting, TLS, each header, the body.

httpx2's time-outs hold for each read alone, so that a server which sends a byte now and then is
waited for without end. Here each read and write is given no longer than is left of the whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2

__all__ = ["keep_deadlines", "until"]

_LEAST_SECONDS: Final = (
    0.001  # 0 would mean that a socket does not wait at all, and fails otherwise
)
_present: Final = threading.local()


@contextmanager
def until(deadline: float, monotonic: Callable[[], float]) -> Iterator[None]:
    """Have what this thread sends and reads in the block end at `deadline` of the clock."""
    before = getattr(_present, "left", None)
    _present.left = lambda: deadline - monotonic()
    try:
        yield
    finally:
        _present.left = before


def _within(timeout: float | None) -> float | None:
    left: Callable[[], float] | None = getattr(_present, "left", None)
    if left is None:
        return timeout
    seconds = max(left(), _LEAST_SECONDS)
    return seconds if timeout is None else min(timeout, seconds)


def keep_deadlines(client: httpx2.Client) -> None:
    """Have the connections that `client` makes from now on keep `until`.

    The way in is httpcore2's public ``network_backend``, which httpx2 does not hand through.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - as above
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if backend is not None:
            pool._network_backend = _Backend(backend)  # type: ignore[union-attr]  # noqa: SLF001


class _Backend:
    """httpcore2's backend, whose connections keep the deadline."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        return _Stream(self._inner.connect_tcp(*args, timeout=_within(timeout), **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Stream:
    """httpcore2's connection; each wait is cut to what is left."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        found: bytes = self._inner.read(max_bytes, timeout=_within(timeout))
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout=_within(timeout))

    def start_tls(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        return _Stream(self._inner.start_tls(*args, timeout=_within(timeout), **kwargs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
