"""A JSON provider that can write documents, for apps that `jsonify` them in views of their own.

Providers do not need it: they write their documents themselves.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask
from flask.json.provider import DefaultJSONProvider

from licet.actions.documents import convert_to_json

__all__ = ["JsonProvider", "assign_json_provider"]


class JsonProvider(DefaultJSONProvider):
    """Flask's own, and documents besides."""

    @staticmethod
    def default(o: Any) -> Any:
        """What `json` cannot write by itself."""
        return convert_to_json(o)


def assign_json_provider(app_or_blueprint: Flask | Blueprint) -> None:
    """Let ``jsonify`` write documents in an app; on a blueprint it changes nothing."""
    if isinstance(app_or_blueprint, Flask):
        app_or_blueprint.json = JsonProvider(app_or_blueprint)
