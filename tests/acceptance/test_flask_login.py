"""Flask-Login's users as licet's callers: signed in, remembered, blocked, anonymous and loaded."""

import json
import logging

import flask_login
import pytest
from examples.with_flask_app.app import create_app
from examples.with_flask_app.models import Post, User, db
from examples.with_flask_app.tests.test_access import app as posts_app
from flask import Flask
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user
from werkzeug.local import LocalProxy

from licet.authz import (
    UPDATE,
    Allows,
    authorize,
    declarations,
    policies_of,
    register_policies,
    requires,
)
from licet.errors import MissingToken
from licet.testing import signed_in

app = posts_app  # a fixture


@pytest.fixture
def browse(app):
    """A function that signs a user in, with a client of their own."""

    def browse(name, **fields):
        client = app.test_client()
        outside(lambda: signed_in("/sign-in", {"name": name, "password": name, **fields})(client))
        return client

    return browse


def outside(ask):
    """Asked outside of the fixture's app context."""
    from contextvars import Context

    return Context().run(ask)


def status(client, path, method="GET"):
    """The status of an answer, and where it leads."""
    answer = outside(lambda: client.open(path, method=method))
    return answer.status_code, answer.location


def test_every_endpoint_says_who_may_call_it(app):
    """Also those that ``login_required`` guards."""
    said = {one.endpoint: [access.text for access in one.access] for one in declarations(app)}
    assert said["site.sign_out"] == ["login_required"]
    assert said["site.create"] == ["login_required", "posts CREATE"]
    assert said["site.moderation"] == ["requires is_moderator"]


def test_nobody_is_asked_to_sign_in_and_others_are_refused(app, browse):
    """By requirements and by policies alike."""
    nobody = app.test_client()
    assert status(nobody, "/moderation") == (302, "/sign-in?next=%2Fmoderation")
    assert status(nobody, "/posts/1/edit") == (302, "/sign-in?next=%2Fposts%2F1%2Fedit")
    assert status(nobody, "/posts/2/edit") == (404, None)
    assert status(browse("ben"), "/moderation") == (403, None)
    assert status(browse("ben"), "/posts/1/edit") == (403, None)
    assert status(browse("mod"), "/moderation") == (200, None)


def test_pages_show_what_their_reader_may_do(browse):
    """The author sees both buttons, others neither, a moderator the queue as well."""
    shown = {}
    for name in ("ann", "ben", "mod"):
        client = browse(name)
        text = outside(lambda client=client: client.get("/posts/1").text)
        shown[name] = [word for word in ("Edit", "Delete", "Moderation") if word in text]
    assert shown == {"ann": ["Edit", "Delete"], "ben": [], "mod": ["Edit", "Delete", "Moderation"]}


def test_a_blocked_user_is_nobody(browse):
    """The session of a moderator ends with their standing: no role, no draft, no page."""
    client = browse("mod")
    assert status(client, "/posts/3") == (200, None)
    db.session.get(User, 3).is_active = False
    db.session.commit()
    assert status(client, "/posts/3") == (404, None)
    assert status(client, "/moderation")[0] == 302
    assert status(client, "/posts/1/edit")[0] == 302


def test_a_deleted_user_is_nobody(browse):
    """Flask-Login's loader gives None for them."""
    client = browse("mod")
    db.session.delete(db.session.get(User, 3))
    db.session.commit()
    assert status(client, "/posts/3") == (404, None)


def test_a_denial_is_logged_with_the_apps_user(browse, caplog):
    """By model and primary key: no name, cookie or password."""
    client = browse("ben")
    with caplog.at_level(logging.INFO, "licet.authz.decisions"):
        status(client, "/posts/1/edit")
    (line,) = caplog.messages
    facts = json.loads(line.removeprefix("denied "))
    assert (facts["principal"], facts["resource"], facts["visible"]) == ("User:2", "posts:1", True)
    assert "ben" not in line


class Someone(UserMixin):
    """A user that no session knows: a script, known by a header."""

    id = "script"


@pytest.fixture
def own():
    """An app without licet's extension, whose users come of a header or a remember cookie."""
    app = Flask("own")
    app.secret_key = "x" * 32
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: Someone() if user_id == "script" else None)
    manager.request_loader(
        lambda request: Someone() if request.headers.get("X-Key") == "k" else None
    )
    Allows(app, identity_loader=lambda: current_user)
    app.add_url_rule("/in", "inside", requires(lambda user: user.is_authenticated)(lambda: "in"))
    app.add_url_rule(
        "/remember", "remember", lambda: str(flask_login.login_user(Someone(), remember=True))
    )
    return app


def test_a_request_loader_counts(own):
    """Also without any session."""
    client = own.test_client()
    assert client.get("/in").status_code == 401
    assert client.get("/in", headers={"X-Key": "k"}).status_code == 200
    assert client.get("/in").status_code == 401


@pytest.mark.parametrize("nobody", [None, LocalProxy(lambda: None), AnonymousUserMixin()])
def test_a_policy_asks_nobody_to_sign_in(app, nobody):
    """None, as Flask's tutorial has it in ``g.user``, is nobody as the anonymous user is."""
    (posts,) = policies_of(app)
    register_policies(app, caller=lambda: nobody)
    with app.test_request_context(), pytest.raises(MissingToken, match="Sign in to do this"):
        authorize(posts, UPDATE, db.session.get(Post, 1))


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # Flask-Login 0.6 on Python 3.12
def test_a_remember_cookie_counts(own):
    """After the session is gone, and not when it was changed."""
    client = own.test_client()
    client.get("/remember")
    client.delete_cookie("session")
    assert client.get("/in").status_code == 200
    client.delete_cookie("session")
    client.set_cookie("remember_token", "script|0" * 8)
    assert client.get("/in").status_code == 401


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # as above
def test_strong_session_protection_counts(own):
    """A session that comes from another browser stands for nobody."""
    own.login_manager.session_protection = "strong"
    client = own.test_client()
    client.get("/remember", headers={"User-Agent": "one"})
    assert client.get("/in", headers={"User-Agent": "one"}).status_code == 200
    assert client.get("/in", headers={"User-Agent": "another"}).status_code == 401


def test_the_example_fills_its_database(tmp_path):
    """``flask … fill`` makes users whose password is their name."""
    config = {"SQLALCHEMY_DATABASE_URI": "sqlite://", "LICET_INSTANCE_PATH": str(tmp_path)}
    app = create_app(config)
    with app.app_context():
        done = app.test_cli_runner().invoke(args=["fill"])
        assert done.output == "Sign in as ann, ben or mod; each password is the name.\n"
        assert db.session.get(User, 3).has_password("mod")
        db.session.remove()
        db.engine.dispose()
