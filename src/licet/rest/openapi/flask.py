"""`OpenApi`: an app's document at ``/openapi.json``, and a page to read and try it at ``/docs``.

    OpenApi(app, title="The conference")

The page has the assets of flask-swagger-ui and a start script of its own. It asks no other host for
anything, which its Content-Security-Policy forbids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask, Response, request, send_from_directory, url_for
from jinja2 import Environment, Template

from licet.authz.declared.marks import public
from licet.errors import ConfigurationError
from licet.errors.names import knows_its_options
from licet.rest.endpoints.requests import keep_private
from licet.rest.openapi.document import About, document_of
from licet.rest.openapi.documented import documented
from licet.settings.state import app_state
from licet.wire.described import Example

__all__ = ["OpenApi", "openapi_of"]

_KEY: Final = "rest.openapi"
_BLUEPRINT: Final = "licet_openapi"
_ASSETS: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
_OWN: Final = ("docs.css", "docs.js")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class OpenApi:
    """The document of an app, and where it is served.

    Args:
        app: the app; routes that are registered later are in the document, too.
        title, version, description: of the whole interface.
        path: where the document is.
        docs_path: where the page is; None for no page.
        guard: stands before both, such as ``requires_auth(allowed_roles=["staff"])``; without one
            everybody may read them.
        examples: those of operations, by name, instead of the ones that are made of schemas.
        shows_hidden: also tell of operations of which only some callers may know, such as those of
            a provider that is not visible to the public.

    Raises:
        ConfigurationError: the app has an `OpenApi` already, or flask-swagger-ui is not installed,
            which the page needs.
    """

    @knows_its_options
    def __init__(
        self,
        app: Flask,
        *,
        title: str,
        version: str = "1",
        description: str = "",
        path: str = "/openapi.json",
        docs_path: str | None = "/docs",
        guard: Callable[[Any], Any] = public,
        examples: Mapping[str, Iterable[Example]] | None = None,
        shows_hidden: bool = False,
    ) -> None:
        state = app_state(app)
        if state.has(_KEY):
            raise ConfigurationError(f"The app {app.name!r} has an OpenApi already: one is enough.")
        self._app, self._shows_hidden = app, shows_hidden
        given = {name: tuple(some) for name, some in (examples or {}).items()}
        self._about = About(title=title, version=version, description=description, examples=given)
        self._made: tuple[int, dict[str, Any]] | None = None  # and the number of rules
        self.path, self.docs_path = path, docs_path
        app.register_blueprint(self._blueprint(guard))
        state.put(_KEY, self)

    def document(self, *, root: str = "/", shows_hidden: bool = True) -> dict[str, Any]:
        """The document.

        Args:
            root: the path that the app is mounted at.
            shows_hidden: also what is not told to everybody.
        """
        return document_of(self._app, replace(self._about, root=root), shows_hidden=shows_hidden)

    def _served(self) -> dict[str, Any]:
        """The document as it is served, made again when the app has got more rules."""
        rules, made = len([*self._app.url_map.iter_rules()]), self._made
        if made is None or made[0] != rules:
            made = self._made = (rules, self.document(shows_hidden=self._shows_hidden))
        return {**made[1], "servers": [{"url": request.root_path or "/"}]}

    def _blueprint(self, guard: Callable[[Any], Any]) -> Blueprint:
        blueprint = Blueprint(_BLUEPRINT, __name__)

        @documented("This document.", answer={"type": "object"}, name="get_openapi", tag="docs")
        def openapi() -> Response:
            text = json.dumps(self._served(), ensure_ascii=False, separators=(",", ":"))
            response = Response(text, content_type="application/json")
            response.add_etag()
            response.headers["Cache-Control"] = "no-cache"
            _keep_private_behind(guard, response)
            response.make_conditional(request)
            return response

        blueprint.add_url_rule(self.path, "openapi", guard(openapi))
        if self.docs_path is not None:
            _add_page(blueprint, self.docs_path.rstrip("/"), self._about.title, guard)
        return blueprint


def openapi_of(app: Flask) -> OpenApi | None:
    """The app's `OpenApi`; None without one."""
    state = app_state(app)
    if not state.has(_KEY):
        return None
    return state.get_or_build(_KEY, _missing)


def _missing(_settings: object) -> OpenApi:
    raise LookupError(_KEY)


def _add_page(blueprint: Blueprint, path: str, title: str, guard: Callable[[Any], Any]) -> None:
    folder, own = _folder_of_assets(), str(Path(__file__).with_name("page"))
    page_schema = {"type": "string"}

    @documented(
        "This document as a page.",
        answer=page_schema,
        media_type="text/html",
        name="get_docs",
        tag="docs",
    )
    def docs() -> Response:
        document = url_for(f"{_BLUEPRINT}.openapi")
        assets = {name: url_for(f"{_BLUEPRINT}.asset", name=name) for name in (*_ASSETS, *_OWN)}
        text = _template().render(title=title, document=document, assets=assets)
        response = Response(text, content_type="text/html; charset=utf-8")
        response.headers.extend(_HEADERS)
        _keep_private_behind(guard, response)
        return response

    @documented(
        "What the page needs.",
        answer={},
        media_type="*/*",
        answers={304: "The caller has it already."},
        name="get_docs_asset",
        tag="docs",
    )
    def asset(name: str) -> Response:
        response = send_from_directory(folder if name in _ASSETS else own, name)
        response.headers.extend(_HEADERS)
        return response

    names = ", ".join(f'"{name}"' for name in (*_ASSETS, *_OWN))
    blueprint.add_url_rule(path or "/", "docs", guard(docs))
    blueprint.add_url_rule(f"{path}/<any({names}):name>", "asset", guard(asset))


def _keep_private_behind(guard: Callable[[Any], Any], response: Response) -> None:
    if guard is not public:
        keep_private(response.headers)


@cache
def _template() -> Template:
    """The page, which neither the app's templates nor what it does to them change."""
    text = Path(__file__).with_name("page").joinpath("docs.html").read_text("utf-8")
    return Environment(autoescape=True).from_string(text)


def _folder_of_assets() -> str:
    spec = find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "The page of OpenApi needs flask-swagger-ui: pip install 'licet[rest]', or serve the "
            "document alone with OpenApi(app, docs_path=None, …)."
        )
    return str(Path(spec.origin).parent / "dist")
