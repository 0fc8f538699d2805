"""Apps whose people sign in at a provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from tests.unit.authn.accounts.people import Mails
from tests.unit.authn.sign_in.foreign import (
    PUBLIC_URL,
    Browser,
    SignInProvider,
    config_of,
    signing_in,
)

from licet import Licet
from licet.authn import current_identity
from licet.authn.accounts.flask import MAIL, PASSWORDS, accounts_of
from licet.authn.accounts.passwords import Passwords
from licet.authz import public
from licet.settings.state import app_state


@pytest.fixture
def provider() -> Iterator[SignInProvider]:
    with signing_in() as found:
        yield found


@pytest.fixture
def make_app(tmp_path: Path, migrated_sqlite: bytes) -> Iterator[Callable[..., Flask]]:
    """A function that makes an app with these settings; all of one test share a database."""
    made = []

    def make(**config: Any) -> Flask:
        path = tmp_path / "licet.sqlite3"
        if not path.exists():
            path.write_bytes(migrated_sqlite)
        app = Flask("licet_test_app", instance_path=str(tmp_path))
        app.config.update({"LICET_PUBLIC_URL": PUBLIC_URL} | config)
        state = app_state(app)
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        state.put(PASSWORDS, Passwords(hasher))
        state.put(MAIL, Mails())
        app.extensions["attached"] = Licet(app)

        @app.route("/me", methods=["GET", "POST"])
        @public
        def me() -> Any:
            return {"subject": current_identity.subject, "issuer": current_identity.issuer}

        made.append(app)
        return app

    yield make
    for app in made:
        if app_state(app).settings.accounts.enabled:
            assert accounts_of(app).outbox.wait(10)


@pytest.fixture
def app(make_app: Callable[..., Flask], provider: SignInProvider) -> Flask:
    """An app without local accounts and with one provider."""
    return make_app(**config_of(provider))


@pytest.fixture
def browser(app: Flask, provider: SignInProvider) -> Browser:
    return Browser(app, provider)
