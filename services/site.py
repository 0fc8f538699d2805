"""The reference site: every example and service in one app."""

from typing import Any

from examples.apt_blueprint.blueprint import aptb
from examples.apt_blueprint.durable import counter, letters
from examples.watchasay.app.provider import create_blueprint
from flask import Flask

from licet import Licet
from licet.rest.openapi import OpenApi
from services.home import add_home
from services.open_event.app import attach


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """The site; `config` overrides settings, as tests do."""
    app = Flask(__name__)
    app.config.update({"LICET_PROBLEM_ERRORS": True, **(config or {})})
    licet = Licet(app)
    app.register_blueprint(create_blueprint())
    for blueprint in (aptb, counter, letters):
        app.register_blueprint(blueprint)
    attach(app, "/v1")
    add_home(app)
    OpenApi(app, title="licet: the reference site")
    licet.protect(app)
    return app
