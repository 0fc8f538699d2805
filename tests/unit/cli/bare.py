"""An app without providers."""

from flask import Flask


def app() -> Flask:
    return Flask(__name__)
