"""Verbs: five, an app's own, and all."""

import pytest

from licet.authz import ALL, CREATE, LIST, UPDATE, VIEW, Verb
from licet.errors import InvalidCondition

PUBLISH = Verb("PUBLISH")


def test_verbs_join():
    """Joined verbs cover each of theirs, and nothing else."""
    verbs = LIST | VIEW | PUBLISH

    assert verbs.names == {"LIST", "VIEW", "PUBLISH"}
    assert verbs.covers("PUBLISH")
    assert not verbs.covers("UPDATE")
    assert str(verbs) == "LIST | PUBLISH | VIEW"


@pytest.mark.parametrize("verbs", [ALL, ALL | VIEW, VIEW | ALL])
def test_all_covers_every_verb(verbs: Verb):
    """The app's own included, whatever it is joined with."""
    assert verbs == ALL
    assert verbs.covers("LIST")
    assert verbs.covers("PUBLISH")


def test_all_keeps_the_apps_own():
    """A policy has the verbs that its lines name, beside ALL as well."""
    verbs = ALL | PUBLISH

    assert verbs.is_all
    assert verbs.names == {"ALL", "PUBLISH"}


def test_one_verb_has_a_name():
    """Several have none, and neither has ALL."""
    assert PUBLISH.name == "PUBLISH"
    for verbs in (LIST | VIEW, ALL):
        with pytest.raises(InvalidCondition, match=rf"One verb is wanted.*{__file__}:\d+"):
            _ = verbs.name


@pytest.mark.parametrize("names", [(), ("",), ("two words",), (3,), ("VIEW", None)])
def test_a_verb_is_a_word(names: tuple):
    """Anything else is refused where it is written."""
    with pytest.raises(InvalidCondition, match=rf"A verb is a word.*{__file__}:\d+"):
        Verb(*names)


def test_a_verb_joins_verbs_only():
    """A text beside it is a TypeError, as between any two that do not go together."""
    with pytest.raises(TypeError):
        _ = CREATE | "UPDATE"
    assert UPDATE != "UPDATE"
