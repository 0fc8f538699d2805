"""Policies: what they grant, what they refuse when they are built, and whom they never trust."""

import logging
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.authz.conference import (
    ADMIN,
    CALLERS,
    CREATOR,
    NOBODY,
    OWNER,
    STRANGER,
    Event,
    Speaker,
    Talk,
    Who,
    own,
    published,
    recorded,
    speaker_policy,
    staff,
)

from licet.authz import (
    ALL,
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Role,
    Verb,
    attr,
    caller,
    everyone,
    predicate,
    registered,
)
from licet.errors import InvalidCondition, UnloadedObject, UntranslatableCondition

PLACE = rf"{__file__}:\d+"
PUBLISH = Verb("PUBLISH")
VERBS = (LIST, VIEW, CREATE, UPDATE, DELETE, PUBLISH)


def always(_owner, _who):
    return True


# --- grants --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("who", [*CALLERS, None])
def test_nothing_is_granted_that_is_not_said(db: Session, who, verb: Verb):
    """Neither by a policy without grants, nor by one for other verbs."""
    speaker = db.get(Speaker, 1)
    silent = Policy(Speaker)
    other = Policy(Speaker).allow(everyone, Verb("OTHER"))

    assert not silent.decide(who, verb, speaker)
    assert not other.decide(who, verb, speaker)
    assert not silent.decide(who, verb, Speaker())
    assert db.scalars(silent.filter(sa.select(Speaker), who, verb)).all() == []


def test_the_table_is_what_is_decided(db: Session):
    """Each caller, each verb: the permission table of a speaker of a published event."""
    policy = speaker_policy()
    shown = db.get(Speaker, 2)  # accepted, of talk 0 by account 5, in the published event
    pending = db.get(Speaker, 3)

    def table(speaker: Speaker) -> list[str]:
        return [
            "".join(verb.name[0] for verb in VERBS if policy.decide(who, verb, speaker))
            for who in CALLERS
        ]

    assert table(shown) == ["LV", "LVC", "LVCUD", "LVCUDP", "LVCUDP"]
    assert table(pending) == ["", "C", "LVCUD", "LVCUDP", "LVCUDP"]


def test_an_own_verb_is_granted_alone():
    """Beside ALL, which has it too; `verbs` tells of it after the usual ones."""
    policy = Policy(Speaker).allow(registered, PUBLISH | VIEW, when=attr("name") == "a")
    policy.allow(staff, ALL)

    assert policy.verbs == ("LIST", "VIEW", "CREATE", "UPDATE", "DELETE", "PUBLISH")
    assert policy.decide(STRANGER, PUBLISH, Speaker(name="a"))
    assert not policy.decide(STRANGER, PUBLISH, Speaker(name="b"))
    assert not policy.decide(STRANGER, UPDATE, Speaker(name="a"))
    assert policy.decide(ADMIN, Verb("NEVER_HEARD_OF"), Speaker(name="b"))
    assert not policy.decide(STRANGER, Verb("NEVER_HEARD_OF"), Speaker(name="a"))


@pytest.mark.parametrize("verb", [ALL, LIST | VIEW])
def test_one_verb_is_decided(verb: Verb):
    """Several at once have no answer."""
    with pytest.raises(InvalidCondition, match="One verb is wanted"):
        speaker_policy().decide(ADMIN, verb, Speaker())


def test_a_decision_says_what_may_be_known(db: Session):
    """Allowed; denied but visible, which is a 403; denied and not visible, a 404."""
    policy = speaker_policy()
    shown, pending = db.get(Speaker, 2), db.get(Speaker, 3)
    allowed = policy.decide(STRANGER, VIEW, shown)
    refused = policy.decide(STRANGER, UPDATE, shown)
    hidden = policy.decide(STRANGER, UPDATE, pending)

    assert (allowed.allowed, allowed.visible, allowed.reason) == (True, True, "allowed")
    assert allowed.explanation is None
    assert (refused.allowed, refused.visible) == (False, True)
    assert (hidden.allowed, hidden.visible) == (False, False)
    assert refused.explanation is not None
    assert not refused.explanation.holds
    assert refused.reason


