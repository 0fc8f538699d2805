"""The conference, in an app that nobody is registered with."""

from flask import Flask
from services.open_event.app import create_app

from licet import Licet


def app() -> Flask:
    made = create_app()
    Licet(made).account_of(lambda _identity: None)
    return made
