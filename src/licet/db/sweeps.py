"""What an app has done from time to time: the sweeper of `licet sweep` and of workers calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flask import Flask

from licet.errors import ConfigurationError
from licet.errors.names import knows_its_options
from licet.settings.state import app_state

__all__ = ["Sweep", "on_sweep", "sweeps_of"]

Sweep = Callable[[], int]
"""Does a round of something, and says how many rows were changed by it."""
_SWEEPS: Final = "db.sweeps"


@knows_its_options
def on_sweep(app: Flask, name: str, fn: Sweep) -> None:
    """Have the app's sweepers call the function, once a minute, in an app context.

    Any number of sweepers, in any number of processes, may call it at once. What it raises is
    logged, and it is called again the next time.

    Args:
        app: whose sweepers.
        name: of the round, for the log; another function of that name is replaced.
        fn: does a round, and gives the number of rows that it has changed.

    Raises:
        ConfigurationError: `fn` cannot be called, or the name is empty.
    """
    if not callable(fn):
        raise ConfigurationError(f"on_sweep calls a function, and {fn!r} is none.")
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"on_sweep takes a name for the log, such as 'drafts': {name!r}.")
    _registered(app)[name] = fn


def sweeps_of(app: Flask) -> Mapping[str, Sweep]:
    """What was registered, by name."""
    return dict(_registered(app))


def _registered(app: Flask) -> dict[str, Sweep]:
    return app_state(app).get_or_build(_SWEEPS, lambda _settings: {})
