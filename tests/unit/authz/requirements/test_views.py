"""Guards on views, blueprints and apps, and what they say about themselves."""

import asyncio
import functools

import pytest
from flask import Blueprint
from flask.views import MethodView, View
from tests.unit.authz.asking import ADMIN, GUEST, Has, is_admin, no, yes
from werkzeug.exceptions import Forbidden

from licet.authz import (
    Access,
    AccessKind,
    Allows,
    And,
    access_of,
    exempt_from_requirements,
    guard_entire,
    mark,
    public,
    requirements_of,
    requires,
)
from licet.errors import UsageError


def passing_on(view):
    """A decorator between guard and route."""

    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)

    return wrapper


@pytest.fixture(params=["requires", "allows.requires"])
def guard(request, app):
    """Both decorators, for an app whose caller is a guest."""
    allows = Allows(app, identity_loader=lambda: GUEST)
    return requires if request.param == "requires" else allows.requires


@pytest.mark.parametrize(("requirement", "status"), [(yes, 200), (is_admin, 403)])
def test_a_view_is_guarded(app, guard, requirement, status):
    """Those pass who fulfill the requirements."""
    app.add_url_rule("/<name>", view_func=guard(requirement)(lambda name: name))
    assert app.test_client().get("/ann").status_code == status


def test_on_fail_gets_the_views_arguments(app, guard):
    """And gives the response."""
    on_fail = lambda **arguments: arguments  # noqa: E731
    app.add_url_rule("/<name>", view_func=guard(is_admin, on_fail=on_fail)(lambda name: ""))
    assert app.test_client().get("/ann").json == {"name": "ann"}


def test_options_go_before_the_defaults(app, guard):
    """`identity` and `throws` of the guard count."""
    with app.app_context():
        assert guard(is_admin, identity=ADMIN)(lambda: "in")() == "in"
        with pytest.raises(KeyError):
            guard(is_admin, throws=KeyError)(lambda: "in")()


def test_a_misspelled_option_is_refused(guard):
    """Instead of being passed over, as once."""
    with pytest.raises(TypeError):
        guard(yes, thorws=KeyError)


def test_a_class_is_refused(guard):
    """Guards of class views go into their decorators, and the error says so."""
    with pytest.raises(TypeError, match=r"decorators = \[requires"):
        guard(yes)(type("Page", (View,), {}))


def test_coroutine_functions_are_guarded_before_they_run(app, guard):
    """The guard is one itself, so that Flask, or whoever calls it, awaits it."""

    async def view(name):
        return name

    with app.app_context():
        assert asyncio.run(guard(yes)(view)("ann")) == "ann"
        assert asyncio.run(guard(is_admin, on_fail="no")(view)("ann")) == "no"
        with pytest.raises(Forbidden):
            asyncio.run(guard(is_admin)(view)("ann"))


def test_a_coroutine_view_is_served(app, guard):
    """As any other, however Flask runs coroutines."""
    app.async_to_sync = lambda function: lambda **given: asyncio.run(function(**given))

    @app.get("/open")
    @guard(yes)
    async def opened():
        return "in"

    class Page(MethodView):
        @guard(is_admin)
        async def get(self):
            return "in"

    app.add_url_rule("/page", view_func=Page.as_view("page"))
    assert app.test_client().get("/open").text == "in"
    assert app.test_client().get("/page").status_code == 403


def test_the_guard_looks_like_the_view(guard):
    """Name, text and attributes are the view's."""

    @guard(yes)
    def index():
        """The index."""

    assert (index.__name__, index.__doc__) == ("index", "The index.")


def test_a_guard_says_what_it_asks(guard):
    """In a mark that decorators above it carry on, the outermost first."""
    view = passing_on(guard(is_admin, Has("x"))(guard(yes)(lambda: "")))
    outer, inner = access_of(view)
    assert outer == Access(
        kind=AccessKind.REQUIRES,
        text="requires is_admin, Has(permission='x')",
        requirements=(is_admin, Has("x")),
    )
    assert inner.requirements == (yes,)


def test_a_guard_that_asks_nothing_says_so(guard):
    """It still runs what is added."""
    (access,) = access_of(guard()(lambda: ""))
    assert access.text == "requires nothing but what is added"


def test_a_view_below_its_guard_is_unmarked():
    """The mark is on the guarding function only."""

    def view():
        return ""

    requires(yes)(view)
    assert access_of(view) == ()


def test_marks_add_up():
    """What is said first stands last."""
    access = Access(kind=AccessKind.POLICY, text="policy")
    view = mark(public(lambda: ""), access)
    assert [said.kind for said in access_of(view)] == [AccessKind.POLICY, AccessKind.PUBLIC]


