"""One way to the network, and one definition of what is read from it: `licet.wire`."""

import ast
from pathlib import Path

import pytest

import licet

PACKAGE = Path(licet.__file__).parent
MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if p.parent != PACKAGE / "wire"]
TREES = {str(p.relative_to(PACKAGE)): ast.parse(p.read_text()) for p in MODULES}
SENDERS = {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "Proxy"}
SHORTCUTS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "stream"}
SETTINGS = {"mounts", "trust_env", "proxy", "proxies", "follow_redirects"}
OTHER_CLIENTS = {"requests", "urllib3", "aiohttp", "httpx", "http.client", "urllib.request"}


def nodes(kind):
    return [
        (name, n) for name, tree in TREES.items() for n in ast.walk(tree) if isinstance(n, kind)
    ]


def httpx2_names():
    """Every use of a name of httpx2."""
    used = [
        (name, n.attr)
        for name, n in nodes(ast.Attribute)
        if isinstance(n.value, ast.Name) and n.value.id == "httpx2"
    ]
    imported = [
        (name, alias.name)
        for name, n in nodes(ast.ImportFrom)
        if n.module == "httpx2"
        for alias in n.names
    ]
    return used + imported


def imported_modules():
    for name, n in nodes(ast.Import):
        yield from ((name, alias.name) for alias in n.names)
    for name, n in nodes(ast.ImportFrom):
        yield name, n.module


def test_the_package_is_looked_at():
    """Else everything below would hold of nothing."""
    assert len(MODULES) > 150
    assert ("actions/client.py", "RequestError") in httpx2_names()


def test_clients_are_made_in_one_place():
    """Nobody else makes one of httpx2's, or lets it make one for a single request."""
    assert [use for use in httpx2_names() if use[1] in SENDERS | SHORTCUTS] == []


def test_no_other_library_sends():
    """A second one would have its own proxies, redirects and time-outs."""
    assert [use for use in imported_modules() if use[1] in OTHER_CLIENTS] == []


def test_authlib_sends_as_everybody():
    """Its client is one of ours: only the class over both is ever called."""
    classes = [
        n for _, n in nodes(ast.ClassDef) if "OAuth2Client" in {ast.unparse(b) for b in n.bases}
    ]
    assert [{ast.unparse(b) for b in n.bases} for n in classes] == [
        {"OAuth2Client", "CarefulClient"}
    ]
    called = [name for name, n in nodes(ast.Call) if ast.unparse(n.func).endswith("OAuth2Client")]
    assert called == []


@pytest.mark.parametrize("setting", sorted(SETTINGS | {"object_pairs_hook"}))
def test_how_is_said_in_one_place(setting):
    """Proxies, redirects and doubled members are decided once."""
    found = [
        (name, call.lineno)
        for name, call in nodes(ast.Call)
        for keyword in call.keywords
        if keyword.arg == setting
    ]
    assert found == []


def test_bodies_are_bounded_in_one_place():
    """No other module sets werkzeug's limit, which cuts without an error."""
    found = [
        (name, n.lineno)
        for name, n in nodes(ast.Attribute)
        if n.attr == "max_content_length" and isinstance(n.ctx, ast.Store)
    ]
    assert found == []


def test_this_machine_is_defined_once():
    """No other module asks an address, or a list of names, whether it is this machine."""
    asked = [(name, n.lineno) for name, n in nodes(ast.Attribute) if n.attr == "is_loopback"]
    named = [
        (name, n.lineno)
        for name, n in nodes(ast.Constant)
        if isinstance(n.value, str) and n.value in ("localhost", "::1")
    ]
    assert asked + named == []


def test_storable_text_is_defined_once():
    """No other module looks for NUL, or replaces surrogates."""
    found = [
        (name, n.lineno)
        for name, n in nodes(ast.Constant)
        if isinstance(n.value, str) and n.value in ("\x00", "utf-16")
    ]
    assert found == []
