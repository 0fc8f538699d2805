"""Apps without providers."""

from flask import Flask

from licet import Licet


def app() -> Flask:
    made = Flask(__name__)
    Licet(made)
    return made


def plain() -> Flask:
    """Nothing of licet is in it."""
    return Flask(__name__)


def late() -> Flask:
    """A setting of it comes too late."""
    made = app()
    made.config["LICET_ISSUER"] = "https://late.example"
    return made
