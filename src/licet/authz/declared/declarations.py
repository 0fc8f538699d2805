"""What each endpoint of an app says about who may call it, wherever it is said.

On the view; by the marked ``before_request`` functions that stand over it; or by `declare`, for
what cannot be decorated. The audit and the printed matrix read the same list.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from licet.authz.declared._mounts import mounts_of, normalised
from licet.authz.declared._views import ANY, is_exempt, location_of, parts_of, sources_of
from licet.authz.declared.decorators import Decorator, DecoratorReader, decorator_of
from licet.authz.declared.marks import Access, AccessKind
from licet.errors.names import knows_its_options, refuse_unknown
from licet.settings.state import app_state, app_without_proxy

__all__ = [
    "PUBLIC",
    "AuditState",
    "Declaration",
    "audit_state",
    "declarations",
    "declarations_of",
    "declare",
    "declare_decorator",
    "declare_mount",
]

PUBLIC: Final = Access(kind=AccessKind.PUBLIC, text="public")
"""For `declare`: anybody may call it, and that is meant."""

_NOTHING_THERE: Final = Access(kind=AccessKind.PUBLIC, text="nothing there: no such folder")
_KEY: Final = "authz.audit"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Some methods of an endpoint, and what is said of them, the outermost guard first.

    `access` is empty when nothing is. An automatic OPTIONS, and a HEAD that is answered as GET, are
    left out; ``*`` is every method. `location` is the view's file:line. `remarks` tell why nothing
    is said by decorators that stand on the view.
    """

    endpoint: str
    rule: str
    methods: tuple[str, ...]
    access: tuple[Access, ...]
    location: str
    remarks: tuple[str, ...] = ()


@dataclass
class AuditState:
    """What the audit keeps of one app."""

    endpoints: dict[str, tuple[Access, ...]] = field(default_factory=dict)
    mounts: dict[str, tuple[Access, ...]] = field(default_factory=dict)
    decorators: list[Decorator] = field(default_factory=list)
    is_watching: bool = False  # looks at what is added
    is_hooked: bool = False  # stands before the first request
    is_due: bool = False  # the next request is preceded by an audit
    has_warned: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


def audit_state(app: Flask) -> AuditState:
    """The app's own."""
    return app_state(app).get_or_build(_KEY, lambda _settings: AuditState())


@knows_its_options
def declare(app: Flask, *endpoints: str, access: Access) -> None:
    """Say who may call endpoints whose views cannot be decorated, such as ``static``.

    Nothing is checked by it: `access` is `PUBLIC`, or tells what checks them instead.

    Raises:
        ConfigurationError: the app has no such endpoint (yet: register its blueprint before).
    """
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    for endpoint in endpoints:
        _require_known("endpoint", endpoint, known)
    declared = audit_state(app).endpoints
    for endpoint in endpoints:
        declared[endpoint] = (*declared.get(endpoint, ()), access)


@knows_its_options
def declare_decorator(
    app: Flask, decorator: Callable[[Any], Any], *, text: str | None = None
) -> None:
    """Say that views which `decorator` decorates let in only whom it admits.

    For guards of others' making, once for the whole app: ``declare_decorator(app, login_required)``
    for views, methods of class views, `decorators` of class views and ``before_request`` functions.
    A view counts as declared when the audit has found the decorator's own function around it, with
    nothing unknown outside of it, and that function has refused an anonymous request.

    Args:
        app: the app.
        decorator: what stands above the views; one with arguments is declared once for each.
        text: what the access matrix prints; the decorator's name when it has no arguments.

    Raises:
        ConfigurationError: its work cannot be recognised, or it has arguments and no `text`.
    """
    audit_state(app).decorators.append(decorator_of(decorator, text))


@knows_its_options
def declare_mount(app: Flask, path: str, access: Access) -> None:
    """Say who may call the WSGI app, the files or the proxy that `app.wsgi_app` serves at `path`.

    Raises:
        ConfigurationError: nothing is mounted there (yet: wrap `app.wsgi_app` before).
    """
    path = normalised(path)
    _require_known("mount", path, mounts_of(app))
    declared = audit_state(app).mounts
    declared[path] = (*declared.get(path, ()), access)


