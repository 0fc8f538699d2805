"""The audit against an independent reckoning, on apps of every shape."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask
from flask.views import MethodView, View
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.authz.guards import exempt, guard, guarded

from licet.authz import PUBLIC, declare, protect
from licet.errors import UndeclaredEndpoints

METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Plan:
    """One view to be: of what kind, with which methods, and what is said of it."""

    kind: str  # function, class or methods
    marks: dict[str, bool]  # by method
    view_mark: bool
    is_exempt: bool
    is_declared: bool
    is_registered_bare: bool  # decorated after its registration


plans = st.builds(
    Plan,
    kind=st.sampled_from(["function", "class", "methods"]),
    marks=st.dictionaries(st.sampled_from(METHODS), st.booleans(), min_size=1),
    view_mark=st.booleans(),
    is_exempt=st.booleans(),
    is_declared=st.integers(0, 5).map(lambda drawn: drawn == 0),
    is_registered_bare=st.integers(0, 5).map(lambda drawn: drawn == 0),
)


@dataclass(frozen=True)
class Area:
    """A blueprint to be, or the app: its views, its children, and its guards."""

    guards: tuple[bool, ...]  # marked or not
    views: tuple[Plan, ...]
    children: tuple[Area, ...] = ()


guards = st.lists(st.booleans(), max_size=2).map(tuple)
views = st.lists(plans, max_size=3).map(tuple)
areas = st.recursive(
    st.builds(Area, guards=guards, views=views),
    lambda below: st.builds(
        Area, guards=guards, views=views, children=st.lists(below, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


def make_view(plan: Plan, name: str):
    if plan.kind == "methods":
        handlers = {
            method.lower(): guarded(lambda _self: "") if marked else lambda _self: ""
            for method, marked in plan.marks.items()
        }
        view = type("Made", (MethodView,), handlers).as_view(name)
    elif plan.kind == "class":
        made = type("Made", (View,), {"dispatch_request": lambda _self: ""})
        view = made.as_view(name)
    else:

        def view():
            return ""

    if plan.is_exempt:
        exempt(view)
    return guarded(view) if plan.view_mark and not plan.is_registered_bare else view


def fill(holder: Flask | Blueprint, area: Area) -> None:
    for marked in area.guards:
        holder.before_request(guard() if marked else lambda: None)
    for number, plan in enumerate(area.views):
        name = f"view{number}"
        view = make_view(plan, name)
        path = f"/{name}"
        holder.add_url_rule(path, name, view, methods=list(plan.marks))
        if plan.view_mark and plan.is_registered_bare:
            guarded(view)
    for number, child in enumerate(area.children):
        blueprint = Blueprint(f"area{number}", __name__, url_prefix=f"/area{number}")
        fill(blueprint, child)
        holder.register_blueprint(blueprint)


def declare_planned(app: Flask, area: Area, prefix: str = "") -> None:
    for number, plan in enumerate(area.views):
        if plan.is_declared:
            declare(app, f"{prefix}view{number}", access=PUBLIC)
    for number, child in enumerate(area.children):
        declare_planned(app, child, f"{prefix}area{number}.")


def expected(area: Area, path: str = "", *, is_guarded: bool = False) -> set[tuple[str, str]]:
    """The (rule, method) pairs of which nobody says anything."""
    is_guarded = is_guarded or any(area.guards)
    found = set()
    for number, plan in enumerate(area.views):
        covered = is_guarded and not plan.is_exempt
        said = plan.is_declared or (plan.view_mark and not plan.is_registered_bare)
        for method, marked in plan.marks.items():
            if not (covered or said or (plan.kind == "methods" and marked)):
                found.add((f"{path}/view{number}", method))
    for number, child in enumerate(area.children):
        found |= expected(child, f"{path}/area{number}", is_guarded=is_guarded)
    return found


def refused(app: Flask) -> set[tuple[str, str]]:
    try:
        protect(app)
    except UndeclaredEndpoints as error:
        return {(one.rule, method) for one in error.endpoints for method in one.methods}
    return set()


@given(areas)
def test_exactly_those_are_refused_of_which_nobody_says_anything(area: Area):
    """Guards cover downwards, exempt views stand alone, methods speak for themselves."""
    app = Flask("audited", static_folder=None)
    fill(app, area)
    declare_planned(app, area)
    assert refused(app) == expected(area)


@given(areas)
def test_a_late_blueprint_is_refused_as_an_early_one(area: Area):
    """What is registered after `protect` meets the same rule, whole."""
    app = Flask("audited", static_folder=None)
    protect(app)
    blueprint = Blueprint("late", __name__, url_prefix="/late")
    fill(blueprint, area)
    try:
        app.register_blueprint(blueprint)
        found = set()
    except UndeclaredEndpoints as error:
        found = {(one.rule, method) for one in error.endpoints for method in one.methods}
    undeclared = _without_declared(area)
    assert found == expected(undeclared, "/late")


def _without_declared(area: Area) -> Area:
    views = tuple(Plan(**{**vars(plan), "is_declared": False}) for plan in area.views)
    return Area(area.guards, views, tuple(_without_declared(child) for child in area.children))
