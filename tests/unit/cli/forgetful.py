"""An app that forgot to say who may call one of its endpoints."""

from flask import Flask

from licet import Licet
from licet.authz import public


def app() -> Flask:
    app = Flask(__name__)
    Licet(app)
    app.add_url_rule("/open", "open", public(lambda: ""))
    app.add_url_rule("/forgotten", "forgotten", lambda: "", methods=["PUT"])
    return app


def protected() -> Flask:
    made = app()
    Licet().protect(made)
    return made