def test_creating_is_denied_visibly():
    """There is nothing to hide about what is not there, whatever the draft has."""
    policy = Policy(Speaker).allow(everyone, CREATE, when=attr("name") == "a")

    for draft in (Speaker(), Speaker(name="b")):
        assert (policy.decide(NOBODY, CREATE, draft).visible) is True
        assert (policy.decide(NOBODY, VIEW, draft).visible) is False


def test_a_decision_about_loaded_objects_asks_nothing(db: Session):
    """Neither the database nor the session: not for the decision, its reason or the fields."""
    policy = speaker_policy()
    options = [sa.orm.joinedload(Speaker.event).selectinload(Event.memberships)]
    loaded = sa.select(Speaker).options(*options, sa.orm.selectinload(Speaker.talks))
    speakers = db.scalars(loaded).all()
    db.add(Talk(id=99))

    with recorded(db) as statements:
        for speaker in speakers:
            for who in CALLERS:
                decision = policy.decide(who, UPDATE, speaker)
                _ = decision.reason, decision.visible
                policy.visible_fields(who, speaker)
                policy.writable_fields(who, speaker)

    assert statements == []
    assert len(db.new) == 1


def test_what_is_not_loaded_is_loaded_without_a_flush(db: Session):
    """By SELECTs alone, with other people's changes waiting in the session."""
    speaker = db.get(Speaker, 2)
    db.add(Talk(id=99))

    with recorded(db) as statements:
        assert speaker_policy().decide(NOBODY, VIEW, speaker)

    assert {statement.split()[0] for statement in statements} == {"SELECT"}
    assert len(db.new) == 1


@pytest.mark.parametrize("owner", [Event(), Who(1), None, "speaker", 3, Speaker])
def test_a_policy_decides_about_its_own_class(owner):
    """Another one's attributes of the same name mean something else."""
    with pytest.raises(InvalidCondition, match=f"decides about Speaker, and was given.*{PLACE}"):
        Policy(Speaker).allow(everyone, ALL).decide(ADMIN, VIEW, owner)


def test_detached_objects_are_decided_by_what_they_have(db: Session):
    """What was not loaded before cannot be known, which is an error and no answer."""
    policy = speaker_policy()
    speaker, bare = db.get(Speaker, 2), db.get(Speaker, 3)
    assert speaker.event
    assert speaker.talks
    db.expunge_all()

    assert policy.decide(NOBODY, VIEW, speaker)
    assert policy.decide(ADMIN, VIEW, bare)
    with pytest.raises(UnloadedObject, match="not loaded and cannot be loaded now"):
        policy.decide(OWNER, VIEW, bare)


def test_expired_objects_are_loaded_again(db: Session):
    """And those whose row is gone are an error."""
    policy = speaker_policy()
    speaker, other = db.get(Speaker, 2), db.get(Speaker, 3)
    assert policy.decide(NOBODY, VIEW, speaker)
    db.execute(sa.update(Talk).values(state="pending").execution_options(synchronize_session=False))
    db.expire_all()
    db.execute(sa.text("DELETE FROM speaker WHERE id = 3"))

    assert not policy.decide(NOBODY, VIEW, speaker)
    with pytest.raises(UnloadedObject):
        policy.decide(OWNER, UPDATE, other)


