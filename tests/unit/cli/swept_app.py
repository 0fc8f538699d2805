"""An app with nothing to do but what it registers, for the command line."""

from flask import Flask

from licet import Licet
from licet.db import on_sweep


def create_app() -> Flask:
    app = Flask(__name__)
    Licet(app)
    on_sweep(app, "three", lambda: 3)
    return app
