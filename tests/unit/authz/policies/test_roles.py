"""Roles: who holds them, what they imply, and which are relative to an object."""

import itertools
import subprocess
import sys

import pytest
from flask import Flask
from tests.unit.authz.conference import NOBODY, STRANGER, Event, Speaker, Who

from licet.authz import (
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    attr,
    caller,
    everyone,
    policies_of,
    predicate,
    register_policies,
    registered,
)
from licet.errors import InvalidCondition

PLACE = rf"{__file__}:\d+"


def allows(policy: Policy, identity: Who, verb=VIEW, owner=None) -> bool:
    return policy.decide(identity, verb, owner or Speaker(name="a")).allowed


def test_a_role_has_what_it_implies():
    """Through any number of roles, each granted something; the others do not have its own."""
    reader = Role("reader", caller.reads.is_true())
    writer = Role("writer", caller.writes.is_true(), implies=[reader])
    chief = Role("chief", caller.rules.is_true(), implies=[writer])
    policy = Policy(Speaker).allow(reader, VIEW).allow(writer, UPDATE).build(roles=[chief])

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

    assert base.holders([top, right, left, base]) == (base, left, right, top)
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


def test_a_relative_role_has_what_it_implies(db):
    """In a policy that names it, on the objects of which its condition holds."""
    seen = Role("seen", caller.sees.is_true())
    mine = attr("memberships").any(attr("account_id") == caller.account_id)
    organizer = Role("organizer", mine, implies=[seen])
    events = Policy(Event).allow(seen, LIST | VIEW).allow(organizer, UPDATE)

    assert [allows(events, Who(9), VIEW, db.get(Event, n)) for n in (1, 2, 3)] == [1, 1, 0]
    assert [allows(events, Who(9), UPDATE, db.get(Event, n)) for n in (1, 2, 3)] == [1, 1, 0]


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


def in_order(order):
    """A chief implies a member; a policy about speakers, registered with an app."""
    made = {}
    steps = {
        "member": lambda: made.update(member=Role("member", caller.member.is_true())),
        "chief": lambda: made.update(chief=Role("chief", caller.chief.is_true())),
        "implies": lambda: made["chief"].imply(made["member"]),
        "policy": lambda: made.update(policy=Policy(Speaker).allow(made["member"], VIEW)),
        "app": lambda: register_policies(Flask("x"), made["policy"], roles=[made["chief"]]),
    }
    for step in order:
        steps[step]()
    return made["policy"]


@pytest.mark.parametrize(
    "order",
    [
        order
        for order in itertools.permutations(["member", "chief", "implies", "policy", "app"])
        if order[-1] == "app"
        and order.index("implies") > max(order.index("member"), order.index("chief"))
        and order.index("policy") > order.index("member")
    ],
)
def test_the_order_of_declarations_does_not_matter(order):
    """What counts is what is there when the policies are registered."""
    policy = in_order(order)
    assert allows(policy, Who(chief=True))
    assert allows(policy, Who(member=True))
    assert not allows(policy, Who())


def member_and_chief():
    member = Role("member", caller.member.is_true())
    return member, Role("chief", caller.chief.is_true(), implies=[member])


@pytest.mark.parametrize("where", ["allow", "unless", "another policy", "roles", "another call"])
def test_an_app_knows_a_role_that_it_names(where):
    """By any of its policies, or with `roles`."""
    member, chief = member_and_chief()
    app, policy, other = Flask("x"), Policy(Speaker).allow(member, VIEW), Policy(Event)
    if where == "allow":
        policy.allow(chief, UPDATE)
    elif where == "unless":
        policy.hide("name", unless=chief)
    elif where == "another policy":
        other.hide("id", unless=chief)
    elif where == "another call":
        register_policies(app, roles=[member, chief])
    register_policies(app, other, policy, roles=[chief] if where == "roles" else [])
    assert allows(policy, Who(chief=True))


def test_a_role_that_nothing_names_gives_nobody_anything():
    """Whether it was declared before a policy was built or after it, and kept or not."""
    member, chief = member_and_chief()
    before = Policy(Speaker).allow(member, VIEW)
    register_policies(Flask("x"), before)
    Role("late", caller.chief.is_true(), implies=[member])
    after = Policy(Speaker).allow(member, VIEW)
    register_policies(Flask("x"), after)
    for policy in (before, after, Policy(Speaker).allow(member, VIEW)):
        assert allows(policy, Who(member=True))
        assert not allows(policy, Who(chief=True))
    assert allows(Policy(Speaker).allow(member, VIEW).build(roles=[chief]), Who(chief=True))


def test_apps_do_not_share_implications():
    """Not of a role that both have, nor of licet's own."""
    member, _chief = member_and_chief()
    first = Policy(Speaker).allow(member, VIEW).allow(registered, UPDATE)
    register_policies(Flask("one"), first)
    service = Role("service", lambda _who: True, implies=[member, registered])
    second = Policy(Speaker).allow(member, VIEW).allow(registered, UPDATE)
    register_policies(Flask("two"), second, roles=[service])
    third = Policy(Speaker).allow(member, VIEW).allow(registered, UPDATE)
    register_policies(Flask("three"), third)
    for verb in (VIEW, UPDATE):
        answers = [allows(policy, NOBODY, verb) for policy in (first, second, third)]
        assert answers == [False, True, False]


