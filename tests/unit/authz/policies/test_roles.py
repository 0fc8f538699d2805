"""Roles: who holds them, what they imply, and which are relative to an object."""

import gc

import pytest
from tests.unit.authz.conference import NOBODY, STRANGER, Event, Speaker, Who

from licet.authz import ALL, LIST, UPDATE, VIEW, Policy, Role, attr, caller, everyone, predicate
from licet.errors import InvalidCondition

PLACE = rf"{__file__}:\d+"


def allows(policy: Policy, identity: Who, verb=VIEW, owner=None) -> bool:
    return policy.decide(identity, verb, owner or Speaker(name="a")).allowed


def test_a_role_has_what_it_implies():
    """Through any number of roles, each granted something; the others do not have its own."""
    reader = Role("reader", caller.reads.is_true())
    writer = Role("writer", caller.writes.is_true(), implies=[reader])
    chief = Role("chief", caller.rules.is_true(), implies=[writer])
    policy = Policy(Speaker).allow(reader, VIEW).allow(writer, UPDATE)

    assert allows(policy, Who(rules=True), VIEW)
    assert allows(policy, Who(rules=True), UPDATE)
    assert allows(policy, Who(writes=True), VIEW)
    assert allows(policy, Who(reads=True), VIEW)
    assert not allows(policy, Who(reads=True), UPDATE)
    assert not allows(policy, Who(reads="yes"), VIEW)
    assert [role.name for role in chief.closure()] == ["chief", "writer", "reader"]


def test_a_role_may_be_implied_in_two_ways():
    """Its holders are still each told once."""
    base = Role("base", caller.base.is_true())
    left, right = (Role(name, caller.x.is_true(), implies=[base]) for name in ("left", "right"))
    top = Role("top", caller.top.is_true(), implies=[left, right])

    assert base.holders() == [base, left, right, top]
    assert set(top.closure()) == {top, left, right, base}


def test_everyone_is_everyone():
    """The caller is not even asked."""
    policy = Policy(Speaker).allow(everyone, VIEW)

    assert allows(policy, NOBODY)
    assert allows(policy, None)
    assert everyone.condition.holds


def test_roles_can_be_functions():
    """Of the identity; one that is no bool denies, also under what implies it."""
    policy = Policy(Speaker).allow(Role("lucky", lambda who: who.account_id == 1), VIEW)

    assert allows(policy, STRANGER)
    assert not allows(policy, NOBODY)
    assert not allows(policy, None)  # it has no account_id: an error, which denies


def test_roles_cannot_imply_each_other():
    """A cycle would give everybody everything: refused, with the place in the program."""
    one = Role("one", caller.x.is_true())
    two = Role("two", caller.y.is_true(), implies=[one])
    three = Role("three", caller.z.is_true(), implies=[two])

    for role in (three, one):
        with pytest.raises(InvalidCondition, match=f"would imply each other.*{PLACE}"):
            one.imply(role)
    assert list(one.closure()) == [one]


def test_a_relative_role_counts_where_it_is_named():
    """Elsewhere the model need not even have its paths."""
    seen = Role("seen", caller.sees.is_true())
    organizer = Role(
        "organizer",
        attr("memberships").any(attr("account_id") == caller.account_id),
        implies=[seen],
    )
    events = Policy(Event).allow(seen, VIEW).allow(organizer, UPDATE)
    speakers = Policy(Speaker).allow(seen, VIEW)
    event = Event(memberships=[])

    assert organizer.asks_object
    assert not allows(events, Who(3), VIEW, event)
    assert allows(events, Who(sees=True), VIEW, event)
    assert not allows(speakers, Who(3))
    assert seen.holders() == [seen]
    assert seen.holders([organizer]) == [seen, organizer]


def test_a_relative_role_has_what_it_implies(db):
    """In a policy that names it, on the objects of which its condition holds."""
    seen = Role("seen", caller.sees.is_true())
    mine = attr("memberships").any(attr("account_id") == caller.account_id)
    organizer = Role("organizer", mine, implies=[seen])
    events = Policy(Event).allow(seen, LIST | VIEW).allow(organizer, UPDATE)

    assert [allows(events, Who(9), VIEW, db.get(Event, n)) for n in (1, 2, 3)] == [1, 1, 0]
    assert [allows(events, Who(9), UPDATE, db.get(Event, n)) for n in (1, 2, 3)] == [1, 1, 0]
    assert not organizer.holders()[1:]


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        (None, False),
        (lambda _who: True, False),
        (caller.x == 1, False),
        (caller.x.is_null(), False),
        (~((caller.x == 1) & caller.y.is_true()), False),
        (attr("id") == 1, True),
        (attr("id").is_null(), True),
        (~((caller.x == 1) | (attr("id") == caller.x)), True),
        (attr("talks").any(caller.x == 1), True),
        (predicate(lambda _owner, _who: True), True),
    ],
)
def test_what_a_role_is_relative_to(condition, asks: bool):
    """To an object as soon as any part of it asks of one."""
    assert Role("r", condition).asks_object is asks


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_role_has_a_name(name):
    """Some text, which the matrix prints."""
    with pytest.raises(InvalidCondition, match=f"A role's name is some text.*{PLACE}"):
        Role(name)


@pytest.mark.parametrize("condition", ["staff", 1, True, dict, [caller.x == 1]])
def test_a_role_is_a_condition(condition):
    """Or a function of the identity: a text or a class would hold for everybody, or nobody."""
    with pytest.raises(InvalidCondition, match=f"needs a condition or a function.*{PLACE}"):
        Role("r", condition)


@pytest.mark.parametrize("implied", ["registered", None, VIEW])
def test_a_role_implies_roles(implied):
    """Not their names."""
    with pytest.raises(InvalidCondition, match=f"can imply roles.*{PLACE}"):
        Role("r", implies=[implied])
    assert repr(Role("r")) == "Role('r')"


def test_a_policy_in_use_has_the_roles_it_was_built_with():
    """A role that is made later, or is gone, gives nobody anything."""
    reader = Role("reader", caller.reads.is_true())
    early = Policy(Speaker).allow(reader, ALL).build()
    later = Role("later", caller.later.is_true(), implies=[reader])

    assert not allows(early, Who(later=True))
    assert allows(Policy(Speaker).allow(reader, ALL), Who(later=True))
    del later
    gc.collect()
    assert not allows(Policy(Speaker).allow(reader, ALL), Who(later=True))
