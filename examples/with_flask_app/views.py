"""The pages."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user, login_required, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import InputRequired

from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    authorize,
    guarded_by,
    public,
    requires,
    with_object,
)
from licet.authz.flask import current_caller

from .access import is_moderator
from .models import Post, User, db

__all__ = ["make_views"]


class SignInForm(FlaskForm):
    name = StringField(validators=[InputRequired()])
    password = PasswordField(validators=[InputRequired()])


class PostForm(FlaskForm):
    title = StringField(validators=[InputRequired()])
    is_public = BooleanField()


def make_views(posts: Policy) -> Blueprint:
    site = Blueprint("site", __name__)
    site.app_context_processor(lambda: {"is_moderator": is_moderator})
    _add_accounts(site)
    _add_reading(site, posts)
    _add_writing(site, posts)
    return site


def _add_accounts(site: Blueprint) -> None:
    @site.route("/sign-in", methods=["GET", "POST"])
    @public
    def sign_in() -> str | Response:
        form = SignInForm()
        if form.validate_on_submit():
            user = db.session.scalar(sa.select(User).filter_by(name=form.name.data))
            if user is not None and user.has_password(form.password.data) and login_user(user):
                return redirect(url_for("site.list_posts"))
            flash("The name or the password is wrong.")
        return render_template("form.html", form=form, title="Sign in")

    @site.post("/sign-out")
    @login_required
    def sign_out() -> Response:
        logout_user()
        return redirect(url_for("site.list_posts"))

    @site.get("/moderation")
    @requires(is_moderator)
    def moderation() -> str:
        users = db.session.scalars(sa.select(User).order_by(User.name))
        return render_template("moderation.html", users=users)


def _add_reading(site: Blueprint, posts: Policy) -> None:
    @site.get("/")
    @guarded_by(posts, LIST)
    def list_posts() -> str:
        shown = posts.filter(sa.select(Post).order_by(Post.id), current_caller())
        return render_template("posts.html", posts=db.session.scalars(shown))

    @site.get("/posts/<int:post_id>")
    @with_object(posts, VIEW, "post_id")
    def show(post: Post) -> str:
        return render_template("post.html", post=post)


def _add_writing(site: Blueprint, posts: Policy) -> None:
    @site.route("/posts/new", methods=["GET", "POST"])
    @login_required
    @guarded_by(posts, CREATE)
    def create() -> str | Response:
        form = PostForm()
        if not form.validate_on_submit():
            return render_template("form.html", form=form, title="New post")
        post = Post(title=form.title.data, is_public=form.is_public.data, author_id=current_user.id)
        authorize(posts, CREATE, post)
        db.session.add(post)
        db.session.commit()
        return redirect(url_for("site.show", post_id=post.id))

    @site.route("/posts/<int:post_id>/edit", methods=["GET", "POST"])
    @with_object(posts, UPDATE, "post_id")
    def change(post: Post) -> str | Response:
        form = PostForm(obj=post)
        if not form.validate_on_submit():
            return render_template("form.html", form=form, title="Change a post")
        form.populate_obj(post)
        authorize(posts, UPDATE, post)  # as it is after the change
        db.session.commit()
        return redirect(url_for("site.show", post_id=post.id))

    @site.post("/posts/<int:post_id>/delete")
    @with_object(posts, DELETE, "post_id")
    def delete(post: Post) -> Response:
        db.session.delete(post)
        db.session.commit()
        flash("The post is gone.")
        return redirect(url_for("site.list_posts"))
