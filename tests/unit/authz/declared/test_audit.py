"""An app does not start while nobody has said who may call one of its endpoints."""

import re
import sys
import warnings
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView
from tests.unit.authz.guards import asks_for, exempt, guard, guarded
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import Rule

import licet
from licet.authz import PUBLIC, SharedResourceWarning, declare, declare_mount, protect, public
from licet.errors import UndeclaredEndpoint, UndeclaredEndpoints, UsageError


def ok(**_arguments):
    return "ok"


def offenders(app: Flask) -> list[str]:
    """What `protect` refuses, as "METHODS rule"."""
    try:
        protect(app)
    except UndeclaredEndpoints as refused:
        return [f"{','.join(one.methods)} {one.rule}" for one in refused.endpoints]
    return []


def test_an_undeclared_view_is_listed_with_its_place(app):
    """The error has endpoint, rule, methods and file:line, and is a usage error."""

    def forgotten(number):
        return ""

    app.add_url_rule("/forgotten/<int:number>", view_func=forgotten, methods=["POST", "GET"])

    with pytest.raises(UsageError) as refused:
        protect(app)
    line = forgotten.__code__.co_firstlineno
    [found] = refused.value.endpoints
    assert found == UndeclaredEndpoint(
        endpoint="forgotten",
        rule="/forgotten/<int:number>",
        methods=("GET", "POST"),
        location=f"{__file__}:{line}",
    )
    assert hash(found)


def test_the_message_lists_all_in_order_and_says_what_to_do(app):
    """One offender a line, sorted, then the remedy."""
    for name in ("b", "a", "c"):
        app.add_url_rule(f"/{name}", name, ok)
    with pytest.raises(UndeclaredEndpoints) as refused:
        protect(app)
    first, *lines, remedy = str(refused.value).splitlines()
    assert first == "Nothing says who may call:"
    assert [line.split()[:3] for line in lines] == [["GET", f"/{x}", x] for x in "abc"]
    for word in ("@public", "@requires(", "guard_entire(", "declare(", "declare_mount("):
        assert word in remedy


@pytest.mark.parametrize("decorate", [public, guarded, asks_for("x")])
def test_a_marked_view_is_declared(app, decorate):
    """Each kind of mark will do."""
    app.add_url_rule("/", "view", decorate(lambda: ""))
    protect(app)
    assert app.test_client().get("/").status_code == 200


def test_an_app_without_rules_may_start(app):
    """Nothing is undeclared where nothing is."""
    protect(app)
    protect(app)


def test_decorators_in_the_wrong_order_protect_nothing(app):
    """What was registered is the bare function, however well the name is guarded afterwards."""

    @guarded
    @app.get("/wrong")
    def wrong():
        return ""

    @app.get("/right")
    @guarded
    def right():
        return ""

    assert offenders(app) == ["GET /wrong"]


def test_exempt_and_nothing_else_is_not_declared(app):
    """An exempt view stands under no guard, and needs a word of its own."""
    blueprint = Blueprint("area", __name__)
    blueprint.before_request(guard())
    app.before_request(guard())
    blueprint.add_url_rule("/in", view_func=ok)
    blueprint.add_url_rule("/exempt", "exempt", exempt(lambda: ""))
    blueprint.add_url_rule("/said", "said", public(exempt(lambda: "")))
    app.register_blueprint(blueprint)
    assert offenders(app) == ["GET /exempt"]


@pytest.mark.parametrize("guarded_level", ["app", "outer", "inner"])
def test_a_guard_covers_what_stands_below_it(app, guarded_level):
    """The app's guard covers all, a blueprint's its own views and its children's."""
    outer, inner, other = (Blueprint(name, __name__) for name in ("outer", "inner", "other"))
    for holder, name in ((app, "app"), (outer, "outer"), (inner, "inner"), (other, "other")):
        holder.add_url_rule(f"/{name}", f"view_{name}", ok)
    outer.register_blueprint(inner)
    {"app": app, "outer": outer, "inner": inner}[guarded_level].before_request(guard())
    app.register_blueprint(outer)
    app.register_blueprint(other)
    expected = {
        "app": [],
        "outer": ["GET /app", "GET /other"],
        "inner": ["GET /app", "GET /other", "GET /outer"],
    }
    assert offenders(app) == expected[guarded_level]


def test_an_unmarked_before_request_declares_nothing(app):
    """Licet cannot know what a function of the app's own asks."""
    app.before_request(lambda: None)
    app.add_url_rule("/", "view", ok)
    assert offenders(app) == ["GET /"]


def test_static_files_need_a_word(tmp_path):
    """A static folder is served to everybody, so somebody must say so."""
    (tmp_path / "static").mkdir()
    app = Flask("files", root_path=str(tmp_path))
    blueprint = Blueprint("area", __name__, root_path=str(tmp_path), static_folder="static")
    app.register_blueprint(blueprint, url_prefix="/area")
    with pytest.raises(UndeclaredEndpoints) as refused:
        protect(app)
    assert [(one.endpoint, one.location) for one in refused.value.endpoints] == [
        ("area.static", str(tmp_path / "static")),
        ("static", str(tmp_path / "static")),
    ]
    declare(app, "static", "area.static", access=PUBLIC)
    protect(app)


