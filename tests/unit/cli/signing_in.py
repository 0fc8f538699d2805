"""A licet service with accounts of its own, served, to sign in at from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.apt_blueprint.blueprint import aptb
from flask import Flask
from tests.unit.actions.serving import served
from tests.unit.authn.accounts.people import CHEAP, EMAIL, PASSWORD, ann

from licet import Licet
from licet.authn.accounts.flask import PASSWORDS, accounts_of
from licet.authn.accounts.passwords import Passwords
from licet.settings.state import app_state

SCOPE = aptb.provider_description.globus_auth_scope


class Service:
    """The app and where it is; `asked` holds the method, path and token of every request.

    `before` holds what is done before a path is answered.
    """

    def __init__(self) -> None:
        self.url = ""
        self.app: Flask | None = None
        self.asked: list[tuple[str, str, str | None]] = []
        self.before: dict[str, Callable[[], object]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path, token = environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION")
        self.asked.append((environ["REQUEST_METHOD"], path, token))
        self.before.get(path, lambda: None)()
        return self.app(environ, start_response)

    def tokens(self) -> set[str]:
        """Every bearer token that was sent."""
        return {token.partition(" ")[2] for _, _, token in self.asked if token}

    def paths(self) -> list[str]:
        """What was asked for."""
        return [path for _, path, _ in self.asked]


@contextmanager
def service(folder: Path, **config: Any) -> Iterator[Service]:
    """A service with Ann's account."""
    found = Service()
    with served(found) as url:
        app = Flask("service", instance_path=str(folder))
        app.config.update(LICET_ACCOUNTS=True, LICET_ISSUER=url, LICET_INSTANCE_PATH=str(folder))
        app.config.update(config)
        app_state(app).put(PASSWORDS, Passwords(CHEAP))
        Licet(app)
        app.register_blueprint(aptb)
        ann(accounts_of(app))
        found.app, found.url = app, url
        yield found
        assert accounts_of(app).outbox.wait(10)


def logins(folder: Path) -> list[dict[str, Any]]:
    """What the file of sign-ins holds."""
    path = folder / "licet" / "logins.json"
    return json.loads(path.read_text())["logins"] if path.exists() else []


def sign_in(licet, url: str, *words: str, password: str = PASSWORD, email: str = EMAIL):
    """Runs ``licet login`` as Ann."""
    return licet("login", url, "--email", email, "--password-stdin", *words, input=f"{password}\n")
