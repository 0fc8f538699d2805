"""The rules of an app as the paths of a document, and the parameters in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from werkzeug.routing import Map

from licet.authz.declared.declarations import Declaration
from licet.wire.described import Parameter

__all__ = [
    "METHODS",
    "hosts_of",
    "methods_of",
    "path_of",
    "path_parameters",
    "same_path",
    "view_for",
]

METHODS: Final = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
_PART: Final = re.compile(
    r"<(?:(?P<kind>[a-zA-Z_][a-zA-Z0-9_]*)(?:\((?P<options>.*?)\))?:)?(?P<name>[a-zA-Z0-9_]+)>"
)
_OPTION: Final = re.compile(r"(\w+)\s*=\s*(-?[\d.]+)")


def path_of(rule: str) -> str:
    """The path with ``{name}`` for each parameter."""
    written = rule.replace("{", "%7B").replace("}", "%7D")
    return _PART.sub(lambda found: f"{{{found['name']}}}", written)


def same_path(path: str) -> str:
    """What two paths have in common that differ in the names of parameters alone."""
    return re.sub(r"{[^}]*}", "{}", path)


def path_parameters(rule: str) -> Iterator[Parameter]:
    """The parameters of a rule with the types of their converters."""
    for found in _PART.finditer(rule):
        schema, told = _schema(found["kind"] or "string", found["options"] or "")
        yield Parameter(
            name=found["name"], place="path", schema=schema, description=told, is_required=True
        )


def _schema(kind: str, options: str) -> tuple[dict[str, Any], str]:
    given = {name: float(value) for name, value in _OPTION.findall(options)}
    if kind == "int":
        least = given.get("min", None if "signed=True" in options else 0)
        bounds = {"minimum": least, "maximum": given.get("max")}
        whole = {name: int(value) for name, value in bounds.items() if value is not None}
        return {"type": "integer", **whole}, ""
    if kind == "float":
        return {"type": "number"}, ""
    if kind == "uuid":
        return {"type": "string", "format": "uuid"}, ""
    if kind == "any":
        choices = [one.strip().strip("'\"") for one in options.split(",")]
        return {"type": "string", "enum": choices}, ""
    if kind == "path":
        return {"type": "string", "minLength": 1}, "It may have slashes."
    if kind in ("string", "default"):
        lengths = {"minLength": given.get("minlength", 1), "maxLength": given.get("maxlength")}
        if "length" in given:
            lengths = dict.fromkeys(("minLength", "maxLength"), given["length"])
        whole = {name: int(value) for name, value in lengths.items() if value is not None}
        return {"type": "string", "pattern": "^[^/]*$", **whole}, ""
    return {"type": "string"}, f"Read by the app's converter {kind!r}."


def hosts_of(url_map: Map) -> dict[tuple[str, str], set[str]]:
    """The hosts or subdomains of each endpoint and rule that has some, as they are written."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in url_map.iter_rules():
        if written := rule.host or rule.subdomain:
            found.setdefault((str(rule.endpoint), rule.rule), set()).add(written)
    return found


def view_for(view: Any, method: str) -> Any:
    """What answers the method: the view, or the method of a view class."""
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, method.lower(), None)
    if handler is None and view_class is not None:
        return getattr(view_class, "dispatch_request", view)
    return view if handler is None else handler


def methods_of(one: Declaration) -> tuple[str, ...]:
    """The methods of a declaration, each by its name."""
    return METHODS if one.methods == ("*",) else one.methods