def test_a_guarded_blueprint_covers_its_files(app, tmp_path):
    """Flask calls the blueprint's guard before its static files too, also when it comes late."""
    protect(app)
    blueprint = Blueprint("area", __name__, static_folder=str(tmp_path))
    blueprint.before_request(guard())
    app.register_blueprint(blueprint)


def test_a_static_folder_that_is_not_there_serves_nothing(tmp_path):
    """Every Flask app has the route; without the folder there is nothing to declare."""
    app = Flask("files", root_path=str(tmp_path))
    protect(app)
    (tmp_path / "static").mkdir()
    assert offenders(app) == ["GET /static/<path:filename>"]


def test_files_from_elsewhere_need_a_word(tmp_path):
    """A missing folder is no excuse for an app that overrides what serves its files."""

    class Elsewhere(Flask):
        def send_static_file(self, filename):
            return "from a bucket"

    assert offenders(Elsewhere("files", root_path=str(tmp_path)))


def test_a_dispatchers_mounts_need_a_word(app):
    """A mounted app sees requests that no guard of this one has seen."""
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/dash/": ok, "/metrics": ok})
    assert offenders(app) == ["* /dash", "* /metrics"]
    declare_mount(app, "/dash", PUBLIC)
    assert offenders(app) == ["* /metrics"]
    declare_mount(app, "/metrics/", PUBLIC)
    protect(app)


def test_dashboards_routes_are_endpoints(app):
    """Dash puts its routes on the server, named by their paths; each is found."""

    class Dashboard:
        def layout(self):
            return {}

    for path in ("/dash/", "/dash/_dash-layout", "/dash/<path:path>"):
        app.add_url_rule(path, endpoint=path, view_func=Dashboard().layout)
    found = [line.split()[1] for line in offenders(app)]
    assert found == ["/dash/", "/dash/<path:path>", "/dash/_dash-layout"]
    declare(app, *found, access=PUBLIC)
    protect(app)


def test_a_late_route_is_looked_at(app):
    """An undeclared one is refused where it is added, a declared one is taken."""
    protect(app)
    app.get("/good")(guarded(ok))
    with pytest.raises(UndeclaredEndpoints, match="/bad"):
        app.get("/bad")(lambda: "")
    with pytest.raises(UndeclaredEndpoints, match="/worse"):
        app.add_url_rule("/worse", "worse", ok, methods=["POST"])


def test_a_late_route_is_added_as_it_was_asked(app):
    """Arguments by position reach Flask: here, that it answers no OPTIONS by itself."""
    licet.protect(app)
    app.add_url_rule("/by-itself", "by-itself", guarded(ok))
    app.add_url_rule("/never", "never", guarded(ok), False)
    client = app.test_client()
    assert [client.options(path).status_code for path in ("/by-itself", "/never")] == [200, 405]


def test_a_late_refusal_cannot_be_swallowed(app):
    """Whoever catches the error serves no request either."""
    protect(app)
    with pytest.raises(UndeclaredEndpoints):
        app.add_url_rule("/bad", "bad", ok)
    for _attempt in range(2):
        assert app.test_client().get("/bad").status_code == 500


def test_a_late_endpoint_may_get_its_view_afterwards(app):
    """`@app.endpoint` comes after its rule; the first request looks at it."""
    protect(app)
    app.add_url_rule("/later", endpoint="later")
    app.endpoint("later")(ok)
    assert app.test_client().get("/later").status_code == 500
    app.view_functions["later"] = guarded(ok)
    assert app.test_client().get("/later").status_code == 200


@pytest.mark.parametrize("kind", ["guarded", "marked", "bare", "nested"])
def test_a_late_blueprint_is_looked_at_when_it_is_whole(app, kind):
    """Its guard counts wherever in the blueprint it was registered."""
    protect(app)
    blueprint, child = Blueprint("area", __name__), Blueprint("child", __name__)
    blueprint.add_url_rule("/view", "view", guarded(ok) if kind == "marked" else ok)
    if kind == "guarded":
        blueprint.before_request(guard())
    if kind == "nested":
        blueprint.record(lambda state: state.app.register_blueprint(child))
        blueprint.before_app_request(guard())
    if kind == "bare":
        with pytest.raises(UndeclaredEndpoints, match=r"area\.view"):
            app.register_blueprint(blueprint)
    else:
        app.register_blueprint(blueprint)


