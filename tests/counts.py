"""How much a run tries: quick counts, or with ``--full`` all that there is, as `make prove` does.

This is the one place where the size of a run is read. `docs/tests.md` lists what differs.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

__all__ = ["FULL", "count", "is_full", "load", "only_full", "unavailable"]

FULL = "--full"
_EXAMPLES = {"quick": 50, "full": 1_000}  # of a property that says nothing else
_loaded = "quick"


def load(*, full: bool) -> None:
    """Set the size of this run, before any test module is imported."""
    global _loaded  # noqa: PLW0603 - pytest tells it once
    for name, n_examples in _EXAMPLES.items():
        settings.register_profile(
            name,
            deadline=None,  # a machine that is busy makes no test fail
            max_examples=n_examples,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=True,
        )
    _loaded = "full" if full else "quick"
    settings.load_profile(_loaded)


def is_full() -> bool:
    """Whether everything is tried."""
    return _loaded == "full"


def count(*, quick: int, full: int | None) -> Any:
    """How often something is tried in this run; None is everything."""
    return full if is_full() else quick


def unavailable(text: str) -> NoReturn:
    """Skip a test whose server or browser is missing here; a full run and CI fail for that."""
    (pytest.fail if is_full() or os.environ.get("CI") else pytest.skip)(text)
    raise AssertionError(text)


def only_full(*values: Any, **options: Any) -> Any:
    """A case for `pytest.mark.parametrize` that only a full run tries."""
    return pytest.param(*values, marks=pytest.mark.full, **options)
