"""Apps whose account rows say something else than the callers of their requests have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Flask
from services.open_event import app as conference
from services.open_event.models import Account

from licet import Licet
from licet.authz import register_accounts

PRINCIPAL = sa.literal("urn:licet:identity:") + Account.subject


def _app(prepare: Callable[[Licet], Any] = lambda _licet: None, **given: Any) -> Flask:
    """The conference, whose accounts are registered otherwise."""
    app = Flask(__name__)
    prepare(Licet(app))
    columns = ("is_admin", "is_super_admin", "is_verified")
    told = {
        "principal": PRINCIPAL,
        "active": True,
        "attributes": {"account_id": "id", **{name: name for name in columns}},
    }
    registered = conference.register_accounts
    conference.register_accounts = lambda app, model, **_told: register_accounts(
        app, model, **(told | given)
    )
    try:
        conference.attach(app)
    finally:
        conference.register_accounts = registered
    return app


def swapped() -> Flask:
    return _app(attributes={"account_id": "id", "is_admin": ~Account.is_admin, "is_verified": True})


def disabled() -> Flask:
    return _app(active=Account.is_verified)


def silent() -> Flask:
    return _app(attributes={"account_id": "id", "is_admin": "is_admin"})


def unregistered() -> Flask:
    return _app(lambda licet: licet.account_of(lambda _identity: None))


def foreign() -> Flask:
    return _app(principal="email")


def by_function() -> Flask:
    return _app(principal="email", live=lambda account: conference.Caller(account, account.email))
