"""`LICET_LOG_ALLOWED`: decisions that allow are logged like those that deny."""

import json
import logging

import pytest
from tests.unit.authz.notes import make_app

from licet.errors import ConfigurationError
from licet.settings import Settings

LOGGER = "licet.authz.decisions"


def logged(caplog, value, *, method="GET"):
    """What a request of ann's for her own note leaves in the log."""
    app = make_app(config={"LICET_LOG_ALLOWED": value})
    with caplog.at_level(logging.INFO, LOGGER):
        sent = {"X-User": "ann", "X-Request-Id": "r1"}
        response = app.test_client().open("/notes/1", method=method, headers=sent, json={})
    assert response.status_code < 400
    return [record for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize("value", ["VIEW", "UPDATE, VIEW", ["VIEW"], "ALL"])
def test_an_allowed_decision_is_one_structured_line(caplog, value):
    """With the same facts as a denial's."""
    (record,) = logged(caplog, value)
    assert record.licet == {
        "request_id": "r1",
        "principal": "User:?",
        "verb": "VIEW",
        "resource": "notes:1",
        "visible": True,
        "reason": "allowed",
    }
    assert json.loads(record.getMessage().removeprefix("allowed ")) == record.licet


@pytest.mark.parametrize("value", [None, "", "UPDATE", []])
def test_other_verbs_are_not_logged(caplog, value):
    """Nor any, where the setting is empty."""
    assert logged(caplog, value) == []


def test_a_verb_that_no_policy_has_is_told(caplog):
    """Once, with the one that was meant."""
    (record,) = logged(caplog, "VIEWS")
    assert record.getMessage() == (
        "LICET_LOG_ALLOWED names 'VIEWS', a verb that no policy of the app has: "
        "did you mean 'VIEW'?"
    )


@pytest.mark.parametrize("value", ["VIEW UPDATE", "VIEW,", "*", 5])
def test_what_is_no_list_of_verbs_is_refused(tmp_path, value):
    """With the value and what to write."""
    with pytest.raises(
        ConfigurationError, match=r"LICET_LOG_ALLOWED is .* write names with commas"
    ):
        Settings.read({"LICET_LOG_ALLOWED": value}, tmp_path, {})
