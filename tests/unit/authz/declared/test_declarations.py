"""What each endpoint says, wherever it is said."""

import pytest
from flask import Blueprint
from tests.unit.authz.guards import GUARDED, guard, guarded
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.routing import Rule

from licet.authz import PUBLIC, Access, AccessKind, declarations, declare, declare_mount, public
from licet.errors import ConfigurationError


def ok(**_arguments):
    return "ok"


def test_an_app_tells_everything_in_order(app):
    """By rule and then by method, with every guard from the outermost in."""
    blueprint = Blueprint("area", __name__, url_prefix="/area")
    blueprint.before_request(guard("inner"))
    app.before_request(guard("outer"))
    blueprint.add_url_rule("/b", "b", guarded(ok))
    app.register_blueprint(blueprint)
    app.add_url_rule("/a", "write", ok, methods=["POST"])
    app.add_url_rule("/a", "read", ok)
    found = declarations(app)
    assert [(one.endpoint, one.rule, one.methods) for one in found] == [
        ("read", "/a", ("GET",)),
        ("write", "/a", ("POST",)),
        ("area.b", "/area/b", ("GET",)),
    ]
    assert [access.text for access in found[2].access] == ["outer", "inner", "guarded"]
    assert found[2].access[2] is GUARDED
    assert found[0].location == f"{__file__}:{ok.__code__.co_firstlineno}"


def test_what_is_declared_stands_between_guards_and_view(app):
    """The view's own words come last; declaring twice keeps both."""
    other = Access(kind=AccessKind.POLICY, text="the proxy asks")
    app.before_request(guard("outer"))
    app.add_url_rule("/", "view", public(lambda: ""))
    declare(app, "view", access=other)
    declare(app, "view", access=PUBLIC)
    [found] = declarations(app)
    assert [one.text for one in found.access] == ["outer", "the proxy asks", "public", "public"]


def test_an_unknown_endpoint_is_not_declared(app):
    """A typing mistake is told, with the names that are near; nothing of the call counts."""
    app.add_url_rule("/", "reports", ok)
    with pytest.raises(ConfigurationError, match="no endpoint 'report': did you mean 'reports'"):
        declare(app, "reports", "report", access=PUBLIC)
    assert declarations(app)[0].access == ()


def test_an_unknown_mount_is_not_declared(app):
    """There is nothing to declare where nothing is mounted."""
    with pytest.raises(ConfigurationError, match="no mount '/dash': there is none"):
        declare_mount(app, "dash", PUBLIC)


def test_a_rule_without_a_function(app):
    """An endpoint whose view is yet to come is listed as such."""
    app.add_url_rule("/", endpoint="later")
    [found] = declarations(app)
    assert (found.access, found.location) == ((), "no view function")


def test_rules_that_call_nothing(app):
    """A rule for building URLs, and a fixed redirect, have no view to guard."""
    app.url_map.add(Rule("/build", endpoint="build", build_only=True))
    app.url_map.add(Rule("/old", endpoint="old", redirect_to="/new"))
    assert declarations(app) == []


def test_a_redirect_that_is_computed(app):
    """The function runs before any guard is called: only its own words count."""
    app.before_request(guard())
    app.url_map.add(Rule("/old", redirect_to=lambda _adapter: "/new"))
    app.url_map.add(Rule("/older", redirect_to=guarded(lambda _adapter: "/new")))
    assert [one.access for one in declarations(app)] == [(), (GUARDED,)]


def test_a_rule_for_every_method(app):
    """Rules that were put on the map themselves may take any method."""
    app.url_map.add(Rule("/any", endpoint="any"))
    app.view_functions["any"] = ok
    assert declarations(app)[0].methods == ("*",)


def test_a_mount_is_told_with_its_place(app, tmp_path):
    """By its path, for every method; files and other servers are named."""
    files = SharedDataMiddleware(app.wsgi_app, {"/files": str(tmp_path)})
    app.wsgi_app = DispatcherMiddleware(files, {"/dash": ok})
    declare_mount(app, "/dash", PUBLIC)
    dash, shared = declarations(app)
    assert (dash.endpoint, dash.rule, dash.methods, dash.access) == (
        "mount /dash",
        "/dash",
        ("*",),
        (PUBLIC,),
    )
    assert dash.location == f"{__file__}:{ok.__code__.co_firstlineno}"
    assert (shared.rule, shared.access, shared.location) == ("/files", (), "files")