def test_deleted_objects_are_decided_by_what_they_were(db: Session):
    """Before and after the flush that deletes them."""
    policy = speaker_policy()
    speaker = db.get(Speaker, 2)
    assert policy.decide(OWNER, DELETE, speaker)
    _ = speaker.talks
    db.delete(speaker)

    assert policy.decide(OWNER, DELETE, speaker)
    db.flush()
    assert policy.decide(OWNER, DELETE, speaker)
    assert not policy.decide(STRANGER, DELETE, speaker)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "verbs", "when", "text"),
    [
        ("staff", VIEW, None, "allows roles something, not 'staff'"),
        (None, VIEW, None, "allows roles something"),
        (everyone, "VIEW", None, "allows verbs such as VIEW"),
        (everyone, ["VIEW"], None, "allows verbs such as VIEW"),
        (everyone, VIEW, True, "when takes a condition"),
        (everyone, VIEW, always, "when takes a condition"),
        (everyone, VIEW, staff, "when takes a condition"),
        (everyone, VIEW, attr("name"), "when takes a condition"),
    ],
)
def test_grants_of_the_wrong_kind_are_refused(role, verbs, when, text: str):
    """Where they are written."""
    with pytest.raises(InvalidCondition, match=f"{text}.*{PLACE}"):
        Policy(Speaker).allow(role, verbs, when)


@pytest.mark.parametrize("model", ["Speaker", Speaker(), None, sa.table("speaker")])
def test_a_policy_is_about_a_class(model):
    """Not a name, an object or a table."""
    with pytest.raises(InvalidCondition, match=f"about a mapped class.*{PLACE}"):
        Policy(model)


def test_a_class_that_is_not_mapped_is_refused():
    """When the policy is built, naming the line of the policy and not only of the use."""
    policy = Policy(Who)
    line = policy.declared

    with pytest.raises(InvalidCondition, match="not a class that SQLAlchemy maps") as caught:
        policy.build()
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (lambda: attr("nothing") == 1, "has no 'nothing'"),
        (lambda: attr("event.nothing") == 1, "has no 'nothing'"),
        (lambda: attr("name.length") == 1, "is an attribute, so nothing can follow"),
        (lambda: attr("talks.state") == "x", "to-many relationship"),
        (lambda: attr("talks").any(attr("nothing") == 1), "Talk has no 'nothing'"),
        (lambda: attr("event") == 1, "is a relationship"),
        (lambda: attr("name") == 1, "is int, not str"),
        (lambda: attr("name") == caller.x & (caller.y == 1), None),
    ],
)
def test_conditions_that_cannot_be_are_refused_at_build(when, text: str | None):
    """With both lines: the condition's, and that of the grant."""
    if text is None:
        with pytest.raises((InvalidCondition, TypeError)):
            when()
        return
    policy = Policy(Speaker).allow(everyone, UPDATE, when=when())
    with pytest.raises(UntranslatableCondition, match=f"{text}.*{PLACE}.*in the grant at {PLACE}"):
        policy.build()


@pytest.mark.parametrize("verbs", [LIST, LIST | VIEW, ALL])
def test_a_python_function_guards_no_list(verbs: Verb):
    """Refused when the policy is built, naming the grant; under any part of the condition."""
    nested = ~(own | attr("talks").any((attr("state") == "x") & predicate(always)))
    for when in (predicate(always), nested):
        policy = Policy(Speaker).allow(everyone, VIEW)
        policy.allow(everyone, verbs, when=when)
        line = policy.grants[1].declared
        with pytest.raises(UntranslatableCondition, match="cannot guard a list with a") as caught:
            policy.build()
        assert line in str(caught.value)


def test_a_python_function_guards_single_objects(db: Session):
    """With the object and the identity; the lists of other verbs go on."""
    mine = predicate(lambda owner, who: owner.name == who.account_id)
    policy = Policy(Speaker).allow(everyone, LIST).allow(everyone, VIEW | UPDATE, when=mine)

    assert policy.decide(Who("n1"), VIEW, db.get(Speaker, 1))
    assert not policy.decide(Who("n2"), VIEW, db.get(Speaker, 1))
    assert db.scalars(policy.filter(sa.select(Speaker), Who("n1"))).all()
    with pytest.raises(UntranslatableCondition, match="is a Python function"):
        policy.filter(sa.select(Speaker), Who("n1"), VIEW)


def test_a_policy_in_use_cannot_change():
    """However it came into use."""
    used = Policy(Speaker)
    used.decide(NOBODY, VIEW, Speaker())
    for policy in (used, Policy(Speaker).build()):
        for change in (
            lambda policy=policy: policy.allow(everyone, ALL),
            lambda policy=policy: policy.hide("name"),
            lambda policy=policy: policy.readonly("name"),
            lambda policy=policy: policy.writable_only("name"),
        ):
            with pytest.raises(InvalidCondition, match=f"in use already.*{PLACE}"):
                change()


