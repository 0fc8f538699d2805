"""The interface that a provider's own storage implements."""

import pytest

from licet.actions.documents import AbstractActionRepository
from licet.actions.store.actions import ActionStore


@pytest.mark.parametrize("missing", ["get", "store", "remove"])
def test_every_method_is_needed(missing: str):
    """A storage that lacks one of the three methods cannot be made."""
    methods = {name: lambda *_: None for name in ("get", "store", "remove") if name != missing}
    with pytest.raises(TypeError, match=missing):
        type("Partial", (AbstractActionRepository,), methods)()


def test_three_methods_are_enough():
    """A storage with the three methods is one, and so is licet's own."""
    methods = {name: lambda *_: None for name in ("get", "store", "remove")}
    assert type("Whole", (AbstractActionRepository,), methods)().get("x") is None
    assert issubclass(ActionStore, AbstractActionRepository)
