"""Guards of others' making are recognised by their work, and tried before they count."""

import functools

import pytest
from flask import Blueprint, Flask, abort, g, redirect, request
from flask.views import MethodView, View
from flask_login import LoginManager, UserMixin, fresh_login_required, login_required
from tests.unit.authz.asking import yes
from tests.unit.authz.guards import guarded

import licet
from licet import Licet
from licet.authz import Allows, declarations, declare_decorator, requires
from licet.errors import ConfigurationError, UndeclaredEndpoints


@pytest.fixture
def app(app):
    """An app with Flask-Login, whose ``login_required`` is declared."""
    app.secret_key = "x" * 32
    manager = LoginManager(app)
    manager.user_loader(lambda _user_id: None)
    manager.login_view = "sign_in"
    app.add_url_rule("/sign-in", "sign_in", licet.public(lambda: "who?"))
    declare_decorator(app, login_required)
    return app


def ok(**_arguments):
    return "ok"


def passing_on(view):
    """A decorator that asks nothing."""

    @functools.wraps(view)
    def passed_on(*args, **kwargs):
        return view(*args, **kwargs)

    return passed_on


def in_role(*names):
    """A decorator with arguments; without any it lets everybody pass."""

    def decorate(view):
        @functools.wraps(view)
        def asked(*args, **kwargs):
            return abort(403) if names else view(*args, **kwargs)

        return asked

    return decorate


def signed_in(view):
    """The decorator of Flask's tutorial."""

    @functools.wraps(view)
    def asked(**kwargs):
        return redirect("/sign-in") if g.user is None else view(**kwargs)

    return asked


def with_body(view):
    """A decorator that refuses requests, but no callers."""

    @functools.wraps(view)
    def asked():
        return view() if request.data else ("no body", 400)

    return asked


def said(app, endpoint="view"):
    """What is printed for an endpoint, and why nothing is."""
    found = [one for one in declarations(app) if one.endpoint == endpoint]
    return [access.text for one in found for access in one.access], [
        r for o in found for r in o.remarks
    ]


class Page(View):
    decorators = (login_required,)

    def dispatch_request(self):
        return "ok"


class Methods(MethodView):
    @login_required
    def get(self):
        return "ok"

    @login_required
    def post(self):
        return "ok"


@pytest.mark.parametrize(
    "view",
    [
        login_required(ok),
        login_required(passing_on(ok)),
        functools.partial(login_required(ok), a=1),
        Page.as_view("view"),
    ],
    ids=["function", "above another", "partial", "class"],
)
def test_a_declared_decorator_is_found(app, view):
    """On whatever kind of view; the app is protected, and callers are asked."""
    app.add_url_rule("/", "view", view)
    assert said(app) == (["login_required"], [])
    licet.protect(app)
    assert app.test_client().get("/").status_code == 302


def test_on_the_methods_of_a_view(app):
    """Each for itself."""
    app.add_url_rule("/", view_func=Methods.as_view("view"))
    assert said(app) == (["login_required"], [])
    Methods.put = ok
    Methods.methods = {"GET", "POST", "PUT"}
    app.add_url_rule("/more", view_func=Methods.as_view("more"))
    assert [
        (one.methods, bool(one.access)) for one in declarations(app) if one.endpoint == "more"
    ] == [
        (("GET", "POST"), True),
        (("PUT",), False),
    ]


def test_before_a_blueprint(app):
    """On the function that Flask calls before each of its views."""
    blueprint = Blueprint("area", __name__, url_prefix="/area")
    blueprint.before_request(login_required(lambda: None))
    blueprint.add_url_rule("/", "view", ok)
    app.register_blueprint(blueprint)
    assert said(app, "area.view") == (["login_required"], [])


def test_with_guards_of_licets(app):
    """Above one and below one."""
    Allows(app, identity_loader=lambda: None)
    app.add_url_rule("/", "view", requires(yes)(login_required(ok)))
    app.add_url_rule("/other", "other", login_required(requires(yes)(ok)))
    assert said(app)[0][0] == "login_required"
    assert said(app, "other")[0][0] == "login_required"


def test_below_what_is_unknown_it_is_not_read(app):
    """A cache above a guard answers without asking it."""
    app.add_url_rule("/", "view", passing_on(login_required(ok)))
    access, (remark,) = said(app)
    assert access == []
    assert remark.startswith("@passing_on (")
    assert "What is below it was not looked at" in remark
    with pytest.raises(UndeclaredEndpoints, match=r"\n      @passing_on"):
        licet.protect(app)


def test_one_that_is_not_declared_is_named(app):
    """With the line that declares it."""
    app.add_url_rule("/", "view", fresh_login_required(ok))
    assert "licet.declare_decorator(app, fresh_login_required)" in said(app)[1][0]
    declare_decorator(app, fresh_login_required)
    assert said(app) == (["fresh_login_required"], [])


