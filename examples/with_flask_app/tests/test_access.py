"""The pages do what the policy says, for browsers with cookies and forms."""

import re

import pytest
from examples.with_flask_app.app import create_app
from examples.with_flask_app.models import Post, User, db
from flask_login import current_user

from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, policies_of
from licet.testing import MatrixCases, form_to, list_request, request_to, signed_in, verify_matrix

USERS = ["ann", "ben", "mod"]


@pytest.fixture
def app(tmp_path):
    """The app with data of its own."""
    config = {"SQLALCHEMY_DATABASE_URI": "sqlite://", "LICET_INSTANCE_PATH": str(tmp_path)}
    app = create_app(config)
    with app.app_context():
        fill()
        yield app
        db.session.remove()
        db.engine.dispose()


def fill():
    db.drop_all()
    db.create_all()
    for number, name in enumerate(USERS, start=1):
        user = User(id=number, name=name, is_moderator=name == "mod")
        user.set_password(name, "pbkdf2:sha256:1")
        db.session.add(user)
    db.session.add_all(
        [
            Post(id=1, title="a public one", is_public=True, author_id=1),
            Post(id=2, title="a draft", author_id=1),
            Post(id=3, title="another's draft", author_id=2),
        ]
    )
    db.session.commit()


def keys_in(page):
    return {int(key) for key in re.findall(r'data-post="(\d+)"', page.text)}


def draft():
    """What the caller proposes by the form."""
    return Post(title="new", author_id=getattr(current_user, "id", None)), {"title": "new"}


def cases(app, **changes):
    (posts,) = policies_of(app)
    settings = {
        "policy": posts,
        "callers": {
            "nobody": {},
            **{name: signed_in("/sign-in", {"name": name, "password": name}) for name in USERS},
        },
        "objects": {"ann's, public": 1, "ann's draft": 2, "ben's draft": 3},
        "requests": {
            LIST: list_request("/", keys_in),
            VIEW: request_to("GET", "/posts/{key}"),
            UPDATE: form_to("/posts/{key}/edit", {"title": "changed"}),
            CREATE: form_to("/posts/new"),
            DELETE: form_to("/posts/{key}/delete"),
        },
        "drafts": {"their own": draft},
        "reset": fill,
    }
    return [MatrixCases(**settings | changes)]


def test_the_pages_do_what_the_policy_says(app):
    """Each caller, page and post, by cookies and forms."""
    report = verify_matrix(app, cases(app))
    assert report.requests == 4 * (4 * 3 + 1)