def test_a_blueprint_that_fails_leaves_the_watch_on(app):
    """Routes after a registration that raised are looked at as before."""
    protect(app)
    blueprint = Blueprint("area", __name__)
    blueprint.record(lambda _state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.register_blueprint(blueprint)
    with pytest.raises(UndeclaredEndpoints):
        app.add_url_rule("/bad", "bad", ok)


@pytest.mark.parametrize("change", ["view", "map", "mount"])
def test_what_changed_behind_our_back_is_found_at_the_first_request(app, change):
    """Views may be replaced, rules put on the map and apps mounted without a word to anybody."""
    app.add_url_rule("/", "view", guarded(ok))
    protect(app)
    if change == "view":
        app.view_functions["view"] = ok
    elif change == "map":
        app.url_map.add(Rule("/other", endpoint="other"))
    else:
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/dash": ok})
    app.testing = True
    with pytest.raises(UndeclaredEndpoints):
        app.test_client().get("/")


def test_automatic_options_and_head_need_no_word(app):
    """OPTIONS that Flask answers is nobody's view; HEAD is GET."""
    app.add_url_rule("/both", "both", ok, methods=["GET", "OPTIONS"])
    app.add_url_rule("/head", "head", ok, methods=["HEAD"])
    app.add_url_rule("/only", "only", ok, methods=["OPTIONS"])
    app.add_url_rule("/none", "none", ok, methods=[])
    app.add_url_rule("/view", "view", ok)
    assert offenders(app) == [
        "GET,OPTIONS /both",
        "HEAD /head",
        "OPTIONS /only",
        "GET /view",
    ]


def test_a_forgotten_method_is_listed_alone(app):
    """Of a MethodView only the methods that say nothing are listed."""

    class Items(MethodView):
        @guarded
        def get(self):
            return ""

        def post(self):
            return ""

        def delete(self):
            return ""

    app.add_url_rule("/items", view_func=Items.as_view("items"))
    with pytest.raises(UndeclaredEndpoints) as refused:
        protect(app)
    [found] = refused.value.endpoints
    assert found.methods == ("DELETE", "POST")
    assert found.location == f"{__file__}:{Items.delete.__code__.co_firstlineno}"


@pytest.mark.parametrize("resource", ["one", None])
def test_a_shared_resource_is_a_warning(app, resource):
    """Two endpoints of different rules with one resource name: one of them may be a copy."""
    for name in ("first", "second"):
        app.add_url_rule(f"/{name}", name, asks_for(resource)(ok))
    if resource is None:
        protect(app)
    else:
        with pytest.warns(SharedResourceWarning, match="'one' is asked for by first, second") as w:
            protect(app)
        assert w[0].filename == __file__
    protect(app)
    assert app.test_client().get("/first").status_code == 200


def test_a_resource_may_be_shared_on_purpose(app):
    """By the methods of one rule, the rules of one endpoint, and a guard over many views."""
    app.add_url_rule("/item", "read", asks_for("item")(ok), methods=["GET"])
    app.add_url_rule("/item", "write", asks_for("item")(ok), methods=["POST"])
    app.add_url_rule("/items", "items", asks_for("items")(ok))
    app.add_url_rule("/things", "items")
    blueprint = Blueprint("area", __name__)
    blueprint.before_request(asks_for("area")(lambda: None))
    for name in ("a", "b"):
        blueprint.add_url_rule(f"/{name}", name, ok)
    app.register_blueprint(blueprint)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        protect(app)


def test_endpoints_of_other_kinds_share_nothing(app):
    """Only a signed-in caller's resource is a name that grants."""
    for name in ("first", "second"):
        app.add_url_rule(f"/{name}", name, public(lambda: ""))
    protect(app)


def test_requests_are_answered_as_before_afterwards(app):
    """The audit stands before the first request only."""
    app.add_url_rule("/", "view", guarded(ok))
    protect(app)
    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["ok"] * 3
    app.view_functions["view"] = ok  # too late to be looked at, by Flask's own rule
    assert client.get("/").text == "ok"


def test_an_app_that_another_tool_wraps_is_looked_at(app):
    """What stands before the audit keeps it in its place: no request is lost or let through."""
    app.add_url_rule("/", "view", guarded(ok))
    protect(app)
    app.view_functions["view"] = ok
    audited, seen = app.full_dispatch_request, []

    def wrapped():
        seen.append(app)
        return audited()

    app.full_dispatch_request = wrapped
    client = app.test_client()
    assert [client.get("/").status_code for _ in range(2)] == [500, 500]
    app.view_functions["view"] = guarded(ok)
    assert [client.get("/").text for _ in range(2)] == ["ok", "ok"]
    assert len(seen) == 4


def test_the_names_where_they_are_looked_for():
    """The few names most programs need are those of `licet.authz`."""
    assert licet.protect is protect
    assert licet.declare is declare
    assert licet.declare_mount is declare_mount
    assert licet.PUBLIC is PUBLIC


def test_each_offender_is_one_line(app):
    """It begins with the methods and ends with the place."""
    app.add_url_rule("/x", "x", ok)
    with pytest.raises(UndeclaredEndpoints) as refused:
        protect(app)
    assert re.search(r"^  GET /x  x  \(.+:\d+\)$", str(refused.value), re.MULTILINE)


def test_it_does_not_rest_on_assert():
    """The rule holds under ``python -O``: no module of it asserts."""
    for name, module in list(sys.modules.items()):
        if name.startswith("licet.authz") and module.__file__:
            source = Path(module.__file__).read_text("utf-8")
            assert not re.search(r"^\s*assert ", source, re.MULTILINE)
