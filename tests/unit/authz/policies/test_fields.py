"""Fields: which a caller sees, which they write, and what a list may be sorted by."""

import pytest
from sqlalchemy.orm import Session
from tests.unit.authz.conference import (
    ADMIN,
    CREATOR,
    NOBODY,
    OWNER,
    STRANGER,
    Speaker,
    Who,
    own,
    runs_event,
    speaker_policy,
    staff,
)

from licet.authz import ALL, Policy, Role, attr, caller, everyone, predicate, registered
from licet.errors import InvalidCondition, UntranslatableCondition

PLACE = rf"{__file__}:\d+"
FIELDS = {"id", "event_id", "name", "email", "event", "talks"}


def policy() -> Policy:
    return Policy(Speaker).allow(everyone, ALL)


def test_every_field_is_free_without_rules(db: Session):
    """Columns and relationships; for everybody."""
    speaker = db.get(Speaker, 1)

    assert policy().visible_fields(NOBODY, speaker) == FIELDS
    assert policy().writable_fields(None, speaker) == FIELDS
    assert policy().queryable_fields(NOBODY) == FIELDS


@pytest.mark.parametrize("name", ["event", "event_id"])
def test_a_relationship_is_masked_with_its_key(db: Session, name: str):
    """Either tells the other, and writing one writes the other."""
    speaker = db.get(Speaker, 1)
    both = {"event", "event_id"}

    hidden, fixed = policy().hide(name), policy().readonly(name)
    assert hidden.visible_fields(NOBODY, speaker) == FIELDS - both
    assert hidden.queryable_fields(NOBODY) == FIELDS - both
    assert fixed.writable_fields(NOBODY, speaker) == FIELDS - both
    assert policy().writable_only(name).writable_fields(NOBODY, speaker) == both
    assert policy().writable_only("name").writable_fields(NOBODY, speaker) == {"name"}


@pytest.mark.parametrize(
    ("who", "sees", "writes", "queries"),
    [
        (NOBODY, False, False, False),
        (STRANGER, False, False, False),
        (CREATOR, True, True, False),
        (OWNER, True, False, False),
        (ADMIN, True, False, True),
        (Who("x"), False, False, False),
    ],
)
def test_rules_are_lifted_by_roles_and_conditions(db: Session, who, sees, writes, queries):
    """Of the object for what is seen and written; a query may ask what is hidden nowhere only."""
    of_both = db.get(Speaker, 2)  # of an event that OWNER runs, with a talk by CREATOR
    speakers = speaker_policy()

    assert ("email" in speakers.visible_fields(who, of_both)) is sees
    assert ("email" in speakers.writable_fields(who, of_both)) is writes
    assert ("email" in speakers.queryable_fields(who)) is queries
    assert FIELDS - {"email"} == speakers.visible_fields(who, of_both) - {"email"}
    assert "id" not in speakers.writable_fields(who, of_both)


def test_sorting_by_what_is_hidden_on_some_rows_is_refused(db: Session):
    """An order tells a hidden value as surely as showing it does; so with no visible row at all."""
    speakers = speaker_policy()
    seen = [s for s in db.query(Speaker) if "email" in speakers.visible_fields(CREATOR, s)]

    assert 0 < len(seen) < db.query(Speaker).count()
    assert "email" not in speakers.queryable_fields(CREATOR)
    assert "name" in speakers.queryable_fields(CREATOR)


def test_each_of_several_rules_must_be_lifted(db: Session):
    """One that is left masks the field; one rule masks all its fields."""
    masked = policy().hide("name", "email", unless=own).hide("name", "talks", unless=[staff])
    speaker = db.get(Speaker, 2)

    assert masked.visible_fields(NOBODY, speaker) == FIELDS - {"name", "email", "talks"}
    assert masked.visible_fields(CREATOR, speaker) == FIELDS - {"name", "talks"}
    assert masked.visible_fields(ADMIN, speaker) == FIELDS - {"name", "email"}
    assert masked.visible_fields(Who(5, is_admin=True), speaker) == FIELDS
    assert masked.queryable_fields(ADMIN) == FIELDS - {"name", "email"}