@pytest.fixture
def pages(app):
    """An app with a blueprint in a blueprint, its caller a guest."""
    Allows(app, identity_loader=lambda: GUEST)
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    for place in (app, outer, inner):
        name = getattr(place, "import_name", "") and place.name
        place.add_url_rule(f"/{name}/<page>", "page", lambda page: f"page {page}")
        place.add_url_rule(f"/{name}", "free", exempt_from_requirements(lambda: "free"))
    app.inner, app.outer = inner, outer
    outer.register_blueprint(inner)
    return app


def statuses(app, *names):
    app.register_blueprint(app.outer)
    client = app.test_client()
    return [client.get(f"/{name}/1").status_code for name in (app.name, "outer", "inner")]


@pytest.mark.parametrize(
    ("place", "expected"),
    [("app", [403] * 3), ("outer", [200, 403, 403]), ("inner", [200, 200, 403])],
)
def test_whole_places_are_guarded(pages, place, expected):
    """An app with all that is in it, a blueprint with those in it."""
    guarded = {"app": pages, "outer": pages.outer, "inner": pages.inner}[place]
    guarded.before_request(guard_entire([yes, is_admin]))
    assert statuses(pages) == expected


@pytest.mark.parametrize(
    "requirements", [is_admin, And(is_admin), [is_admin], (r for r in [is_admin])]
)
def test_one_requirement_or_many(pages, requirements):
    """One, an iterable, and one that can be read only once."""
    pages.before_request(guard_entire(requirements))
    assert statuses(pages) == statuses_again(pages) == [403] * 3


def statuses_again(app):
    client = app.test_client()
    return [client.get(f"/{name}/1").status_code for name in (app.name, "outer", "inner")]


@pytest.mark.parametrize("bad", [Has, "admin", [Has], [None], 3])
def test_what_cannot_be_required_is_refused(bad):
    """When the guard is made."""
    with pytest.raises(TypeError):
        guard_entire(bad)


def test_exempt_views_are_passed_over(pages):
    """Those only."""
    pages.before_request(guard_entire(is_admin))
    pages.register_blueprint(pages.outer)
    assert pages.test_client().get("/inner").text == "free"


def test_an_entire_guard_answers_by_on_fail(pages):
    """It gets the route's arguments; None goes on to `throws`."""
    seen = []
    pages.outer.before_request(guard_entire(no, on_fail=lambda **given: seen.append(given)))
    pages.inner.before_request(guard_entire(no, on_fail=lambda **given: given))
    assert statuses(pages) == [200, 403, 403]
    assert seen == [{"page": "1"}, {"page": "1"}]


def test_an_entire_guard_has_options(pages):
    """`identity` and `throws` are those of a single guard."""
    pages.before_request(guard_entire(is_admin, ADMIN))
    pages.outer.before_request(guard_entire(no, throws=KeyError))
    pages.register_error_handler(KeyError, lambda _error: ("key", 418))
    assert statuses(pages) == [200, 418, 418]


def test_an_entire_guard_stays_out_of_routing_errors(pages):
    """404, 405 and redirects are as without it."""
    pages.add_url_rule("/slash/", "slash", lambda: "")
    pages.before_request(guard_entire(no))
    client = pages.test_client()
    assert [client.get("/nowhere").status_code, client.post("/slash/").status_code] == [404, 405]
    assert client.get("/slash").status_code == 308


def test_an_endpoint_without_a_view_is_guarded(pages):
    """A rule may have been added before its view."""
    pages.add_url_rule("/bare", "bare")
    pages.before_request(guard_entire(no))
    assert pages.test_client().get("/bare").status_code == 403


def test_an_entire_guard_is_marked():
    """The audit finds what it asks."""
    (access,) = access_of(guard_entire([is_admin]))
    assert access.text == "requires is_admin"


class Page(MethodView):
    """Guarded as a whole, and in one method."""

    decorators = [passing_on, requires(yes)]  # noqa: RUF012 - as Flask documents it

    def get(self):
        return "got"

    @requires(is_admin)
    def post(self):
        return "posted"


class Free(View):
    """Exempt, below and above other decorators."""

    decorators = [exempt_from_requirements, passing_on, requires(yes)]  # noqa: RUF012

    def dispatch_request(self):
        return "free"


class NotFree(MethodView):
    """Exempts a method, which has no effect."""

    @exempt_from_requirements
    def get(self):
        return "got"


def test_class_views_are_guarded(app):
    """By their decorators in all methods, by a method's own in that."""
    Allows(app, identity_loader=lambda: GUEST)
    app.add_url_rule("/", view_func=Page.as_view("page"))
    client = app.test_client()
    assert [client.get("/").status_code, client.post("/").status_code] == [200, 403]