def test_a_copied_name_is_not_believed(app):
    """What only looks as if it was decorated is not."""
    app.add_url_rule("/", "view", functools.wraps(login_required(ok))(lambda: "open"))
    assert said(app)[0] == []


@pytest.mark.parametrize("change", ["disabled", "no manager", "polite"])
def test_one_that_lets_anybody_pass_counts_for_nothing(app, change):
    """Nor does one that cannot be tried, or whose answer is no refusal; the error says so."""
    app.add_url_rule("/", "view", login_required(ok))
    if change == "disabled":
        app.config["LOGIN_DISABLED"] = True
    elif change == "no manager":
        del app.login_manager
    else:
        app.login_manager.unauthorized_handler(lambda: "please sign in")
    told = {
        "disabled": "@login_required lets an anonymous GET through",
        "no manager": "@login_required could not be tried: AttributeError",
        "polite": "@login_required answers an anonymous GET with 200",
    }[change]
    access, remarks = said(app)
    assert access == []
    assert any(remark.startswith(told) for remark in remarks)


def test_methods_that_it_does_not_ask_are_told(app):
    """Flask-Login lets every OPTIONS through; a view with its own would be open."""
    app.add_url_rule("/", "view", login_required(ok), methods=["GET", "OPTIONS"])
    assert said(app) == ([], ["@login_required lets an anonymous OPTIONS through"])


def test_what_asks_nobody_is_no_guard(app):
    """Whatever was declared of it."""
    declare_decorator(app, passing_on)
    app.add_url_rule("/", "view", passing_on(login_required(ok)))
    assert said(app)[0] == ["login_required"]
    app.add_url_rule("/open", "open", passing_on(ok))
    assert said(app, "open") == ([], ["@passing_on lets an anonymous GET through"])


def test_refusing_a_request_is_not_refusing_a_caller(app):
    """A 400 says nothing about who may call."""
    declare_decorator(app, with_body)
    app.add_url_rule("/", "view", with_body(ok))
    assert said(app) == ([], ["@with_body answers an anonymous GET with 400"])


def test_what_is_set_before_each_request_is_there(app):
    """A guard may go by g.user, which a function of the app's sets."""
    declare_decorator(app, signed_in)
    app.add_url_rule("/", "view", signed_in(ok))
    assert said(app)[1][0].startswith("@signed_in could not be tried: AttributeError")
    app.before_request(lambda: setattr(g, "user", None))
    assert said(app) == (["signed_in"], [])


def test_arguments_are_declared_one_by_one(app):
    """The same decorator with others, or with none, is another guard."""
    declare_decorator(app, in_role("editor"), text="the role editor")
    for name, roles in {"editor": ["editor"], "other": ["writer"], "none": []}.items():
        app.add_url_rule(f"/{name}", name, in_role(*roles)(ok))
    assert said(app, "editor") == (["the role editor"], [])
    assert said(app, "other")[0] == said(app, "none")[0] == []
    assert "is declared with other arguments than it has here" in said(app, "none")[1][0]
    with pytest.raises(ConfigurationError, match=r"in_role has arguments: say what it asks"):
        declare_decorator(app, in_role("writer"))


@pytest.mark.parametrize(
    ("decorator", "told"),
    [
        (lambda view: view, "cannot be recognised"),
        (in_role, "cannot be recognised"),
        (functools.partial, "cannot be recognised"),
        (guarded(ok), "takes what decorates a view"),
        ("login_required", "takes what decorates a view"),
    ],
)
def test_what_cannot_be_recognised_is_refused(app, decorator, told):
    """With what to say instead."""
    with pytest.raises(ConfigurationError, match=told):
        declare_decorator(app, decorator)


def half_made(view):
    """A decorator whose function refers to what it has not got."""

    @functools.wraps(view)
    def asked(**kwargs):
        return abort(401) if view else missing

    if not view:
        missing = None
    return asked


def test_a_name_without_a_value_is_an_argument(app):
    """Nobody knows what it will be, so the declaration says what is asked."""
    with pytest.raises(ConfigurationError, match="half_made has arguments"):
        declare_decorator(app, half_made)
    declare_decorator(app, half_made, text="half")
    app.add_url_rule("/", "view", half_made(ok))
    assert said(app) == (["half"], [])


def test_a_view_that_wraps_itself_is_read_to_an_end(app):
    """A circle of wrappers is no reason to look for ever."""
    circle = requires(yes)(ok)
    circle.__wrapped__ = circle
    app.add_url_rule("/", "view", circle)
    assert said(app) == (["requires yes"], [])


def test_late_views_are_looked_at(app):
    """As other views are after `protect`."""
    licet.protect(app)
    app.add_url_rule("/", "view", login_required(ok))
    with pytest.raises(UndeclaredEndpoints, match="fresh_login_required"):
        app.add_url_rule("/fresh", "fresh", fresh_login_required(ok))


