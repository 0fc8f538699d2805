"""A policy decides about objects of its own class only."""

import pytest
from tests.unit.authz.notes import Folder, Note, User, make_policy

from licet.authz import ALL, LIST, VIEW
from licet.errors import InvalidCondition


@pytest.mark.parametrize("owner", [None, "note", Folder(), Note])
def test_an_object_of_another_class_is_a_mistake_of_the_program(owner):
    """Nothing is decided about what the policy does not know."""
    with pytest.raises(
        InvalidCondition, match="The policy notes decides about Note, and was given a"
    ):
        make_policy().decide(User("ann"), VIEW, owner)


@pytest.mark.parametrize("verb", [ALL, LIST | VIEW])
def test_one_verb_is_decided_at_a_time(verb):
    """Several verbs at once have no single answer."""
    with pytest.raises(InvalidCondition, match="One verb is wanted here"):
        make_policy().decide(User("ann"), verb, Note())
