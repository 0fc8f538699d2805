"""The WSGI apps that stand beside an app, where none of its own guards sees a request.

Werkzeug's dispatcher, shared files and proxy are looked for under every layer of ``app.wsgi_app``.
What a middleware of another make serves by itself, or what stands before the whole app
(``application = DispatcherMiddleware(app, …)``), cannot be seen from the app.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, Final

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware

__all__ = ["mounts_of", "normalised"]

_LAYERS: Final = 2000  # objects that are looked into; middleware is a handful


def normalised(path: str) -> str:
    """A mount's path in its one spelling."""
    return "/" + path.strip("/")


def mounts_of(app: Flask) -> dict[str, object]:
    """What is served beside the app, by path: a WSGI app, or the name of files or of a server.

    "/" is what takes the requests that no mount takes, if it is not this app.
    """
    found: dict[str, object] = {}
    for layer in _layers(app, app.wsgi_app):
        branches = _branches(layer)
        inward = _inward(app, branches)
        for path, target in branches:
            on_the_way = any(target is one for one in inward)
            if not on_the_way and not isinstance(target, HTTPException):
                found.setdefault(normalised(path), target)
    return found


def _layers(app: Flask, outermost: object) -> Iterator[object]:
    """Whatever requests may pass through before they come to the app."""
    waiting, seen = [outermost], dict[int, object]()
    while waiting and len(seen) < _LAYERS:
        layer = waiting.pop()
        if id(layer) not in seen and not _is_app(app, layer):
            seen[id(layer)] = layer
            yield layer
            waiting += _inward(app, _branches(layer)) or _held_by(layer)


def _branches(layer: object) -> list[tuple[str, object]]:
    """Where a middleware sends requests, by path; what takes all others comes last."""
    if isinstance(layer, DispatcherMiddleware):
        return [*layer.mounts.items(), ("/", layer.app)]
    if isinstance(layer, SharedDataMiddleware):
        return [*((path, "files") for path, _loader in layer.exports), ("/", layer.app)]
    if isinstance(layer, ProxyMiddleware):
        return [*((path, to["target"]) for path, to in layer.targets.items()), ("/", layer.app)]
    return []


def _inward(app: Flask, branches: list[tuple[str, object]]) -> list[object]:
    """The branches on the way to the app.

    A mounted app may well know this one, so only what surely leads on counts as the way; where
    nothing surely does, the way is what takes the requests that no mount takes.
    """
    sure = [target for _path, target in branches if _surely_leads_to(app, target)]
    default = [target for _path, target in branches[-1:]]
    return sure or [target for target in default if _may_lead_to(app, target)]


def _surely_leads_to(app: Flask, target: object) -> bool:
    if _is_app(app, target):
        return True
    if branches := _branches(target):
        return any(_surely_leads_to(app, one) for _path, one in branches)
    inner = _attribute(target, "app")  # as werkzeug's middleware calls it
    ours = type(target).__module__.startswith("werkzeug.middleware.")
    return ours and inner is not None and _surely_leads_to(app, inner)


def _may_lead_to(app: Flask, target: object) -> bool:
    """Whether the app is held somewhere below a middleware of whatever make."""
    waiting, seen = [target], dict[int, object]()
    while waiting and len(seen) < _LAYERS:
        layer = waiting.pop()
        if _is_app(app, layer):
            return True
        if id(layer) not in seen:
            seen[id(layer)] = layer
            waiting += _held_by(layer)
    return False


def _is_app(app: Flask, layer: object) -> bool:
    return layer is app or _attribute(layer, "__self__") is app


def _attribute(layer: object, name: str) -> Any:
    """None where there is none, or where an object of whatever make does not give it."""
    try:
        return getattr(layer, name, None)
    except Exception:  # noqa: BLE001 - a proxy outside of its context, or a __getattr__
        return None


def _held_by(layer: Any) -> list[object]:
    """What a middleware keeps that it may call: attributes, a closure's variables, mounts."""
    if isinstance(layer, Flask | type | LocalProxy):
        return []
    if isinstance(layer, functools.partial):
        held = [layer.func, *layer.args, *layer.keywords.values()]
    elif (owner := _attribute(layer, "__self__")) is not None:
        held = [owner]
    else:
        held = [*(_attribute(layer, "__dict__") or {}).values()]
        held += [target for _path, target in _branches(layer)]
        held += _closed_over(layer)
    return [one for one in held if callable(one)]


def _closed_over(layer: Any) -> list[object]:
    cells = _attribute(layer, "__closure__") or ()
    found: list[object] = []
    for cell in cells:
        with contextlib.suppress(ValueError):  # an empty one
            found.append(cell.cell_contents)
    return found
