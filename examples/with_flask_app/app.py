"""The app: `flask --app examples.with_flask_app.app fill`, then `… run`."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask, render_template
from flask_login import LoginManager, current_user, login_required
from flask_migrate import Migrate
from flask_wtf import CSRFProtect

from licet import Licet, declare_decorator
from licet.authz import Allows, register_policies

from .access import make_posts
from .models import Post, User, db
from .views import make_views

__all__ = ["create_app"]


def create_app(config: dict[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.update(SECRET_KEY="for trying it out", SQLALCHEMY_DATABASE_URI="sqlite:///posts.db")
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY=… where others can reach it
    app.config.update(config or {})
    db.init_app(app)
    Migrate(app, db)
    CSRFProtect(app)
    manager = LoginManager(app)
    manager.login_view = "site.sign_in"
    manager.user_loader(lambda user_id: db.session.get(User, int(user_id)))

    # licet, and what it is told about the app
    Licet(app)
    Allows(app, identity_loader=lambda: current_user)
    posts = make_posts()
    register_policies(app, posts, session=lambda: db.session, caller=lambda: current_user)
    declare_decorator(app, login_required)

    site = make_views(posts)
    site.register_error_handler(401, lambda _error: manager.unauthorized())
    app.register_blueprint(site)
    app.register_error_handler(404, lambda _error: (render_template("missing.html"), 404))
    app.cli.add_command(fill)
    return app


@click.command()
def fill() -> None:
    """Make the tables and three users, ann, ben and mod, whose passwords are their names."""
    db.create_all()
    if db.session.get(User, 1) is None:
        for name in ("ann", "ben", "mod"):
            user = User(name=name, is_moderator=name == "mod")
            user.set_password(name)
            db.session.add(user)
        db.session.flush()
        db.session.add(Post(title="Licet", is_public=True, author_id=1))
        db.session.add(Post(title="A draft", author_id=1))
        db.session.commit()
    click.echo("Sign in as ann, ben or mod; each password is the name.")