def _require_known(kind: str, name: str, known: Iterable[str]) -> None:
    refuse_unknown(
        f"The app has no {kind}",
        [name],
        frozenset(map(str, known)),
        remedy="Declare it after it was added.",
    )


def declarations(app: Flask) -> list[Declaration]:
    """Every endpoint and mount of the app with what is said of it, by rule and then by method."""
    app = app_without_proxy(app)
    found = [*declarations_of(app, app.url_map.iter_rules()), *_of_mounts(app)]
    return sorted(found, key=lambda one: (one.rule, one.methods, one.endpoint))


def _of_mounts(app: Flask) -> Iterator[Declaration]:
    declared = audit_state(app).mounts
    for path, target in mounts_of(app).items():
        yield Declaration(
            endpoint=f"mount {path}",
            rule=path,
            methods=(ANY,),
            access=declared.get(path, ()),
            location=target if isinstance(target, str) else location_of(target),
        )


def declarations_of(app: Flask, rules: Iterable[Rule]) -> Iterator[Declaration]:
    """What is said of these rules of the app, in their order."""
    declared = audit_state(app).endpoints
    reader = DecoratorReader(app, tuple(audit_state(app).decorators))
    guards_over = functools.cache(functools.partial(_guards_over, app, reader))
    for rule in rules:
        if rule.build_only or isinstance(rule.redirect_to, str):
            continue  # nothing is called for it
        endpoint, methods = str(rule.endpoint), tuple(sorted(_methods_of(rule)))
        outside = declared.get(endpoint, ())
        view = rule.redirect_to or app.view_functions.get(rule.endpoint)
        if not rule.redirect_to and not is_exempt(view):
            outside = guards_over(endpoint.rpartition(".")[0], methods) + outside
        folder = _static_folder(app, endpoint, view)
        if folder is not None and not Path(folder).is_dir():
            outside += (_NOTHING_THERE,)
        for part in parts_of(view, methods, reader.read):
            access = outside + part.access
            why = () if access else _remarks(app, reader, endpoint, view, part.methods)
            yield Declaration(
                endpoint=endpoint,
                rule=rule.rule,
                methods=part.methods,
                access=access,
                location=part.location if folder is None else folder,
                remarks=tuple(why),
            )


def _remarks(
    app: Flask, reader: DecoratorReader, endpoint: str, view: object, methods: tuple[str, ...]
) -> Iterator[str]:
    """Why decorators that stand on a view, or on the functions before it, say nothing of it."""
    for function in _functions_over(app, endpoint.rpartition(".")[0]):
        yield from reader.objections(function, methods)
    for source in sources_of(view, methods):
        yield from reader.objections(source, methods)
        yield from reader.stranger(source)


def _guards_over(
    app: Flask, reader: DecoratorReader, blueprint: str, methods: tuple[str, ...]
) -> tuple[Access, ...]:
    """What the functions say that Flask calls before a blueprint's views, in the order of calls."""
    functions = _functions_over(app, blueprint)
    return tuple(access for function in functions for access in reader.read(function, methods))


def _functions_over(app: Flask, blueprint: str) -> Iterator[object]:
    names: list[str | None] = [None]
    parts = blueprint.split(".") if blueprint else []
    names += [".".join(parts[: length + 1]) for length in range(len(parts))]
    for name in names:
        yield from app.before_request_funcs.get(name, ())


def _methods_of(rule: Rule) -> set[str]:
    if rule.methods is None:
        return {ANY}
    automatic = {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else set()
    return set(rule.methods) - automatic


def _static_folder(app: Flask, endpoint: str, view: object) -> str | None:
    """The folder that Flask's own static view serves; None for every other view."""
    owner: Flask | Blueprint | None = None
    if endpoint == "static" and getattr(view, "__module__", None) == "flask.app":
        owner = app
    elif getattr(view, "__name__", None) == "send_static_file":
        owner = getattr(view, "__self__", None)
    for known in (Flask, Blueprint):
        if isinstance(owner, known) and type(owner).send_static_file is known.send_static_file:
            return owner.static_folder
    return None
