"""Documents in an app's own views."""

import json

from flask import Blueprint, Flask, jsonify
from tests.unit.actions.making import TEAM, make_status

from licet.actions.interface.http import assign_json_provider


def test_jsonify_writes_documents():
    """After the call an app's own views can answer with documents."""
    app = Flask(__name__)
    assign_json_provider(app)
    with app.app_context():
        found = json.loads(jsonify(make_status(monitor_by=[TEAM])).get_data())
    assert found["monitor_by"] == [TEAM]
    assert len(found) == 11


def test_a_blueprint_needs_none():
    """On a blueprint the call is harmless."""
    blueprint = Blueprint("b", __name__)
    before = dict(vars(blueprint))
    assign_json_provider(blueprint)
    assert vars(blueprint) == before
