"""The conference as an app of its own: ``flask --app examples.open_event.app run``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import Flask, g
from sqlalchemy.orm import Session as OrmSession

from licet import Licet, current_identity
from licet._state import app_state
from licet.authz import register_policies
from licet.db.flask import database_url

from . import policies
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
    app.config.update(config or {})
    Licet(app)
    attach(app)
    return app


def attach(app: Flask, url_prefix: str = "/v1") -> None:
    """Serve the conference from an app that has licet already."""
    engine = sa.create_engine(database_url(app_state(app).settings))
    prepare(engine)
    app.extensions["open_event"] = engine

    def session() -> OrmSession:
        if "open_event" not in g:
            g.open_event = OrmSession(engine)
        return g.open_event

    @app.teardown_appcontext
    def close_session(_error: BaseException | None) -> None:
        if "open_event" in g:
            g.pop("open_event").close()

    def caller() -> Caller:
        subject = current_identity.subject
        account = session().scalar(sa.select(Account).where(Account.subject == subject))
        return Caller(account, current_identity.principal)

    register_policies(
        app, policies.events, policies.sessions, policies.speakers, session=session, caller=caller
    )
    app.register_blueprint(blueprint, url_prefix=url_prefix)
