"""The one place where licet keeps something on an app, and the one on a request.

Each subject stores what it builds under a name of its own and builds it at first use, so that
a program which never calls `licet.Licet` still finds everything at its default.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy

from licet.settings import Settings

__all__ = [
    "AppState",
    "app_itself",
    "app_state",
    "app_without_proxy",
    "is_known_to_licet",
    "licet_values",
    "request_itself",
    "request_state",
]

T = TypeVar("T")
_KEY = "licet"


@dataclass
class AppState:
    """What licet knows of one app: its settings, and what was built from them.

    `config_read` holds the ``LICET_*`` values of the app's config as they were read.
    """

    settings: Settings
    config_read: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _built: dict[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def get_or_build(self, name: str, build: Callable[[Settings], T]) -> T:
        """The part called `name`, built once however many threads ask at once."""
        try:
            return self._built[name]  # type: ignore[no-any-return]  # parts are keyed by name
        except KeyError:
            with self._lock:
                if name not in self._built:
                    self._built[name] = build(self.settings)
                return self._built[name]  # type: ignore[no-any-return]  # as above

    def has(self, name: str) -> bool:
        """Whether the part called `name` was built or put."""
        return name in self._built

    def put(self, name: str, part: object) -> None:
        """Put a part in place of the one that would be built."""
        with self._lock:
            self._built[name] = part


def app_without_proxy(app: Flask) -> Flask:
    """The app itself where `current_app` was given, which means another app, or none, later."""
    given: Any = app
    itself: Flask = given._get_current_object() if isinstance(given, LocalProxy) else app  # noqa: SLF001 - the name that werkzeug gave it
    return itself


def app_state(app: Flask) -> AppState:
    """The app's state, made at first use from the app's config as it then is."""
    state = app.extensions.get(_KEY)
    if state is None:
        state = AppState(Settings.read(app.config, Path(app.instance_path)), licet_values(app))
        state = app.extensions.setdefault(_KEY, state)
    return state  # type: ignore[no-any-return]  # app.extensions is untyped


def is_known_to_licet(app: Flask) -> bool:
    """Whether anything of licet was given the app; unlike `app_state`, this changes nothing."""
    return _KEY in app.extensions


def licet_values(app: Flask) -> dict[str, Any]:
    """The ``LICET_*`` values of the app's config as it now is."""
    return {n: v for n, v in app.config.items() if isinstance(n, str) and n.startswith("LICET_")}


# Asked directly: each attribute that is read through the proxy costs 0.7 µs.
app_itself: Callable[[], Flask] = current_app._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's
request_itself: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001 - werkzeug's


def request_state() -> dict[str, Any]:
    """What licet knows of the current request."""
    # Not on flask.g: requests that are made within one app context share that.
    return request_itself().__dict__.setdefault(_KEY, {})  # type: ignore[no-any-return]  # values are untyped
