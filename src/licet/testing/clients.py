"""Clients for tests that fail early."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from licet.extension import check_attached

__all__ = ["protected_client"]


def protected_client(app: Flask, **options: Any) -> FlaskClient:
    """`app.test_client(**options)` of an app that is protected, if licet is attached to it.

    The first request would refuse as well, but by an error 500 whose reason is in the log.

    Raises:
        UndeclaredEndpoints: some endpoint does not say who may call it.
    """
    check_attached(app)
    return app.test_client(**options)
