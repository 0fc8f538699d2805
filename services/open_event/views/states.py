"""``GET /sessions/states``: the state machines of sessions, for clients that show buttons."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from licet.authz import public
from services.open_event.rules.states import table

blueprint = Blueprint("open_event_states", __name__)


@blueprint.get("/sessions/states")
@public
def states() -> ResponseReturnValue:
    return jsonify(table())
