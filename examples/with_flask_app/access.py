"""Who may do what."""

from __future__ import annotations

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    registered,
)

from .models import Post, User


def is_moderator(user: User) -> bool:
    """A requirement: Flask-Login's anonymous user and blocked users are not authenticated."""
    return user.is_authenticated and user.is_moderator


def make_posts() -> Policy:
    """The policy of an app, made for each app that `create_app` makes."""
    moderator = Role(
        "moderator",
        caller.is_authenticated.is_true() & caller.is_moderator.is_true(),
        implies=[registered],
    )
    own = (attr("author_id") == caller.id).named("Only own posts")
    public = attr("is_public").is_true().named("Only public posts")

    posts = Policy(Post, name="posts")
    posts.allow(moderator, ALL)
    posts.allow(registered, LIST | VIEW | CREATE | UPDATE | DELETE, when=own)
    posts.allow(everyone, LIST | VIEW, when=public)
    return posts
