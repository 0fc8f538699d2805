"""Clients for tests that fail early."""

import pytest

from licet import Licet
from licet.authz import public
from licet.errors import UndeclaredEndpoints
from licet.testing import protected_client


def test_a_client_of_a_declared_app(app):
    """It is Flask's own test client."""
    Licet(app)
    app.add_url_rule("/", "home", public(lambda: "hello"))
    assert protected_client(app, use_cookies=False).get("/").text == "hello"


def test_no_client_of_an_undeclared_app(app):
    """The test that asks for a client is told which endpoints were forgotten."""
    Licet(app)
    app.add_url_rule("/", "home", lambda: "hello")
    with pytest.raises(UndeclaredEndpoints, match="GET /  home"):
        protected_client(app)


@pytest.mark.parametrize("attached", [True, False])
def test_apps_that_never_asked_have_a_client(app, attached):
    """Without `Licet(app)`, or with LICET_PROTECT off, nothing is looked at."""
    app.config["LICET_PROTECT"] = "off"
    if attached:
        Licet(app)
    app.add_url_rule("/", "home", lambda: "hello")
    assert protected_client(app).get("/").text == "hello"
