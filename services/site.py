"""The reference site: every example in one app."""

from typing import Any

from examples.apt_blueprint.blueprint import aptb
from examples.apt_blueprint.durable import counter, letters
from examples.watchasay.app.provider import create_blueprint
from flask import Flask

from licet import Licet
from licet.authz import public
from services.open_event.app import attach


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """The site; `config` overrides settings, as tests do."""
    app = Flask(__name__)
    app.config.update(config or {})
    licet = Licet(app)
    app.register_blueprint(create_blueprint())
    for blueprint in (aptb, counter, letters):
        app.register_blueprint(blueprint)
    attach(app, "/v1")

    @app.get("/")
    @public
    def home() -> dict[str, Any]:
        return {
            "providers": {
                "watchasay": "/skeleton",
                "apt_blueprint": "/apt",
                "count": "/count",
                "letter": "/letter",
            },
            "conference": ["/v1/events", "/v1/sessions", "/v1/speakers"],
        }

    licet.protect(app)
    return app
