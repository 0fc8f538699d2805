"""The conference, in an app that nobody is registered with."""

from flask import Flask
from services.open_event.app import attach

from licet import Licet


def app() -> Flask:
    made = Flask(__name__)
    Licet(made).account_of(lambda _identity: None)
    attach(made)
    return made
