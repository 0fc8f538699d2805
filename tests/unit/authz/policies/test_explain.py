"""Explanations: every part with its outcome, no secret, and the part that decided."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy.orm import Session
from tests.unit.authz.conference import (
    ADMIN,
    CALLERS,
    CREATOR,
    NOBODY,
    OWNER,
    STRANGER,
    Event,
    Membership,
    Speaker,
    Talk,
    Who,
    speaker_policy,
    staff,
)

from licet.authz import ALL, CREATE, DELETE, UPDATE, VIEW, Policy, attr, caller, everyone, predicate
from licet.authz.policies._check import NOW
from licet.authz.policies._in_words import Explanation, explain, first_failure
from licet.authz.policies._models.mapping import shape_of
from licet.authz.policies.conditions import Condition, Quantifier
from licet.errors import UntranslatableCondition


def lines(condition, owner, who=NOBODY) -> list[str]:
    """The condition's own part of the tree."""
    tree = Policy(type(owner)).allow(everyone, VIEW, when=condition).explain(who, VIEW, owner)
    return list(tree.parts[0].parts[1].lines())


def test_the_grant_that_allowed_is_told_part_by_part(db: Session):
    """By the names of conditions, with what was found; the others are left out."""
    told = str(speaker_policy().explain(CREATOR, VIEW, db.get(Speaker, 2))).splitlines()

    assert told == [
        "✓ speakers VIEW",
        "  ✓ registered: DELETE | LIST | UPDATE | VIEW of own talks",
        "    ✓ is registered",
        "      ✓ caller.is_authenticated == True",
        "    ✓ of own talks   (found 1)",
        "      ✓ creator_id == caller.account_id   (found 5)",
    ]


def test_every_grant_that_failed_is_told(db: Session):
    """A denial names all that could have allowed it."""
    told = str(speaker_policy().explain(STRANGER, DELETE, db.get(Speaker, 2))).splitlines()

    assert told[0] == "✗ speakers DELETE"
    assert "  ✗ staff: ALL" in told
    assert "      ✗ caller.is_admin == True" in told


@pytest.mark.parametrize("who", [*CALLERS, Who("x")], ids=repr)
def test_the_tree_says_what_is_decided(db: Session, who):
    """Of every row."""
    policy = speaker_policy()
    for speaker in db.query(Speaker):
        for verb in (VIEW, UPDATE, CREATE):
            tree = policy.explain(who, verb, speaker)
            assert tree.holds is policy.decide(who, verb, speaker).allowed


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (attr("name") == "a", ["✓ name == 'a'   (found 'a')"]),
        (~(attr("name") == "a"), ["✗ not name == 'a'", "  ✓ name == 'a'   (found 'a')"]),
        (attr("name") != "b", ["✓ name != 'b'   (found 'a')"]),
        (attr("name").in_(["a", "b"]), ["✓ name in {'a', 'b'}   (found 'a')"]),
        (attr("name") > "b", ["✗ name > 'b'   (found 'a')"]),
        (attr("event").is_null(), ["✗ event is null   (found Event)"]),
        (attr("event_id").is_null(), ["✓ event_id is null   (found nothing)"]),
        (attr("event.state") == "x", ["✗ event.state == 'x'   (found nothing)"]),
        (caller.account_id.is_null(), ["✓ caller.account_id is null"]),
        (caller.account_id == 3, ["✗ caller.account_id == 3"]),
        (
            attr("talks").all(attr("state") == "x"),
            ["✗ talks.all(state == 'x')   (found 2)", "  ✗ state == 'x'   (found nothing)"],
        ),
        (attr("event.speakers").any(attr("id") == 3), None),
        (predicate(lambda owner, _who: owner.name == "a"), None),
    ],
)
def test_each_kind_of_part_is_told(condition, expected: list[str] | None):
    """With what was found at its path."""
    speaker = Speaker(name="a", event=Event(), talks=[Talk(state="x"), Talk()])

    told = lines(condition, speaker)

    if expected is not None:
        assert told == expected
    else:
        assert told[0][0] in "✓✗"


