"""``/openapi.json`` and ``/docs`` as an app serves them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from licet import Licet
from licet.authn import embedded_issuer
from licet.authz import requires_auth
from licet.authz.declared.audit import undeclared
from licet.authz.declared.declarations import declarations
from licet.errors import ConfigurationError, UnknownName
from licet.rest import public
from licet.rest.openapi import OpenApi, openapi_of


@pytest.fixture
def app(tmp_path: Path):
    app = Flask("pier", instance_path=str(tmp_path))
    Licet(app)
    return app


def test_both_are_served_and_declared(app):
    """They say themselves who may call them, so that a protected app starts with them."""
    OpenApi(app, title="The pier", version="3", description="Boats.")
    client = app.test_client()
    document = client.get("/openapi.json").json
    assert document["info"] == {"title": "The pier", "version": "3", "description": "Boats."}
    assert {"/docs", "/openapi.json"} <= set(document["paths"])
    assert client.get("/docs").status_code == 200
    assert undeclared(declarations(app)) == []


def test_the_page_names_its_own_assets_only(app):
    """No address of another host, no script within the page, and all that it names is there."""
    OpenApi(app, title='A <title> & "quotes"')
    answer = app.test_client().get("/docs")
    assert "A &lt;title&gt; &amp; &#34;quotes&#34;" in answer.text
    assert "//" not in answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        found = app.test_client().get(path)
        assert found.status_code == 200, path
        found.close()


def test_the_apps_templates_and_json_change_neither(app):
    """Nor do its delimiters, its escaping, or its JSON provider."""

    class Odd(DefaultJSONProvider):
        def dumps(self, obj, **options):
            return "odd"

    app.json = Odd(app)
    app.jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]"}
    app.jinja_env.autoescape = False
    OpenApi(app, title="<b>")
    client = app.test_client()
    assert client.get("/openapi.json").json["info"]["title"] == "<b>"
    assert "<title>&lt;b&gt;</title>" in client.get("/docs").text


def test_no_other_file_of_the_package_is_served(app):
    """Nor one outside of it."""
    OpenApi(app, title="tests")
    for name in ("index.css", "oauth2-redirect.html", "..%2f__init__.py", "docs.html"):
        assert app.test_client().get(f"/docs/{name}").status_code == 404


def test_a_document_that_the_caller_has_is_not_sent_again(app):
    """By its ETag."""
    OpenApi(app, title="tests")
    client = app.test_client()
    tag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_a_route_that_is_added_later_is_told(app):
    """Blueprints may be registered after the OpenApi."""
    OpenApi(app, title="tests")
    app.add_url_rule("/later", "later", public(lambda: ""))
    assert "/later" in app.test_client().get("/openapi.json").json["paths"]


def test_a_guard_stands_before_both(app):
    """And the document says so of itself."""
    OpenApi(app, title="tests", guard=requires_auth())
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/openapi.json", "/docs")] == [401, 401]
    token = {"Authorization": f"Bearer {embedded_issuer(app).mint('ann', [])}"}
    document = client.get("/openapi.json", headers=token).json
    assert document["paths"]["/docs"]["get"]["security"] == [{"bearer": []}]


def test_what_a_guard_lets_through_is_private(app):
    """No shared cache keeps it."""
    OpenApi(app, title="tests", guard=requires_auth())
    token = {"Authorization": f"Bearer {embedded_issuer(app).mint('ann', [])}"}
    for path, wanted in (("/openapi.json", "private, no-cache"), ("/docs", "no-store")):
        answer = app.test_client().get(path, headers=token)
        assert answer.headers["Cache-Control"] == wanted
        assert {"Authorization", "Cookie"} <= {*answer.headers.getlist("Vary")}


def test_a_document_is_made_once_for_all_roots(app, monkeypatch):
    """Though each caller may ask by another."""
    made = OpenApi(app, title="tests")
    client = app.test_client()
    first = client.get("/openapi.json", base_url="http://localhost/a")
    monkeypatch.setattr(made, "document", None)
    second = client.get("/openapi.json", base_url="http://localhost/b")
    assert [first.json["servers"], second.json["servers"]] == [[{"url": "/a"}], [{"url": "/b"}]]


def test_an_app_that_is_mounted_names_its_root(app):
    """The paths of the document are below it."""
    OpenApi(app, title="tests")
    answer = app.test_client().get("/openapi.json", base_url="http://localhost/pier")
    assert answer.json["servers"] == [{"url": "/pier"}]


def test_the_page_can_be_left_out_and_moved(app):
    """Each at its own path."""
    made = OpenApi(app, title="tests", path="/api.json", docs_path=None)
    client = app.test_client()
    assert client.get("/api.json").status_code == 200
    assert client.get("/docs").status_code == 404
    assert openapi_of(app) is made


def test_an_app_has_one(app):
    """A second one, or an option that there is not, is refused."""
    OpenApi(app, title="tests")
    with pytest.raises(ConfigurationError, match="has an OpenApi already"):
        OpenApi(app, title="tests", path="/other.json")
    with pytest.raises(UnknownName, match="docs_path"):
        OpenApi(app, title="tests", doc_path="/d")
