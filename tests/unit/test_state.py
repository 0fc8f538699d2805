"""What licet keeps on an app and on a request."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask

from licet.errors import ConfigurationError
from licet.settings.state import app_state, request_state

THREADS = 8


def at_once(function):
    """What the function returns to each of several threads that call it together."""
    barrier = Barrier(THREADS)

    def call(_number):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(THREADS)))


def test_an_app_has_one_state(app):
    """However often it is asked for, an app's state is the same."""
    assert app_state(app) is app_state(app)


def test_apps_do_not_share_state(app, tmp_path):
    """Two apps have two states."""
    assert app_state(app) is not app_state(Flask("other", instance_path=str(tmp_path)))


def test_threads_that_ask_first_at_once_get_one_state(app):
    """The state is one even when its first use is in several threads."""
    assert len({id(state) for state in at_once(lambda: app_state(app))}) == 1


def test_settings_are_read_at_first_use(app):
    """The state has the settings that the app's config had then."""
    app.config["LICET_AUDIENCE"] = "first"
    state = app_state(app)
    app.config["LICET_AUDIENCE"] = "second"
    assert app_state(app).settings.audience == state.settings.audience == "first"


def test_the_instance_path_is_the_apps(app):
    """Files go to the app's own instance folder."""
    assert str(app_state(app).settings.instance_path) == app.instance_path


def test_malformed_settings_are_told_each_time(app):
    """An app with a malformed setting has no state, and says so again."""
    app.config["LICET_MAX_BODY_BYTES"] = "much"
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="LICET_MAX_BODY_BYTES"):
            app_state(app)


def test_a_part_is_built_once(app):
    """A part is built from the settings at first use, once for all threads."""
    built = []

    def build(settings):
        built.append(settings)
        return object()

    parts = at_once(lambda: app_state(app).get_or_build("part", build))
    assert len(set(parts)) == 1
    assert built == [app_state(app).settings]


def test_a_part_may_be_built_from_another(app):
    """Building one part may ask for another."""
    state = app_state(app)
    outer = state.get_or_build("outer", lambda _: [state.get_or_build("inner", lambda _: "in")])
    assert outer == ["in"]


def test_a_failed_part_is_tried_again(app):
    """A part whose building failed is not remembered."""
    state = app_state(app)
    with pytest.raises(ZeroDivisionError):
        state.get_or_build("part", lambda _: 1 // 0)
    assert not state.has("part")
    assert state.get_or_build("part", lambda _: "built") == "built"


def test_a_put_part_stands_in(app):
    """A part that was put is the one that is found."""
    state = app_state(app)
    state.get_or_build("part", lambda _: "built")
    state.put("part", "put")
    assert state.has("part")
    assert state.get_or_build("part", lambda _: "built") == "put"


def test_a_request_has_one_state(app):
    """What is kept on a request is found again in it."""
    with app.test_request_context():
        request_state()["name"] = "value"
        assert request_state() == {"name": "value"}


def test_requests_in_one_app_context_share_nothing(app):
    """What one request knows is not known to the next, even inside one app context."""
    seen = []
    app.add_url_rule("/", view_func=lambda: seen.append(request_state().setdefault("x", [])) or "")
    with app.app_context():
        app.test_client().get("/")
        app.test_client().get("/")
    assert seen[0] is not seen[1]
