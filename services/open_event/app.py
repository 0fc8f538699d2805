"""The conference as an app of its own: ``python -m services.open_event``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, g
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session as OrmSession

from licet import Licet
from licet.authn.accounts.flask import before_account_deletion
from licet.authz import register_accounts, register_policies
from licet.db.flask import database_of, database_url
from licet.errors import StoreUnavailable
from licet.rest.jsonapi import JsonApi
from licet.rest.openapi import OpenApi
from licet.settings.state import app_state

from . import policies, resources, rules
from .callers import Caller, find_caller
from .models import Account
from .seed import prepare
from .views import reviewers, states
from .views.accounts import make_accounts
from .views.home import add_root, make_home
from .views.invites import make_invites

__all__ = ["Caller", "Database", "attach", "create_app", "rules"]


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """The service alone, with accounts for whoever signs up."""
    app = Flask(__name__)
    defaults = {"LICET_PROBLEM_ERRORS": True, "LICET_ACCOUNTS": True, "LICET_SIGN_UP": "open"}
    app.config.update({**defaults, **(config or {})})
    licet = Licet(app)
    add_root(app, attach(app))
    OpenApi(app, title="The conference")
    licet.protect(app)
    return app


class Database:
    """The conference's engine; its tables, and licet's, are made when they are first asked for."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.engine = sa.create_engine(database_url(app_state(app).settings))
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _enforce_keys)
        self._lock = Lock()
        self._is_ready = False

    def session(self) -> OrmSession:
        """The session of the current request."""
        if "open_event" not in g:
            self.prepare()
            g.open_event = OrmSession(self.engine)
        return g.open_event

    def new_session(self) -> OrmSession:
        """A session of its own."""
        self.prepare()
        return OrmSession(self.engine)

    def prepare(self) -> None:
        with self._lock:
            if not self._is_ready:
                database_of(self._app)  # where the grants are
                try:
                    prepare(self.engine)
                except OperationalError as error:
                    raise StoreUnavailable from error
                self._is_ready = True


def _enforce_keys(connection: Any, _record: Any) -> None:
    """SQLite asks foreign keys only when it is told to, connection by connection."""
    connection.execute("PRAGMA foreign_keys = ON")


def attach(app: Flask, url_prefix: str = "/v1") -> JsonApi:
    """Serve the conference from an app that has licet already; its JSON:API.

    Sign-up and sign-in are served where local accounts are enabled (LICET_ACCOUNTS).
    """
    database = app.extensions["open_event"] = Database(app)

    @app.teardown_appcontext
    def close_session(_error: BaseException | None) -> None:
        if "open_event" in g:
            g.pop("open_event").close()

    register_policies(
        app,
        *policies.POLICIES,
        session=database.session,
        caller=lambda: find_caller(database.session(), database.engine),
    )
    register_accounts(
        app,
        Account,
        principal=sa.literal("urn:licet:identity:") + Account.subject,
        active=Account.deleted_at.is_(None),
        attributes={
            "account_id": Account.id,
            "is_admin": Account.is_admin | Account.is_super_admin,
            "is_super_admin": Account.is_super_admin,
            "is_verified": Account.is_verified,
        },
    )
    api = JsonApi(app, url_prefix=url_prefix, resources=resources.RESOURCES, version="1.0")
    for blueprint in _blueprints(app, api, database):
        app.register_blueprint(blueprint, url_prefix=url_prefix)
    app.wsgi_app = _take_jwt(app.wsgi_app, f"{url_prefix}/")  # type: ignore[method-assign]
    return api


def _blueprints(app: Flask, api: JsonApi, database: Database) -> Iterable[Blueprint]:
    yield from (reviewers.blueprint, states.blueprint, make_invites(api), make_home(api))
    if app_state(app).settings.accounts.enabled:
        before_account_deletion(app, partial(rules.users.leave_service, database.new_session))
        yield make_accounts(api, database.new_session)


def _take_jwt(serve: Callable[..., Any], below: str) -> Callable[..., Any]:
    """Take the header scheme of the original, ``JWT``, for ``Bearer`` below a path."""

    def served(environ: dict[str, Any], start_response: Any) -> Any:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.upper() == "JWT" and environ.get("PATH_INFO", "").startswith(below):
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return serve(environ, start_response)

    return served