def test_many_views_are_tried_once(app):
    """What was found for one view with the decorator holds for all."""
    asked = []
    app.login_manager.unauthorized_handler(lambda: asked.append(None) or ("no", 401))
    for number in range(20):
        app.add_url_rule(f"/{number}", str(number), login_required(ok))
    licet.protect(app)
    assert len(asked) == 2  # GET and HEAD


def remembered(app, user=None):
    """Have a function before each request set ``g.user``, as Flask's tutorial does."""

    @app.before_request
    def load_user():
        g.user = user


def test_a_function_before_the_guard_does_not_end_the_trial(app):
    """The one that sets ``g.user`` is called, though another refuses, or answers."""
    declare_decorator(app, signed_in)
    app.before_request(lambda: abort(429))
    app.before_request(lambda: "closed")
    remembered(app)
    app.add_url_rule("/", "view", signed_in(ok))
    assert said(app) == (["signed_in"], [])


def test_a_rate_limit_does_not_end_the_trial(tmp_path):
    """Not even when every method of a view is tried."""
    app = Flask("limited", instance_path=str(tmp_path))
    app.config["LICET_RATE_LIMIT"] = "2/minute"
    Licet(app)
    declare_decorator(app, signed_in)
    remembered(app)
    app.add_url_rule("/", "view", signed_in(ok), methods=["GET", "POST", "PUT", "PATCH"])
    assert said(app) == (["signed_in"], [])


def test_the_end_of_the_trial_does_not_count(app):
    """A function that ends a request may need what none but a real one has."""
    declare_decorator(app, signed_in)
    remembered(app)
    app.teardown_request(lambda _error: g.connection.close())
    app.add_url_rule("/", "view", signed_in(ok))
    app.add_url_rule("/open", "open", passing_on(ok))
    assert said(app) == (["signed_in"], [])
    assert said(app, "open")[0] == []


class NoToken(Exception):
    """Not an HTTP error, as those of Flask-JWT-Extended and of Flask-Principal."""


def token_required(view):
    """A decorator that leaves the answer to a handler of the app."""

    @functools.wraps(view)
    def asked(**kwargs):
        if "Authorization" not in request.headers:
            raise NoToken
        return view(**kwargs)

    return asked


@pytest.mark.parametrize(
    ("status", "remark"),
    [
        (401, None),
        (403, None),
        (500, "@token_required answers an anonymous GET with 500"),
        (None, "@token_required could not be tried: NoToken: "),
    ],
)
def test_a_handler_tells_how_a_guard_refuses(app, status, remark):
    """What the app's handler answers to the guard's own error is the guard's answer."""
    declare_decorator(app, token_required)
    if status is not None:
        app.register_error_handler(NoToken, lambda _error: ("no token", status))
    app.add_url_rule("/", "view", token_required(ok))
    texts, remarks = said(app)
    assert (texts == []) == (remark is not None)
    assert remark is None or remark in remarks


def over_https(view):
    """A decorator that asks how a request comes, and not whose it is."""

    @functools.wraps(view)
    def asked(**kwargs):
        if not request.is_secure:
            return redirect(request.url.replace("http://", "https://", 1))
        return view(**kwargs)

    return asked


def test_a_redirect_to_https_refuses_nobody(app):
    """Everybody can follow it."""
    declare_decorator(app, over_https)
    app.add_url_rule("/", "view", over_https(ok), methods=["POST"])
    assert said(app) == ([], ["@over_https lets an anonymous POST through"])


@pytest.mark.parametrize(
    "config",
    [
        {"TRUSTED_HOSTS": ["example.org", "other.example"]},
        {"TRUSTED_HOSTS": [".example.org:8000"]},
        {"TRUSTED_HOSTS": ["example.org"], "APPLICATION_ROOT": "/below"},
        {"SERVER_NAME": "example.org"},
    ],
)
def test_the_trial_is_sent_to_a_host_of_the_apps(app, config):
    """An app that trusts some hosts only answers 400 to all others."""
    app.config.update(config)
    app.add_url_rule("/", "view", login_required(ok))
    assert said(app) == (["login_required"], [])


class Somebody(UserMixin):
    id = "1"


def test_the_first_request_keeps_its_user(app):
    """The trial comes before it, with another ``flask.g``, where Flask-Login keeps the user."""
    app.login_manager.user_loader(lambda _user_id: Somebody())
    ended = []
    app.teardown_appcontext(lambda _error: ended.append(g.get("_login_user")))
    app.add_url_rule("/", "view", login_required(ok))
    Licet(app)
    client = app.test_client()
    with client.session_transaction() as kept:
        kept["_user_id"] = Somebody.id
    assert client.get("/").text == "ok"
    assert isinstance(ended[-1], Somebody)


def test_a_user_of_a_pushed_context_is_not_in_the_trial(app):
    """As in tests that make their requests within an application context."""
    app.add_url_rule("/", "view", login_required(ok))
    with app.app_context():
        g._login_user = Somebody()
        assert said(app) == (["login_required"], [])