@pytest.mark.parametrize("uses", ["decides", "registers", "builds"])
def test_a_role_that_comes_too_late_is_told(uses):
    """A policy that was built without it would go on without it."""
    member, chief = member_and_chief()
    app, policy = Flask("x"), Policy(Speaker, name="talks").allow(member, VIEW)
    {
        "decides": lambda: allows(policy, NOBODY),
        "registers": lambda: register_policies(app, policy),
        "builds": policy.build,
    }[uses]()
    late = Policy(Event).allow(chief, VIEW)
    more = [late] if uses == "registers" else [policy, late]
    with pytest.raises(
        InvalidCondition, match=rf"talks was built without the role 'chief'.*{PLACE}.*'member'"
    ) as error:
        register_policies(app, *more)
    assert "register the app's policies in one call before any is used" in str(error.value)
    assert policies_of(app) == ([policy] if uses == "registers" else [])
    assert not allows(policy, Who(chief=True))


def test_apps_that_share_a_policy_share_its_roles():
    """The one that knows fewer is told, and one with the same may have it."""
    member, chief = member_and_chief()
    policy = Policy(Speaker, name="talks").allow(member, VIEW)
    register_policies(Flask("one"), policy, roles=[chief])
    register_policies(Flask("two"), policy, roles=[chief, Role("other", implies=[registered])])
    with pytest.raises(InvalidCondition, match=r"talks was built with the role 'chief'.*no such"):
        register_policies(Flask("three"), policy)
    with pytest.raises(InvalidCondition, match="talks was built with the role 'chief'"):
        policy.build(roles=[])
    assert policy.build() is policy


def test_an_implied_role_that_nothing_names_is_told():
    """It gives nobody anything, and is likely a mistake; licet's own may stand for the order."""
    ghost = Role("ghost", caller.ghost.is_true(), implies=[registered])
    chief = Role("chief", caller.chief.is_true(), implies=[ghost])
    for given in ({}, {"roles": [chief]}):
        with pytest.raises(
            InvalidCondition, match=rf"'chief' implies 'ghost' \(declared at {PLACE}\).*roles="
        ):
            register_policies(Flask("x"), Policy(Speaker).allow(chief, VIEW), **given)
    register_policies(Flask("x"), Policy(Speaker).allow(chief, VIEW), roles=[ghost])
    staff = Role("staff", caller.staff.is_true(), implies=[registered])
    register_policies(Flask("x"), Policy(Speaker).allow(staff, VIEW))


def test_two_roles_of_one_name_are_told():
    """In a policy, and in an app; not where each is relative to the objects of its own policy."""
    one, two = Role("chief", caller.x.is_true()), Role("chief", caller.y.is_true())
    match = f"Two roles are called 'chief', at {PLACE} and at {PLACE}"
    with pytest.raises(InvalidCondition, match=match):
        Policy(Speaker).allow(one, VIEW).allow(two, VIEW).build()
    with pytest.raises(InvalidCondition, match=match):
        Policy(Speaker).allow(one, VIEW).hide("name", unless=two).build()
    with pytest.raises(InvalidCondition, match=match):
        register_policies(
            Flask("x"), Policy(Speaker).allow(one, VIEW), Policy(Event).allow(two, VIEW)
        )
    with pytest.raises(InvalidCondition, match=match):
        register_policies(Flask("x"), Policy(Speaker).allow(one, VIEW), roles=[two])
    with pytest.raises(InvalidCondition, match="Two roles are called 'registered'"):
        Policy(Speaker).allow(registered, VIEW).allow(Role("registered"), VIEW).build()
    register_policies(Flask("y"), Policy(Speaker).allow(one, VIEW))
    register_policies(Flask("z"), Policy(Speaker).allow(two, VIEW))

    near, far = Role("owner", attr("name") == "x"), Role("owner", attr("id") == 1)
    register_policies(Flask("x"), Policy(Speaker).allow(near, VIEW), Policy(Event).allow(far, VIEW))


def test_a_role_in_use_implies_nothing_more():
    """Else two policies would disagree about it; what it implies already may be said again."""
    member, chief = member_and_chief()
    Policy(Speaker).allow(chief, VIEW).build()
    chief.imply(member)
    for role, implied in ((chief, registered), (registered, member), (everyone, member)):
        with pytest.raises(InvalidCondition, match=f"is in use already and cannot imply.*{PLACE}"):
            role.imply(implied)


def test_licets_own_roles_are_in_use_from_the_start():
    """Before any policy of the process was built."""
    program = "from licet.authz import Role, registered; registered.imply(Role('x'))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "The role 'registered' is in use already and cannot imply 'x'" in done.stderr


def test_roles_are_given_as_roles():
    """Not by their names, nor as policies."""
    with pytest.raises(InvalidCondition, match=r"takes roles as roles=\[…\], not 'chief'"):
        register_policies(Flask("x"), roles=["chief"])
