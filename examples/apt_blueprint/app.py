"""The app. Alone: ``python app.py`` in this folder, then http://localhost:5000/apt."""

import sys
from pathlib import Path

from flask import Flask

if __package__ in {None, ""}:  # started as a script: make the examples package importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from examples.apt_blueprint import config
from examples.apt_blueprint.blueprint import aptb
from examples.apt_blueprint.durable import counter, letters
from licet import Licet


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_object(config)
    licet = Licet(app)
    for blueprint in (aptb, counter, letters):
        app.register_blueprint(blueprint)
    licet.protect(app)
    return app


if __name__ == "__main__":
    create_app().run(port=5000)
