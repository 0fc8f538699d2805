"""Between rows and documents."""

import copy
import pickle
from datetime import timedelta

import pytest
from tests.unit.actions.making import BOB

from licet.actions.documents import ActionStatus, render
from licet.actions.store._rows import json_text, unchecked_status
from licet.errors import UnstorableDocument


class Array:
    """As numpy's: compared with something it gives another, which is neither true nor false."""

    def __eq__(self, _other):
        return self

    def __bool__(self):
        raise ValueError("ambiguous")

    __hash__ = None


@pytest.mark.parametrize(("value", "text"), [({}, "{}"), ([], "[]"), (None, "null"), ("", '""')])
def test_what_is_empty(value, text):
    """Each is what it is."""
    assert json_text(value) == text


def test_what_has_no_json_form():
    """It is refused, and compared with nothing."""
    with pytest.raises(UnstorableDocument):
        json_text(Array())


def test_a_status_that_is_not_checked_again():
    """It is what the same values make when they are checked, and does what that does."""
    values = {
        "action_id": "a-1",
        "status": "SUCCEEDED",
        "creator_id": BOB,
        "details": {"n": 1},
        "start_time": "2030-01-01T00:00:00+00:00",
        "completion_time": None,
        "label": None,
        "display_status": None,
        "monitor_by": {BOB},
        "manage_by": set(),
        "release_after": timedelta(days=1),
    }
    checked = ActionStatus(**values)
    found = unchecked_status(**{name: getattr(checked, name) for name in values})
    assert found == checked
    assert render(found) == render(checked)
    assert found.model_fields_set == checked.model_fields_set
    assert pickle.loads(pickle.dumps(found)) == checked
    assert copy.deepcopy(found) == checked
    assert found.model_copy(update={"label": "x"}).label == "x"
    found.label = "y"
    with pytest.raises(ValueError, match="label"):
        found.label = 5
    assert render(unchecked_status(**vars(checked))) == render(checked)