def test_a_rule_without_exception_masks_for_all(db: Session):
    """Also for staff, and with an empty list of exceptions."""
    for unless in (None, [], ()):
        masked = policy().hide("name", unless=unless).readonly("email", unless=unless)
        assert "name" not in masked.visible_fields(ADMIN, db.get(Speaker, 1))
        assert "email" not in masked.writable_fields(ADMIN, db.get(Speaker, 1))
        assert "email" in masked.visible_fields(ADMIN, db.get(Speaker, 1))


def test_only_some_fields_are_writable(db: Session):
    """`writable_only` masks the others, and two such rules leave what both have."""
    speaker = db.get(Speaker, 1)
    masked = policy().writable_only("name", "email", unless=staff)

    assert masked.writable_fields(NOBODY, speaker) == {"name", "email"}
    assert masked.writable_fields(ADMIN, speaker) == FIELDS
    assert masked.visible_fields(NOBODY, speaker) == FIELDS
    twice = policy().writable_only("name", "email").writable_only("email", "event")
    assert twice.writable_fields(ADMIN, speaker) == {"email"}


def test_an_exception_for_a_role_is_for_those_who_imply_it(db: Session):
    """As everywhere; a relative role counts by its condition."""
    member = Role("member", runs_event)
    masked = policy().hide("name", unless=registered).hide("email", unless=member)
    of_owner = db.get(Speaker, 1)

    assert "name" in masked.visible_fields(ADMIN, of_owner)
    assert "name" not in masked.visible_fields(NOBODY, of_owner)
    assert "email" in masked.visible_fields(OWNER, of_owner)
    assert "email" not in masked.visible_fields(OWNER, db.get(Speaker, 40))


@pytest.mark.parametrize("who", [Who("x"), Who(name=3)])
def test_a_caller_of_a_wrong_type_sees_what_nobody_may_be_denied(db: Session, who):
    """A rule that cannot be asked is not lifted, under a negation either."""
    masked = policy().hide("name", unless=~(attr("name") == caller.name))
    masked.hide("email", unless=~own)

    shown = masked.visible_fields(who, db.get(Speaker, 1))
    assert not {"name", "email"} <= shown
    assert not {"name", "email"} <= masked.queryable_fields(who)


@pytest.mark.parametrize("method", ["hide", "readonly", "writable_only"])
@pytest.mark.parametrize(
    ("fields", "unless", "text"),
    [
        ((), None, "Fields are given by their names"),
        ((Speaker.name,), None, "Fields are given by their names"),
        ((["name"],), None, "Fields are given by their names"),
        (("name",), "staff", "unless takes roles and conditions"),
        (("name",), [staff, "owner"], "unless takes roles and conditions"),
        (("name",), True, "unless takes roles and conditions"),
        (("name",), attr("name"), "unless takes roles and conditions|A path is not a collection"),
        (("name",), lambda _who: True, "unless takes roles and conditions"),
    ],
)
def test_rules_of_the_wrong_kind_are_refused(method: str, fields, unless, text: str):
    """Where they are written."""
    with pytest.raises(InvalidCondition, match=f"({text}).*{PLACE}"):
        getattr(policy(), method)(*fields, unless=unless)


@pytest.mark.parametrize("method", ["hide", "readonly", "writable_only"])
def test_unknown_fields_are_refused_at_build(method: str):
    """A mistyped name would hide nothing: the error names it, what there is, and the line."""
    policy_ = getattr(policy(), method)("name", "mail", "phone")

    with pytest.raises(
        InvalidCondition, match=rf"Speaker has no field mail, phone; it has email, .*{PLACE}"
    ):
        policy_.build()


def test_conditions_of_rules_are_checked_at_build():
    """An unknown path, with its line; and a Python function, which a list cannot ask."""
    with pytest.raises(UntranslatableCondition, match=f"has no 'nothing'.*{PLACE}"):
        policy().readonly("name", unless=attr("nothing") == 1).build()
    asked = predicate(lambda owner, _who: owner.name == "n1")
    with pytest.raises(UntranslatableCondition, match=f"cannot hide a field with a Py.*{PLACE}"):
        policy().hide("name", unless=[own, asked | own]).build()


def test_a_python_function_may_say_what_is_written(db: Session):
    """Which is asked of one object at a time."""
    asked = predicate(lambda owner, _who: owner.name == "n1")
    policy_ = policy().readonly("email", unless=asked)

    assert "email" in policy_.writable_fields(NOBODY, db.get(Speaker, 1))
    assert "email" not in policy_.writable_fields(NOBODY, db.get(Speaker, 2))
