"""No app starts while nobody has said who may call one of its endpoints.

`protect` looks at all of them, then at each that is added, and once more before the first request,
when views may have been replaced.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from licet.authz.declared._twice import tell_rules_twice
from licet.authz.declared._views import location_of, marks_on
from licet.authz.declared.declarations import (
    AuditState,
    Declaration,
    audit_state,
    declarations,
    declarations_of,
)
from licet.authz.declared.marks import AccessKind, arguments_of
from licet.errors import ConfigurationError, UndeclaredEndpoint, UndeclaredEndpoints
from licet.settings.state import app_without_proxy

__all__ = ["SharedResourceWarning", "protect", "protect_before_first_request", "undeclared"]


class SharedResourceWarning(UserWarning):
    """Two endpoints ask for the same resource by name, and one of them is likely a copy."""


def protect(app: Flask) -> None:
    """Let the app start only when every endpoint says who may call it.

    What is added afterwards is looked at when it is added, a blueprint when it is whole.

    Raises:
        UndeclaredEndpoints: some do not; it lists them, and says what to do.
        ConfigurationError: a view is guarded by an argument that its rule does not have.
    """
    app = app_without_proxy(app)
    state = audit_state(app)
    with state.lock:
        protect_before_first_request(app)
        found = declarations(app)
        _refuse(undeclared(found))
        _require_arguments(app, app.url_map.iter_rules())
        _warn_once(app, state, found)
        if not state.is_watching:
            state.is_watching = True
            _watch(app)


def undeclared(found: Iterable[Declaration]) -> list[UndeclaredEndpoint]:
    """Those of which nothing is said."""
    return [
        UndeclaredEndpoint(
            endpoint=one.endpoint,
            rule=one.rule,
            methods=one.methods,
            location=one.location,
            remarks=one.remarks,
        )
        for one in found
        if not one.access
    ]


def _refuse(offenders: list[UndeclaredEndpoint]) -> None:
    if offenders:
        raise UndeclaredEndpoints(offenders)


def protect_before_first_request(app: Flask) -> None:
    """Have the app protected when its first request comes, and refuse requests until it can be.

    A refused request is an error 500 whose reason is in the log; under ``TESTING`` it is raised.
    """
    state = audit_state(app)
    with state.lock:
        state.is_due = True
        if not state.is_hooked:
            state.is_hooked = True
            _stand_before_requests(app, state)


def _stand_before_requests(app: Flask, state: AuditState) -> None:
    dispatch = app.full_dispatch_request

    @functools.wraps(dispatch)
    def dispatch_when_protected(*args: Any, **kwargs: Any) -> Any:
        if state.is_due:
            with state.lock:
                protect(app)
                state.is_due = False
        return dispatch(*args, **kwargs)

    # An error here is not one that the app's own handlers may answer as if a view had raised it.
    app.full_dispatch_request = dispatch_when_protected  # type: ignore[method-assign]  # meant


def _watch(app: Flask) -> None:
    """Look at every rule and blueprint that is added from now on."""
    add_url_rule, register_blueprint = app.add_url_rule, app.register_blueprint
    registering: list[object] = []

    @functools.wraps(add_url_rule)
    def add_and_look(
        rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        add_url_rule(rule, endpoint, view_func, *args, **options)
        name = view_func.__name__ if endpoint is None else endpoint
        if not registering and name in app.view_functions:  # else @app.endpoint will come
            _look_again(app, lambda: declarations_of(app, app.url_map.iter_rules(name)))

    @functools.wraps(register_blueprint)
    def register_and_look(blueprint: Any, **options: Any) -> None:
        registering.append(blueprint)
        try:
            register_blueprint(blueprint, **options)
        finally:
            registering.pop()
        if not registering:
            _look_again(app, lambda: declarations(app))

    app.add_url_rule = add_and_look  # type: ignore[method-assign]  # this app's only
    app.register_blueprint = register_and_look  # type: ignore[method-assign]  # as above


def _look_again(app: Flask, find: Callable[[], Iterable[Declaration]]) -> None:
    protect_before_first_request(app)  # whoever catches the error serves no request either
    _refuse(undeclared(find()))
    _require_arguments(app, app.url_map.iter_rules())


def _require_arguments(app: Flask, rules: Iterable[Rule]) -> None:
    """Refuse a rule without the arguments that its view takes the object's key from."""
    if app.url_value_preprocessors:  # which may add arguments
        return
    for rule in rules:
        view = app.view_functions.get(rule.endpoint)
        if missing := [name for name in arguments_of(view) if name not in rule.arguments]:
            known = ", ".join(sorted(rule.arguments)) or "none"
            raise ConfigurationError(
                f"The view {rule.endpoint} ({location_of(view)}) finds its object by "
                f"{', '.join(map(repr, missing))}, and its rule {rule.rule} has the arguments: "
                f"{known}. Name one of them in with_object, or add it to the rule."
            )


def _warn_once(app: Flask, state: AuditState, found: list[Declaration]) -> None:
    if state.has_warned:
        return
    state.has_warned = True
    tell_rules_twice(app)
    for resource, endpoints in _shared_resources(app, found):
        warnings.warn(
            f"The resource {resource!r} is asked for by {', '.join(endpoints)}: who may use one of "
            "them may use all. Is one a copy?",
            SharedResourceWarning,
            stacklevel=3,
        )


def _shared_resources(app: Flask, found: list[Declaration]) -> Iterator[tuple[str, list[str]]]:
    """Each resource that views of different rules ask for by name, and their endpoints.

    A guard that stands over several views names one resource for all of them, and means it.
    """
    functions = itertools.chain.from_iterable(app.before_request_funcs.values())
    over = {id(access) for function in functions for access in marks_on(function)}
    users: dict[str, dict[str, set[str]]] = {}
    for one in found:
        for access in one.access:
            if (
                access.kind is AccessKind.AUTHENTICATED
                and access.resource
                and id(access) not in over
            ):
                rules = users.setdefault(access.resource, {}).setdefault(one.endpoint, set())
                rules.add(one.rule)
    for resource, by_endpoint in users.items():
        if not set.intersection(*by_endpoint.values()):
            yield resource, sorted(by_endpoint)
