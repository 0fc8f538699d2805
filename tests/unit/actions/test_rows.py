"""Between rows and documents."""

import pytest

from licet.actions._rows import json_text
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
