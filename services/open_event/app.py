"""The conference as an app of its own: ``flask --app services.open_event.app run``."""

from __future__ import annotations

from threading import Lock
from typing import Any

import sqlalchemy as sa
from flask import Flask, g
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session as OrmSession

from licet import Licet, current_identity
from licet.authz import register_accounts, register_policies
from licet.db.flask import database_of, database_url
from licet.errors import StoreUnavailable
from licet.rest.jsonapi import JsonApi
from licet.rest.openapi import OpenApi
from licet.settings.state import app_state

from . import policies, resources
from .models import Account
from .seed import prepare
from .views import blueprint


class Caller:
    """A signed-in account, or nobody, as the policies ask for it."""

    def __init__(self, account: Account | None, principal: str) -> None:
        self.account_id = None if account is None else account.id
        self.is_admin = account is not None and account.is_admin
        self.is_verified = account is not None and account.is_verified
        self.is_authenticated = account is not None
        self.principal = principal


def create_app(config: dict[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.update({"LICET_PROBLEM_ERRORS": True, **(config or {})})
    licet = Licet(app)
    attach(app)
    OpenApi(app, title="The conference")
    licet.protect(app)
    return app


class Database:
    """The conference's engine; its tables, and licet's, are made when they are first asked for."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.engine = sa.create_engine(database_url(app_state(app).settings))
        self._lock = Lock()
        self._is_ready = False

    def session(self) -> OrmSession:
        """The session of the current request."""
        if "open_event" not in g:
            self.prepare()
            g.open_event = OrmSession(self.engine)
        return g.open_event

    def prepare(self) -> None:
        with self._lock:
            if not self._is_ready:
                database_of(self._app)  # where the grants are
                try:
                    prepare(self.engine)
                except OperationalError as error:
                    raise StoreUnavailable from error
                self._is_ready = True


def attach(app: Flask, url_prefix: str = "/v1") -> None:
    """Serve the conference from an app that has licet already."""
    database = app.extensions["open_event"] = Database(app)

    @app.teardown_appcontext
    def close_session(_error: BaseException | None) -> None:
        if "open_event" in g:
            g.pop("open_event").close()

    def find_caller() -> Caller:
        subject = current_identity.subject
        account = database.session().scalar(sa.select(Account).where(Account.subject == subject))
        return Caller(account, current_identity.principal)

    register_policies(
        app,
        policies.events,
        policies.sessions,
        policies.speakers,
        session=database.session,
        caller=find_caller,
    )
    register_accounts(
        app,
        Account,
        principal=sa.literal("urn:licet:identity:") + Account.subject,
        active=True,
        attributes={
            "account_id": Account.id,
            "is_admin": Account.is_admin,
            "is_verified": Account.is_verified,
        },
    )
    app.register_blueprint(blueprint, url_prefix=url_prefix)
    served = [resources.events, resources.sessions, resources.speakers]
    JsonApi(app, url_prefix=url_prefix, resources=served)