@pytest.mark.parametrize("field", ["email", "name"])
def test_private_values_are_not_shown(field: str):
    """By the name of the attribute; long ones are shortened, and the tree's repr has none."""
    value = "ada@example.org" if field == "email" else "x" * 500
    tree = (
        Policy(Speaker)
        .allow(everyone, VIEW, when=attr(field) == "b")
        .explain(NOBODY, VIEW, Speaker(**{field: value}))
    )

    for text in (str(tree), repr(tree), f"{tree.parts}"):
        assert "ada@" not in text
        assert "x" * 60 not in text
    assert "•••" in str(tree) or "…" in str(tree)


@pytest.mark.parametrize(("state", "shown"), [("b", 1), ("c", 3)])
def test_of_many_related_objects_few_are_told(state: str, shown: int):
    """The one that decided, or the first few; their number is told, the outcome is that of all."""
    speaker = Speaker(talks=[Talk(state="a") for _ in range(30)] + [Talk(state="b")])

    told = lines(attr("talks").any(attr("state") == state), speaker)

    assert told[0][2:] == f"talks.any(state == '{state}')   (found 31)"
    assert told[0].startswith("✓") is (state == "b")
    assert len(told) == 1 + shown


@pytest.mark.parametrize(
    ("who", "verb", "reason"),
    [
        (NOBODY, VIEW, "state in {'accepted', 'confirmed'}"),
        (STRANGER, UPDATE, "role in {'organizer', 'owner'}"),
        (NOBODY, DELETE, "caller.is_admin == True"),
        (Who("x"), VIEW, "caller.account_id, compared with account_id, is str, not int."),
    ],
)
def test_the_reason_is_the_part_that_came_nearest(db: Session, who, verb, reason: str):
    """Of alternatives, the one that partly holds; of a caller who cannot be asked, why not."""
    pending = db.get(Speaker, 3)

    assert speaker_policy().decide(who, verb, pending).reason == reason


def test_the_first_failure_is_at_the_bottom():
    """A part without parts; with a quantifier over nothing, itself."""
    part = Explanation("leaf", holds=False)
    other = Explanation("other", holds=False, parts=(Explanation("held", holds=True), part))

    assert first_failure(part) == "leaf"
    assert first_failure(Explanation("top", holds=False, parts=(Explanation("a", False), other)))
    assert (
        first_failure(Explanation("top", False, None, (Explanation("a", False), other))) == "leaf"
    )
    assert first_failure(Explanation("top", False, None, (Explanation("a", holds=True),))) == "top"
    assert str(Explanation("text", holds=True)) == "✓ text"


def test_a_draft_is_explained_like_it_is_decided(db: Session):
    """With a session for what it refers to by key."""
    draft = Speaker(event_id=1)

    tree = speaker_policy().explain(STRANGER, CREATE, draft, session=db)

    assert tree.holds
    assert "✓ of events in state published   (found 'published')" in str(tree)


def test_unusual_operands_are_told():
    """The caller's own, missing ones, and collections."""
    member = Membership(role="owner", account_id=9)
    condition = attr("role").in_(caller.roles) & (attr("account_id") == caller.account_id)

    assert lines(condition, member, Who(9, roles=["owner"])) == [
        "✓ (role in caller.roles and account_id == caller.account_id)",
        "  ✓ role in caller.roles   (found 'owner')",
        "  ✓ account_id == caller.account_id   (found 9)",
    ]
    assert lines(attr("role").in_(caller.roles), member, OWNER)[0][0] == "✗"
    assert lines(attr("role") != caller.role, member, OWNER)[0][0] == "✓"
    assert staff.name in str(speaker_policy().explain(ADMIN, VIEW, Speaker()))
    assert Policy(Speaker).allow(staff, ALL).explain(ADMIN, VIEW, Speaker()).holds


@dataclass(frozen=True, eq=False)
class Unknown(Condition):
    """A condition of an app's own making."""


def test_what_is_no_kind_of_condition_is_not_explained():
    """Such as no policy can be built with."""
    shape = shape_of(Speaker)
    for condition in (
        Unknown("here", None),
        Quantifier("here", None, ("name",), Unknown("here", None), is_all=False),
    ):
        with pytest.raises(TypeError):
            explain(condition, Speaker(), None, shape, NOW)
        with pytest.raises(UntranslatableCondition):
            Policy(Speaker).allow(everyone, UPDATE, when=condition).build()