def test_building_asks_no_caller(caplog: pytest.LogCaptureFixture):
    """A role's function is called when somebody asks, never with nobody in particular."""
    asked = []
    Policy(Speaker).allow(Role("r", asked.append), ALL).hide("name", unless=staff).build()

    assert asked == []
    assert caplog.records == []


def test_a_policy_is_built_once(monkeypatch: pytest.MonkeyPatch):
    """By whoever comes first: one who waited for the lock finds it built."""
    policy, other = Policy(Speaker).allow(everyone, VIEW), Policy(Speaker).build()

    class Waited:
        def __enter__(self) -> None:
            policy._built = other._built

        def __exit__(self, *_error: object) -> None: ...

    monkeypatch.setattr(policy, "_lock", Waited())
    assert policy.build()._built is other._built


def test_a_failed_build_can_be_mended():
    """A policy whose build raised is not in use."""
    policy = Policy(Speaker).allow(everyone, VIEW).hide("nothing")
    with pytest.raises(InvalidCondition, match="has no field nothing"):
        policy.build()

    policy.allow(everyone, LIST)
    policy.field_rules["hide"].clear()
    assert policy.build() is policy
    assert repr(policy) == "<Policy Speaker>"


def test_grants_are_printed_with_their_words():
    """By the name of the condition, or the condition itself."""
    policy = Policy(Speaker).allow(staff, ALL).allow(everyone, LIST | VIEW, when=published)
    policy.allow(everyone, VIEW, when=attr("name") == "a")

    assert list(map(str, policy.grants)) == [
        "staff: ALL",
        "everyone: LIST | VIEW of events in state published",
        "everyone: VIEW when name == 'a'",
    ]


@pytest.mark.parametrize(
    ("condition", "is_told"),
    [
        (attr("name") == "a", False),
        (attr("name") != "a", True),
        (~(attr("event.state") == "a"), True),
        (attr("talks").all(attr("id") == 3), True),
        (attr("talks").any(~(attr("state") == "a")), True),
        (~(attr("id") == 3), False),
        (attr("name") != caller.name, True),
        (~(caller.x == 1), False),
    ],
)
def test_grants_on_missing_data_are_told(condition, is_told: bool):
    """By the condition of the grant, and by that of its role."""
    by_when = Policy(Speaker).allow(everyone, VIEW).allow(everyone, UPDATE, when=condition)
    by_role = Policy(Speaker).allow(everyone, VIEW).allow(Role("r", condition), UPDATE)

    for policy in (by_when, by_role):
        assert policy.grants_on_missing_data() == ([str(policy.grants[1])] if is_told else [])
        assert policy.condition_of(policy.grants[1]).footnote == str(policy.grants[1])
    assert by_when.shape.name == "Speaker"


# --- callers who are not what they should be ----------------------------------------------------


class Raising:
    is_authenticated = True

    @property
    def account_id(self):
        raise RuntimeError("hunter2")


class Text(str):
    __slots__ = ()


WRONG = {
    "a text for a number": Who("hunter2"),
    "a bool for a number": Who(True),
    "a float": Who(5.0),
    "no number": Who(float("nan")),
    "a collection": Who([5]),
    "a property that raises": Raising(),
    "a number too large": Who(10**40),
    "an object": Who(object()),
    "a class": Who(int),
    "an identifier": Who(UUID(int=5)),
}


