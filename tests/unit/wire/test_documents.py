"""JSON from elsewhere."""

import pytest

from licet.wire.documents import read_json


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": {"b": 1}, "b": [1.5, null]}', {"a": {"b": 1}, "b": [1.5, None]}),
        (b" 7 ", 7),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_a_document(raw, value):
    """Any JSON value."""
    assert read_json(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a": 1} x',
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "\\u0061": 2}}]',
        b"NaN",
        b"[-Infinity]",
        b"\xff",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"9" * 5000,
    ],
    ids=lambda raw: repr(raw)[:20],
)
def test_what_says_two_things_or_nothing(raw):
    """Two readers could differ about it, or fail: it is no document."""
    with pytest.raises(ValueError):
        read_json(raw)