def test_class_views_can_be_exempt(app):
    """By their decorators; a single method cannot."""
    Allows(app, identity_loader=lambda: GUEST)
    app.before_request(guard_entire(no))
    app.add_url_rule("/free", view_func=Free.as_view("free"))
    app.add_url_rule("/not", view_func=NotFree.as_view("not"))
    client = app.test_client()
    assert [client.get("/free").status_code, client.get("/not").status_code] == [200, 403]


@pytest.mark.parametrize("above", [False, True])
def test_exempt_views_ask_their_own(app, above):
    """The exemption is from entire guards, wherever it stands."""
    Allows(app, identity_loader=lambda: GUEST)
    app.before_request(guard_entire(no))
    decorators = [requires(is_admin, on_fail="own"), exempt_from_requirements]
    view = lambda: "in"  # noqa: E731
    for decorate in decorators if above else reversed(decorators):
        view = decorate(view)
    app.add_url_rule("/", view_func=view)
    assert app.test_client().get("/").text == "own"


def test_an_endpoint_tells_what_it_requires(pages):
    """Of the app, its blueprints, outer first, and the view; with the method's own when asked."""
    pages.before_request(guard_entire(Has("app")))
    pages.outer.before_request(guard_entire([Has("outer")]))
    pages.inner.before_request(guard_entire(Has("inner")))
    pages.inner.before_request(lambda: None)
    pages.inner.add_url_rule("/p", view_func=Page.as_view("class"))
    pages.register_blueprint(pages.outer)
    around = (Has("app"), Has("outer"), Has("inner"))
    assert requirements_of("page", app=pages) == around[:1]
    with pages.app_context():
        assert requirements_of("outer.inner.page") == around
        assert requirements_of("outer.inner.class") == (*around, yes)
        assert requirements_of("outer.inner.class", method="POST") == (*around, yes, is_admin)
        assert requirements_of("outer.inner.class", method="GET") == (*around, yes)
        assert requirements_of("outer.inner.page", method="GET") == around


def test_an_exempt_endpoint_requires_its_own(pages):
    """And what other guards before requests ask, which do not know of exemptions."""

    @pages.before_request
    @requires(Has("always"))
    def always():
        return None

    pages.before_request(guard_entire(Has("app")))
    assert requirements_of("free", app=pages) == (Has("always"),)


def test_a_view_tells_what_it_requires():
    """By itself it knows of no blueprint."""
    assert requirements_of(requires(yes, is_admin)(lambda: "")) == (yes, is_admin)
    assert requirements_of(lambda: "") == ()


def test_an_unknown_endpoint_is_told(app):
    """By name."""
    with pytest.raises(UsageError, match="'nowhere'"):
        requirements_of("nowhere", app=app)


class Own(MethodView):
    """A view that answers OPTIONS itself."""

    def get(self):
        return "got"

    def options(self):
        return "own"


@pytest.mark.parametrize("place", ["app", "blueprint", "nested blueprint"])
def test_an_automatic_options_is_answered(app, place):
    """Browsers ask before they send who calls; no view and no `on_fail` is called for it."""
    called = []
    Allows(app, identity_loader=lambda: None)
    outer, pages = Blueprint("outer", __name__), Blueprint("pages", __name__)
    over = {"app": app, "blueprint": pages, "nested blueprint": outer}[place]
    over.before_request(guard_entire(is_admin, on_fail=lambda **_: called.append("on_fail")))
    pages.add_url_rule("/auto", "auto", lambda: called.append("view"), methods=["GET", "POST"])
    pages.add_url_rule("/own", "own", lambda: "own", methods=["GET", "OPTIONS"])
    pages.add_url_rule("/class", view_func=Own.as_view("class"))
    pages.add_url_rule("/off", "off", lambda: "off", provide_automatic_options=False)
    outer.register_blueprint(pages)
    app.register_blueprint(outer)
    client = app.test_client()

    answer = client.options("/auto")
    assert (answer.status_code, answer.data) == (200, b"")
    assert sorted(answer.allow) == ["GET", "HEAD", "OPTIONS", "POST"]
    assert not called
    statuses = [client.options(path).status_code for path in ("/own", "/class", "/off", "/no")]
    assert statuses == [401, 401, 405, 404]
    assert client.get("/auto").status_code == client.head("/auto").status_code == 401


def test_the_views_own_word_on_options_counts(app):
    """A view may leave OPTIONS to Flask though its rule names the method, and the reverse."""
    Allows(app, identity_loader=lambda: GUEST)
    app.before_request(guard_entire(is_admin))

    def left():
        raise AssertionError

    def taken():
        raise AssertionError

    left.provide_automatic_options, taken.provide_automatic_options = True, False
    app.add_url_rule("/left", view_func=left, methods=["GET", "OPTIONS"])
    app.add_url_rule("/taken", view_func=taken, methods=["GET", "OPTIONS"])
    client = app.test_client()
    assert [client.options(path).status_code for path in ("/left", "/taken")] == [200, 403]
