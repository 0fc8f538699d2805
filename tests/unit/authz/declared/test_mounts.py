"""What is served beside an app."""

import functools

import pytest
from flask import Flask, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.middleware.profiler import ProfilerMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware

from licet.authz.declared._mounts import mounts_of


def other(environ, start_response):
    return []


def in_a_closure(wsgi):
    def middleware(environ, start_response):
        return wsgi(environ, start_response)

    return middleware


class Slotted:
    __slots__ = ("wsgi",)

    def __call__(self, environ, start_response):
        return []


class InAnAttribute:
    def __init__(self, wsgi):
        self._inner = wsgi
        self.log = print
        self.name = "text"

    def __call__(self, environ, start_response):
        return self._inner(environ, start_response)

    def method(self, environ, start_response):
        return self._inner(environ, start_response)


WRAPPERS = [
    lambda wsgi: wsgi,
    ProxyFix,
    in_a_closure,
    InAnAttribute,
    lambda wsgi: InAnAttribute(wsgi).method,
    lambda wsgi: functools.partial(lambda inner, e, s: inner(e, s), wsgi),
    lambda wsgi: ProxyFix(in_a_closure(InAnAttribute(wsgi))),
    DispatcherMiddleware,
]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_middleware_mounts_nothing(app, wrap):
    """What stands before the app is not beside it."""
    app.wsgi_app = wrap(app.wsgi_app)
    assert mounts_of(app) == {}


@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", WRAPPERS)
def test_a_dispatcher_is_found_under_any_layer(app, outer, inner):
    """In attributes, closures, partials and bound methods."""
    dispatcher = DispatcherMiddleware(inner(app.wsgi_app), {"/dash": other})
    app.wsgi_app = outer(dispatcher)
    assert mounts_of(app) == {"/dash": other}


def test_every_dispatcher_of_a_chain_counts(app):
    """Two of them, and one that is mounted and leads to the app."""
    inner = DispatcherMiddleware(app.wsgi_app, {"/a": other})
    middle = DispatcherMiddleware(NotFound(), {"/v1": ProxyFix(inner), "/b/": other})
    app.wsgi_app = DispatcherMiddleware(middle, {"/c": Flask("other", static_folder=None)})
    assert set(mounts_of(app)) == {"/a", "/b", "/c"}


def test_a_prefix_is_no_mount(app):
    """The usual way to put an app under a prefix leaves only a 404 beside it."""
    app.wsgi_app = DispatcherMiddleware(NotFound(), {"/prefix": app.wsgi_app})
    assert mounts_of(app) == {}


def test_a_mounted_app_that_knows_this_one_is_a_mount(app):
    """Holding the app, as dashboards do, is not being on the way to it."""
    knowing = InAnAttribute(app)
    app.wsgi_app = DispatcherMiddleware(InAnAttribute(app.wsgi_app), {"/dash": knowing})
    assert mounts_of(app) == {"/dash": knowing}


def test_a_knowing_app_behind_it_is_a_mount(app):
    """Where a mount surely is the app, what takes the other requests is not."""
    knowing = InAnAttribute(app)
    app.wsgi_app = DispatcherMiddleware(knowing, {"/here": app.wsgi_app})
    assert mounts_of(app) == {"/": knowing}


def test_werkzeugs_other_middleware_is_a_mount(app):
    """What keeps the app by another name is not looked into when it is mounted."""
    profiled = ProfilerMiddleware(app.wsgi_app)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/slow": profiled})
    assert mounts_of(app) == {"/slow": profiled}


def test_the_app_itself_may_be_mounted(app):
    """Under its own name as under its `wsgi_app`."""
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/again": app, "/method": app.__call__})
    assert mounts_of(app) == {}


def test_another_app_behind_it(app):
    """What takes the requests that no mount takes is beside the app too."""
    app.wsgi_app = DispatcherMiddleware(other, {"/here": app.wsgi_app})
    assert mounts_of(app) == {"/": other}


def test_what_a_mounted_app_mounts_is_its_own_matter(app):
    """Inside of a mount nothing is looked for."""
    nested = DispatcherMiddleware(other, {"/deep": other})
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/dash": nested})
    assert mounts_of(app) == {"/dash": nested}


def test_shared_files_and_proxies_are_mounts(app, tmp_path):
    """Werkzeug's middleware for files and for other servers serves beside the app."""
    files = SharedDataMiddleware(app.wsgi_app, {"/files": str(tmp_path)})
    app.wsgi_app = ProxyMiddleware(files, {"/api/": {"target": "http://localhost:1/"}})
    assert mounts_of(app) == {"/files": "files", "/api": "http://localhost:1/"}


def test_strange_middleware_ends_the_search(app):
    """A circle, a class, an empty closure and an object without attributes are survived."""
    circle = InAnAttribute(app.wsgi_app)
    circle.itself, circle.kind, circle.slotted = circle, InAnAttribute, Slotted()

    def empty():
        return late

    circle.empty = empty
    app.wsgi_app = circle
    assert mounts_of(app) == {}
    late = None


def test_a_circle_that_leads_nowhere_is_beside_the_app(app):
    """It takes the requests that no mount takes, and never comes to the app."""
    circle = InAnAttribute(other)
    circle.itself = circle
    app.wsgi_app = DispatcherMiddleware(circle, {"/dash": other})
    assert mounts_of(app) == {"/": circle, "/dash": other}


@pytest.mark.parametrize("layers", [10, 5000])
def test_a_search_without_end_ends(app, layers):
    """Beyond two thousand layers nothing is looked for."""
    wsgi = DispatcherMiddleware(app.wsgi_app, {"/dash": other})
    for _ in range(layers):
        wsgi = in_a_closure(wsgi)
    app.wsgi_app = DispatcherMiddleware(wsgi)
    assert set(mounts_of(app)) == ({"/dash"} if layers == 10 else {"/"})


class HoldsProxies(InAnAttribute):
    def __init__(self, wsgi):
        super().__init__(wsgi)
        self.request = request
        self.log = LocalProxy(lambda: current_app.logger)


class Unanswering(InAnAttribute):
    def __getattr__(self, name):
        raise LookupError(name)


class HoldsUnanswering(InAnAttribute):
    def __init__(self, wsgi):
        super().__init__(wsgi)
        self.other = Unanswering(other)


@pytest.mark.parametrize("wrap", [HoldsProxies, Unanswering, HoldsUnanswering])
def test_objects_that_do_not_answer_are_looked_past(wrap):
    """A proxy outside of its context raises, and a ``__getattr__`` may raise anything."""
    app = Flask("x")
    app.wsgi_app = wrap(DispatcherMiddleware(app.wsgi_app, {"/other": other}))
    assert mounts_of(app) == {"/other": other}
