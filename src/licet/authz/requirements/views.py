"""Guards for views, blueprints and apps, and what an endpoint requires by them.

Source: seed document 002 ("Guarding Routes", "Guarding entire application or blueprint").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from flask import Flask, current_app, request

from licet.authz.declared.marks import access_of, mark
from licet.authz.requirements._engine import Checklist
from licet.authz.requirements._guard import Throws, access_to, guard
from licet.authz.requirements.allows import allows_of_app
from licet.errors import UsageError
from licet.errors.names import knows_its_options

__all__ = ["exempt_from_requirements", "guard_entire", "requirements_of", "requires"]

F = TypeVar("F", bound=Callable[..., Any])
_EXEMPT: Final = "__allows_exempt__"
_ENTIRE: Final = "__licet_guards_entire__"


@knows_its_options
def requires(
    *requirements: Any, identity: Any = None, throws: Throws | None = None, on_fail: Any = None
) -> Callable[[F], F]:
    """A decorator that lets only those pass who fulfill all requirements.

    For view functions below the route, for the methods of a MethodView, and in the `decorators` of
    class views. The app's Allows is looked up at each call.

    Args:
        requirements: functions of the identity, or `Requirement` instances.
        identity: whom to check instead of the loader's.
        throws: goes before that of the app's Allows.
        on_fail: goes before that of the app's Allows; gets the view's arguments.

    Raises:
        TypeError: one of them cannot be a requirement.
    """
    checklist = Checklist(requirements)
    return guard(allows_of_app, checklist, identity=identity, throws=throws, on_fail=on_fail)


@knows_its_options
def guard_entire(
    requirements: Any, identity: Any = None, throws: Throws | None = None, on_fail: Any = None
) -> Callable[[], Any]:
    """A ``before_request`` function that guards every route of a blueprint or an app.

    Exempt views are passed over, and so are requests that match no route and those that Flask
    answers without a view: an OPTIONS that no view was written for, as browsers ask before a
    request to another site.

    Args:
        requirements: one, or an iterable that is read now.
        identity: whom to check instead of the loader's.
        throws: goes before that of the app's Allows.
        on_fail: goes before that of the app's Allows; gets the route's arguments as keywords, and
            what it returns is the response, unless None.

    Raises:
        TypeError: one of them cannot be a requirement.
    """
    checklist = Checklist((requirements,) if callable(requirements) else requirements)

    def guard_each_request() -> Any:
        if request.routing_exception is not None or _is_answered_by_flask():
            return None
        if _is_exempt(_view_of_request()):
            return None
        arguments = request.view_args or {}
        return allows_of_app().run(
            checklist, identity=identity, throws=throws, on_fail=on_fail, f_kwargs=arguments
        )

    setattr(guard_each_request, _ENTIRE, True)
    return mark(guard_each_request, access_to(checklist))


def exempt_from_requirements(view: F) -> F:
    """Let `guard_entire` pass over this view; its own `requires` still counts.

    For class views put it into the `decorators`; a single method cannot be exempt.
    """
    setattr(view, _EXEMPT, True)
    return view


def _is_exempt(view: object) -> bool:
    return getattr(view, _EXEMPT, False) is True


def _is_answered_by_flask() -> bool:
    """Whether it is an automatic OPTIONS, for which Flask calls no view."""
    return request.method == "OPTIONS" and getattr(
        request.url_rule, "provide_automatic_options", False
    )


def _view_of_request() -> object:
    return current_app.view_functions.get(request.endpoint or "")


def requirements_of(
    endpoint: str | Callable[..., Any], *, method: str | None = None, app: Flask | None = None
) -> tuple[Any, ...]:
    """What is required of a caller of an endpoint, in the order in which it is asked.

    That of `guard_entire` on the app and its blueprints comes first, unless the view is exempt,
    then that of the view. Of additions and overrides nothing is known here.

    Args:
        endpoint: its name, or a view function, which then has no blueprint.
        method: also what this method of a MethodView requires.
        app: the current one, when none is given.

    Raises:
        UsageError: there is no such endpoint.
    """
    if not isinstance(endpoint, str):
        return _required_by(endpoint, method)
    app = current_app if app is None else app
    view = app.view_functions.get(endpoint)
    if view is None:
        raise UsageError(f"This app has no endpoint {endpoint!r}: see flask routes.")
    before = [each for guarding in _guards_before(app, endpoint, view) for each in guarding]
    return (*before, *_required_by(view, method))


def _required_by(view: Any, method: str | None) -> tuple[Any, ...]:
    marks = [*access_of(view)]
    if method is not None:
        marks += access_of(getattr(getattr(view, "view_class", None), method.lower(), None))
    return tuple(each for access in marks for each in access.requirements)


def _guards_before(app: Flask, endpoint: str, view: object) -> Iterator[Iterable[Any]]:
    *blueprints, _name = endpoint.split(".")
    places = [None, *(".".join(blueprints[: n + 1]) for n in range(len(blueprints)))]
    for place in places:
        for function in app.before_request_funcs.get(place, ()):
            if not (hasattr(function, _ENTIRE) and _is_exempt(view)):
                yield (each for access in access_of(function) for each in access.requirements)
