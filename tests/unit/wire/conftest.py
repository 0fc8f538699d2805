"""A recording proxy that the environment names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.cli.conftest import licet
from tests.unit.wire.proxies import RecordingProxy, name_proxy, recording_proxy

__all__ = ["licet", "proxy"]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingProxy]:
    with recording_proxy() as found:
        name_proxy(monkeypatch, found.url)
        yield found
