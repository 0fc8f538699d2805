"""``GET /sessions/states``: the state machines of sessions, for clients that show buttons."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from licet.authz import public
from licet.rest.openapi import Example, documented
from services.open_event.rules.states import table

blueprint = Blueprint("open_event_states", __name__)
STATES = {"type": "array", "items": {"type": "string"}}
MACHINE = {"type": "object", "additionalProperties": STATES}
TABLE = {"type": "object", "properties": {"organizer": MACHINE, "speaker": MACHINE}}


@blueprint.get("/sessions/states")
@public
@documented(
    "The states of sessions, and who may lead one from which to which.",
    name="get_session_states",
    tag="session",
    answer=TABLE,
    examples=[Example(answer={"speaker": {"pending": ["withdrawn"]}})],
)
def states() -> ResponseReturnValue:
    return jsonify(table())
