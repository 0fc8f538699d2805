"""`verify_matrix` on an app with cookies and forms finds what is wrong, and only that."""

import functools

import pytest
import sqlalchemy as sa
from examples.with_flask_app.models import Post, db
from examples.with_flask_app.tests.test_access import app as posts_app
from examples.with_flask_app.tests.test_access import cases, keys_in
from flask import abort, flash, redirect, render_template_string, request
from flask_login import current_user, login_required, logout_user

from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW
from licet.testing import form_to, list_request, request_to, signed_in, verify_matrix

app = posts_app  # a fixture
ANN = {"ann": signed_in("/sign-in", {"name": "ann", "password": "ann"})}


def failures(app, **changes):
    """What the proof says of the app; empty when it holds."""
    try:
        verify_matrix(app, cases(app, **changes))
    except AssertionError as error:
        return str(error)
    return ""


def replace(app, endpoint, view):
    """Serve an endpoint by another view, with the marks of the one before."""
    before = app.view_functions[f"site.{endpoint}"]
    app.view_functions[f"site.{endpoint}"] = functools.wraps(before)(view)


def unguarded_change(post_id):
    """A form that is shown to the author only, and sent by anybody."""
    post = db.session.get(Post, post_id) or abort(404)
    if request.method == "GET" and post.author_id != getattr(current_user, "id", None):
        abort(403)
    post.title = request.form.get("title", "")
    db.session.commit()
    return redirect("/")


def telling_by_message(post_id):
    """A page that tells by the session of a post that is hidden."""
    post = db.session.get(Post, post_id)
    if post is not None:
        flash(f"{post.title} is not for you")
    abort(404)


def telling_by_redirect(post_id):
    """A redirect that is another for a post that is hidden."""
    post = db.session.get(Post, post_id)
    return redirect("/?hidden" if post else "/?absent")


def unfiltered():
    """All posts."""
    posts = db.session.scalars(sa.select(Post))
    return render_template_string(
        '{% for p in posts %}<b data-post="{{p.id}}">{% endfor %}', posts=posts
    )


REQUESTS = {
    "list_posts": {LIST: list_request("/", keys_in)},
    "show": {VIEW: request_to("GET", "/posts/{key}")},
    "change": {UPDATE: form_to("/posts/{key}/edit", {"title": "changed"})},
    "create": {CREATE: form_to("/posts/new")},
    "delete": {DELETE: form_to("/posts/{key}/delete")},
}


@pytest.mark.parametrize(
    ("endpoint", "view", "told"),
    [
        (
            "change",
            unguarded_change,
            "nobody UPDATE ann's, public is answered 302, to /, instead of 401",
        ),
        ("delete", login_required(unguarded_change), "ben DELETE ann's, public is answered 302"),
        ("show", telling_by_message, "ben VIEW ann's draft is answered otherwise than an object"),
        ("show", telling_by_redirect, "ben VIEW ann's draft is answered otherwise than an object"),
        (
            "show",
            lambda post_id: redirect("/sign-in"),
            "ann VIEW ann's draft is answered 302, to /sign-in",
        ),
        ("list_posts", unfiltered, "nobody LIST ann's draft is in the list"),
        (
            "create",
            lambda: redirect("/sign-in"),
            "ann CREATE their own is answered 302, to /sign-in, though",
        ),
    ],
)
def test_a_wrong_page_is_told(app, endpoint, view, told):
    """Where a form, a message in the session, a redirect or a list tells or does too much."""
    replace(app, endpoint, view)
    assert told in failures(app, requests=REQUESTS[endpoint])


def test_a_sign_in_that_fails_is_told(app):
    """Nobody is taken for somebody whose sign-in did not work."""
    wrong = {"ann": signed_in("/sign-in", {"name": "ann", "password": "wrong"})}
    assert "posts: ann is nobody after signing in" in failures(app, callers=wrong)
    missing = {"ann": signed_in("/nowhere", {})}
    assert "Signing in by POST /nowhere was answered 404" in failures(app, callers=missing)


def test_who_is_blocked_is_nobody(app):
    """A session that outlives its user's standing is no sign-in."""

    @app.before_request
    def block():
        if request.path == "/licet-verify-matrix":
            logout_user()

    assert "ann is nobody after signing in" in failures(app, callers=ANN)


def test_json_is_sent_with_the_sessions_token(app):
    """Flask-WTF asks for it in a header; a request without it is refused by the same app."""
    form = {"title": "by script"}
    requests = {
        LIST: list_request("/", keys_in),
        VIEW: request_to("GET", "/posts/{key}"),
        UPDATE: request_to("POST", "/posts/{key}/edit", form),
        CREATE: form_to("/posts/new"),
        DELETE: request_to("POST", "/posts/{key}/delete"),
    }
    assert failures(app, requests=requests) == ""
    assert app.test_client().post("/posts/1/delete").status_code == 400


def test_tokens_need_no_form_library(app, monkeypatch):
    """An app without secret key or Flask-WTF gets its forms as they are."""
    app.secret_key = None
    answer = form_to("/posts/{key}/delete")(app.test_client(), {}, 1)
    assert answer.status_code in (400, 500)


def test_another_sign_in_page_can_be_named(app):
    """Where the app sends people elsewhere than Flask-Login would."""
    app.login_manager.unauthorized_handler(lambda: redirect("/elsewhere?next=/"))
    assert "is answered 302, to /elsewhere?next=/, instead of 401" in failures(app)
    assert failures(app, sign_in_path="/elsewhere") == ""
