"""Callers behind proxies are told apart by the address that the proxies saw."""

import pytest
from flask import Flask, request

from licet import Licet
from licet.authz import public


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.6", "127.0.0.1"),
        (1, "198.51.100.6", "198.51.100.6"),
        (1, "6.6.6.6, 198.51.100.6", "198.51.100.6"),  # the first one is what the caller wrote
        (2, "6.6.6.6, 198.51.100.6, 10.0.0.2", "198.51.100.6"),
        (2, "198.51.100.6", "127.0.0.1"),
    ],
)
def test_the_callers_address_is_what_the_outermost_proxy_saw(tmp_path, proxies, forwarded, address):
    """As many entries count as there are proxies; neither host nor prefix is taken from outside."""
    app = Flask("app", instance_path=str(tmp_path))
    app.config["LICET_PROXIES"] = proxies
    Licet(app)
    app.get("/")(public(lambda: [request.remote_addr, request.scheme, request.host_url]))
    headers = {
        "X-Forwarded-For": forwarded,
        "X-Forwarded-Proto": ", ".join(["https"] * len(forwarded.split(","))),
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
    }
    found = app.test_client().get("/", headers=headers).json
    scheme = "http" if address == "127.0.0.1" else "https"
    assert found == [address, scheme, f"{scheme}://localhost/"]
