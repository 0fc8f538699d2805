"""Which text can be stored."""

import pytest

from licet.wire.text import is_storable, readable, unstorable


@pytest.mark.parametrize("text", ["", "a", "é", "😀", "\ufffd", "\x01\x7f\n", "\U0010ffff"])
def test_what_can_be_stored(text):
    """Everything but NUL and lone surrogates; and it stays as it is."""
    assert is_storable(text)
    assert readable(text) == text


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        ("a\x00", "NUL character", "a\ufffd"),
        ("\ud800", "lone surrogate", "\ufffd"),
        ("\udfffé", "lone surrogate", "\ufffdé"),
        ("\ud83d\ude00", "lone surrogate", "😀"),
        ("\x00\ud800", "NUL character", "\ufffd\ufffd"),
    ],
)
def test_what_cannot_be_stored(text, reason, shown):
    """The reason is told, and there is a readable text for it."""
    assert unstorable(text) == reason
    assert readable(text) == shown
    assert is_storable(shown)
