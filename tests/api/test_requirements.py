"""Guards over HTTP: every way to put one before a view, for callers with licet's own tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template_string
from flask.views import MethodView, View

from licet import Licet
from licet.authn import Identity, current_identity, embedded_issuer
from licet.authz import (
    Allows,
    Not,
    Or,
    Permission,
    current_additions,
    exempt_from_requirements,
    guard_entire,
    requires,
)

STAFF = "urn:licet:group:staff"


def is_logged_in(identity: Identity) -> bool:
    return identity.is_authenticated


def is_staff(identity: Identity) -> bool:
    return STAFF in identity.groups


def on_function(app: Flask, guard: Any) -> None:
    app.add_url_rule("/page", "page", guard(lambda: "page"))


def on_extension(app: Flask, guard: Any) -> None:
    app.add_url_rule("/page", "page", guard(lambda: "page"))


def on_view(app: Flask, guard: Any) -> None:
    class Page(View):
        decorators = [guard]  # noqa: RUF012 - as Flask documents it

        def dispatch_request(self) -> str:
            return "page"

    app.add_url_rule("/page", view_func=Page.as_view("page"))


def on_method_view(app: Flask, guard: Any) -> None:
    class Page(MethodView):
        decorators = [guard]  # noqa: RUF012

        def get(self) -> str:
            return "page"

    app.add_url_rule("/page", view_func=Page.as_view("page"))


def on_method(app: Flask, guard: Any) -> None:
    class Page(MethodView):
        @guard
        def get(self) -> str:
            return "page"

    app.add_url_rule("/page", view_func=Page.as_view("page"))


DECORATED = [on_function, on_view, on_method_view, on_method]


def entire(place: str) -> Callable[[Flask, Any], None]:
    def build(app: Flask, guard: Any) -> None:
        outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
        inner.add_url_rule("/page", "page", lambda: "page")
        {"app": app, "outer": outer, "inner": inner}[place].before_request(guard)
        outer.register_blueprint(inner)
        app.register_blueprint(outer)

    build.__name__ = f"entire_{place}"
    return build


ENTIRE = [entire(place) for place in ("app", "outer", "inner")]


class Site:
    """An app with licet's own identities, and its callers."""

    def __init__(self, instance: Path) -> None:
        self.app = Flask("guarded", instance_path=str(instance))
        self.app.config["LICET_PROTECT"] = False  # some of its views ask nothing, as tests do
        Licet(self.app)
        self.allows = Allows(self.app, identity_loader=lambda: current_identity)

    def get(self, path: str = "/page", caller: str | None = None) -> Any:
        headers = {}
        if caller is not None:
            groups = ["staff"] if caller == "staff" else []
            token = embedded_issuer(self.app).mint(caller, ["all"], groups=groups)
            headers["Authorization"] = f"Bearer {token}"
        return self.app.test_client().get(path, headers=headers)

    def statuses(self, path: str = "/page") -> list[int]:
        return [self.get(path, caller).status_code for caller in (None, "ann", "staff")]


@pytest.fixture
def guarded_site(instance: Path) -> Site:
    """A new site; its keys are those of all tests here."""
    return Site(instance)


@pytest.mark.parametrize("build", [*DECORATED, *ENTIRE], ids=lambda build: build.__name__)
@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        ((is_logged_in,), [401, 200, 200]),
        ((is_logged_in, is_staff), [401, 403, 200]),
        ((Or(is_staff, Not(is_logged_in)),), [200, 403, 200]),
        ((), [200, 200, 200]),
    ],
    ids=["logged in", "staff", "or not", "nothing"],
)
def test_the_right_callers_pass(
    guarded_site: Site, build: Any, requirements: tuple[Any, ...], expected: list[int]
) -> None:
    """Nobody is 401, somebody who may not 403, wherever the guard stands."""
    is_entire = build in ENTIRE
    guard = guard_entire(requirements) if is_entire else requires(*requirements)
    build(guarded_site.app, guard)
    assert guarded_site.statuses() == expected


def test_the_extensions_decorator_is_the_same(guarded_site: Site) -> None:
    """It belongs to one extension instead of the app's."""
    on_function(guarded_site.app, guarded_site.allows.requires(is_staff))
    assert guarded_site.statuses() == [401, 403, 200]


def test_refusals_are_problem_documents(guarded_site: Site) -> None:
    """With the challenge in the 401, and nothing of the requirement in either."""
    on_function(guarded_site.app, requires(is_staff))
    nobody, somebody = guarded_site.get(), guarded_site.get(caller="ann")
    assert nobody.headers["WWW-Authenticate"].startswith('Bearer realm="licet", resource_metadata=')
    assert (nobody.json["code"], somebody.json["code"]) == ("missing_token", "access_denied")
    assert "is_staff" not in nobody.text + somebody.text


def test_a_bad_token_is_told_before_requirements(guarded_site: Site) -> None:
    """It is neither anonymous nor anybody, also where nobody need be logged in."""
    on_function(guarded_site.app, requires(Not(is_staff)))
    response = guarded_site.app.test_client().get("/page", headers={"Authorization": "Bearer x"})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_a_mistake_in_a_requirement_is_403(
    guarded_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Not 500 and not the page; the log names it, without the caller."""

    def mistaken(identity: Identity) -> bool:
        raise ValueError(identity)

    on_function(guarded_site.app, requires(Not(mistaken)))
    response = guarded_site.get(caller="ann")
    assert response.status_code == 403
    assert "Requirement mistaken raised ValueError" in caplog.text
    assert "urn:licet" not in caplog.text


def test_entire_guards_leave_the_rest(guarded_site: Site) -> None:
    """404 and 405 are as without them, and exempt views are open to all."""
    app = guarded_site.app
    app.before_request(guard_entire(is_staff))
    app.add_url_rule("/free", "free", exempt_from_requirements(lambda: "free"))
    on_function(app, lambda view: view)
    assert guarded_site.statuses("/free") == [200] * 3
    assert guarded_site.statuses("/nowhere") == [404] * 3
    assert app.test_client().post("/page").status_code == 405


def test_additions_count_for_one_request(guarded_site: Site) -> None:
    """What one request adds is gone in the next, on the same thread."""
    app = guarded_site.app
    app.add_url_rule("/strict", "strict", lambda: [current_additions.add(is_staff), "added"][1])
    on_function(app, requires(is_logged_in))
    client = app.test_client()
    token = embedded_issuer(app).mint("ann", ["all"])
    headers = {"Authorization": f"Bearer {token}"}
    statuses = [client.get(path, headers=headers).status_code for path in ("/strict", "/page")]
    assert statuses == [200, 200]


def test_pages_show_what_the_caller_may(guarded_site: Site) -> None:
    """A template asks what the guard would."""
    page = "{% if allowed(is_staff) %}admin{% else %}-{% endif %}"
    app = guarded_site.app
    app.add_url_rule("/page", "page", lambda: render_template_string(page, is_staff=is_staff))
    assert [guarded_site.get(caller=who).text for who in (None, "ann", "staff")] == [
        "-",
        "-",
        "admin",
    ]


def test_a_permission_within_a_view(guarded_site: Site) -> None:
    """The block raises what the guard would."""

    def view() -> str:
        with Permission(is_staff):
            return "in"

    guarded_site.app.add_url_rule("/page", "page", view)
    assert guarded_site.statuses() == [401, 403, 200]