@pytest.mark.parametrize("who", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("is_negated", [False, True])
def test_a_caller_of_a_wrong_type_is_denied(db: Session, caplog, who, is_negated: bool):
    """In memory and in lists, under a negation too; the log tells it without the value."""
    condition = attr("creator_id") == caller.account_id
    policy = Policy(Talk).allow(everyone, LIST | VIEW, when=~condition if is_negated else condition)
    fits = type(who.__dict__.get("account_id")) is int

    with caplog.at_level(logging.ERROR):
        decisions = [policy.decide(who, VIEW, talk) for talk in db.scalars(sa.select(Talk))]
        listed = db.scalars(policy.filter(sa.select(Talk), who)).all()

    if fits:  # a number that no row can have, which is no error
        assert [decision.allowed for decision in decisions] == [is_negated] * 9
        return
    assert not any(decisions)
    assert listed == []
    assert "A check is denied" in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in decisions[0].reason
    assert decisions[0].visible is False


@pytest.mark.parametrize("name", [Text("n1"), b"n1", 1, "n\x00", "\ud800"])
@pytest.mark.parametrize("is_negated", [False, True])
def test_a_text_is_exactly_a_text(db: Session, name, is_negated: bool):
    """A subclass may compare as it likes, and a database takes no NUL and no lone surrogate."""
    condition = attr("name") == caller.name
    policy = Policy(Speaker).allow(everyone, ALL, when=~condition if is_negated else condition)

    assert not policy.decide(Who(name=name), VIEW, db.get(Speaker, 1))
    assert db.scalars(policy.filter(sa.select(Speaker), Who(name=name))).all() == []
    assert policy.decide(Who(name="n1"), VIEW, db.get(Speaker, 1)).allowed is not is_negated


def test_one_wrong_attribute_denies_the_whole_check(db: Session, caplog):
    """Also where an alternative holds, and where no row comes by the comparison."""
    none_is_other = attr("talks").all(attr("creator_id") == caller.account_id)
    policy = Policy(Speaker).allow(everyone, ALL).allow(everyone, VIEW, when=none_is_other)
    bare = db.get(Speaker, 1)

    assert policy.decide(Who("x"), UPDATE, bare)
    assert policy.decide(Who(5), VIEW, bare)
    assert not policy.decide(Who("x"), VIEW, bare)
    assert not policy.explain(Who("x"), VIEW, bare).holds
    bare.name = "changed"
    assert not policy.decide(Who("x"), VIEW, bare)


async def promise(_owner, _who):
    return True


def generate(_owner, _who):
    yield True


def fail(_owner, _who):
    raise ValueError("hunter2")


@pytest.mark.parametrize(
    "function",
    [promise, generate, fail, lambda *_: always, lambda *_: Who, lambda *_: NotImplemented],
)
@pytest.mark.parametrize("is_negated", [False, True])
def test_a_function_without_an_answer_denies(db: Session, caplog, function, is_negated: bool):
    """A coroutine is no yes, and an error under ``~`` is none either."""
    when = predicate(function)
    policy = Policy(Speaker).allow(everyone, VIEW, when=~when if is_negated else when)
    policy.allow(everyone, VIEW, when=when | published)
    speaker = db.get(Speaker, 2)

    assert not policy.decide(NOBODY, VIEW, speaker)
    assert not policy.explain(NOBODY, VIEW, speaker).holds
    speaker.name = "changed"
    assert not policy.decide(NOBODY, VIEW, speaker)
    assert "A check is denied" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("outcome", [True, 1, False, 0, None])
def test_a_function_may_answer_loosely(db: Session, outcome):
    """None is no, as in requirements."""
    policy = Policy(Speaker).allow(everyone, VIEW, when=predicate(lambda *_: outcome))

    assert policy.decide(NOBODY, VIEW, db.get(Speaker, 1)).allowed is bool(outcome)


def test_callers_may_be_mappings_of_claims(db: Session):
    """Attributes of attributes are read, mappings by key; what is absent is missing."""
    condition = attr("name") == caller.claims.name
    policy = Policy(Speaker).allow(everyone, VIEW, when=condition)
    speaker = db.get(Speaker, 1)

    assert policy.decide(Who(claims={"name": "n1"}), VIEW, speaker)
    for claims in ({}, {"name": None}, None, {"name": "n2"}):
        assert not policy.decide(Who(claims=claims), VIEW, speaker)
    assert not policy.decide(CREATOR, VIEW, speaker)
