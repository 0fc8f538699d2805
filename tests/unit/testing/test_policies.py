"""The proof of a policy on its user's own rows: it passes what agrees, and tells what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from services.open_event import policies
from services.open_event.seed import prepare
from sqlalchemy.orm import Session
from tests.counts import count
from tests.unit.authz.conference import (
    CALLERS,
    CREATOR,
    OWNER,
    Base,
    Event,
    Membership,
    Speaker,
    Talk,
    Who,
    fill,
    speaker_policy,
)

from licet.authz import (
    ALL,
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
)
from licet.authz.grants.tables import grant
from licet.authz.policies import _check as check_module
from licet.authz.policies import policy as policy_module
from licet.authz.policies._in_sql import _changes as changes_module
from licet.authz.policies._models.mapping import shape_of
from licet.errors import InvalidCondition
from licet.testing import assert_policy_consistent
from licet.testing._callers import MadeUpCaller, _Asked, made_up_callers


@pytest.fixture
def db() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        fill(session)
        yield session
    engine.dispose()


def test_a_policy_that_agrees_passes(db: Session):
    """Of each row, verb and caller."""
    assert assert_policy_consistent(speaker_policy(), db, CALLERS) == 48 * 5 * len(CALLERS)


def test_the_example_agrees(database_url: str):
    """Every policy of the conference, on both databases, for callers that are made up."""
    engine = sa.create_engine(database_url)
    grant.create(engine)  # before: the grants of an event go with it
    prepare(engine)
    rows = count(quick=3, full=None)
    try:
        with Session(engine) as session:
            for policy in count(quick=policies.POLICIES[:3], full=policies.POLICIES):
                assert assert_policy_consistent(policy, session, limit=rows) >= 3
    finally:
        engine.dispose()


def test_rows_can_be_chosen(db: Session):
    """By a statement, by a limit; composite keys too."""
    policy, who = speaker_policy(), [CREATOR]
    some = sa.select(Speaker).where(Speaker.event_id == 1).order_by(Speaker.name)
    mine = attr("account_id") == caller.account_id
    members = Policy(Membership).allow(everyone, LIST | VIEW, when=mine | (attr("role") == "owner"))

    assert assert_policy_consistent(policy, db, who, statement=some) == 12 * 5
    assert assert_policy_consistent(policy, db, who, statement=some.limit(3)) == 3 * 5
    assert assert_policy_consistent(policy, db, who, limit=7) == 7 * 5
    assert assert_policy_consistent(policy, db, who, statement=some, limit=2) == 2 * 5
    assert assert_policy_consistent(members, db, [Who(1), Who(9)]) == 3 * 5 * 2


def test_the_database_counts_and_not_what_was_loaded(db: Session):
    """Rows that were loaded before are loaded again; what waits is flushed first."""
    stale = db.get(Talk, 0)
    policy = Policy(Talk).allow(everyone, ALL, when=attr("state") == "accepted")
    db.execute(sa.text("UPDATE talk SET state = 'gone' WHERE id = 0"))
    db.get(Talk, 1).state = "accepted"

    assert_policy_consistent(policy, db, [None])
    assert stale.state == "gone"
    assert not db.dirty


def test_without_rows_nothing_is_proved(db: Session):
    """Which is a failure: a test that looks at nothing passes for ever."""
    nothing = sa.select(Speaker).where(sa.false())

    with pytest.raises(AssertionError, match="speakers was not proved: there is no Speaker"):
        assert_policy_consistent(speaker_policy(), db, CALLERS, statement=nothing)


def test_a_statement_on_another_class_is_refused(db: Session):
    """As by the policy itself."""
    with pytest.raises(InvalidCondition, match="selects Event, not Speaker"):
        assert_policy_consistent(speaker_policy(), db, CALLERS, statement=sa.select(Event))


def test_verbs_that_no_list_can_ask_are_left_out(db: Session):
    """The others are proved; an app's own are among them."""
    policy = Policy(Speaker).allow(everyone, LIST | VIEW | Verb("PUBLISH"), when=attr("id") > 3)
    policy.allow(everyone, UPDATE, when=predicate(lambda *_: True))

    assert assert_policy_consistent(policy, db, [None]) == 48 * 5  # PUBLISH for UPDATE


def test_callers_of_a_wrong_type_agree_too(db: Session):
    """They are denied everywhere."""
    assert assert_policy_consistent(speaker_policy(), db, [Who("x"), Who(True), Who(10**40)])


# --- what disagrees -------------------------------------------------------------------------------


def break_sql(patch: pytest.MonkeyPatch) -> None:
    """The SQL lets everything through."""
    patch.setattr(check_module.Check, "criterion", lambda *_args: True)


def break_decide(patch: pytest.MonkeyPatch) -> None:
    """The decision turns around for one row."""
    decide = Policy.decide

    def turned(self: Policy, who: Any, verb: Verb, owner: Any, **options: Any) -> Any:
        allowed = decide(self, who, verb, owner, **options).allowed
        return SimpleNamespace(allowed=allowed is not (owner.id == 3))

    patch.setattr(Policy, "decide", turned)


def break_pages(patch: pytest.MonkeyPatch) -> None:
    """Pages are chosen too short."""
    restrict = changes_module.restrict
    patch.setattr(
        changes_module,
        "restrict",
        lambda statement, model, term: restrict(
            statement if statement._limit is None else statement.limit(1), model, term
        ),
    )


def break_rows(patch: pytest.MonkeyPatch) -> None:
    """A join multiplies rows."""
    patch.setattr(
        changes_module,
        "restrict",
        lambda statement, model, term: statement.where(term).join(
            Event, Event.id < 3, isouter=True
        ),
    )


def break_columns(patch: pytest.MonkeyPatch) -> None:
    """A column is NULL for what it is not."""
    patch.setattr(
        "licet.testing.policies.as_column", lambda term: sa.case((sa.true() & term, sa.true()))
    )


def break_fields(patch: pytest.MonkeyPatch) -> None:
    """A list shows every field."""
    patch.setattr(
        "licet.authz.policies.fields.Fields.free_given", lambda self, _outcomes: self.names
    )


def break_verbs(patch: pytest.MonkeyPatch) -> None:
    """A list tells of no verb."""
    patch.setattr(
        "licet.authz.policies.lists._outcomes", lambda terms, _selected: [False] * len(terms)
    )
    patch.setattr(policy_module.Policy, "visible_fields", lambda *_a, **_k: frozenset(["id"]))
    patch.setattr("licet.authz.policies.fields.Fields.free_given", lambda *_a: frozenset(["id"]))


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (break_sql, r"Speaker \d+ for Who\(5\): decide denies LIST, filter lists it 1 ×"),
        (break_decide, r"Speaker 3 for Who\(5\): decide denies LIST, filter lists it 1 ×"),
        (break_pages, r"decide allows LIST, filter does not list it with LIMIT 16 OFFSET 0"),
        (break_rows, r"decide allows LIST, filter lists it 2 ×"),
        (break_columns, r"decide denies LIST, its column is None"),
        (break_fields, r"visible_fields has .*, and list_objects .*email.*\."),
        (break_verbs, r"decide allows LIST, list_objects has the verbs none"),
    ],
)
def test_a_broken_policy_is_told(
    db: Session, monkeypatch, break_it: Callable[..., None], told: str
):
    """Which policy, row, caller and verb, both answers, and what was found in the row."""
    policy = speaker_policy().build()
    break_it(monkeypatch)

    with pytest.raises(AssertionError, match=f"The policy speakers on {told}|{told}") as caught:
        assert_policy_consistent(policy, db, [CREATOR])
    text = str(caught.value)
    assert text.startswith("The policy speakers on Speaker ")
    assert "for Who(5)" in text
    if "decide" in text:
        assert "speakers LIST" in text
        assert "speakers LIST" in text


# --- callers that are made up ---------------------------------------------------------------------


def made_up(db: Session, policy: Policy) -> list[dict[str, Any]]:
    callers = made_up_callers(policy, db)
    assert len(callers) <= 40
    assert list(map(repr, callers)) == list(map(repr, made_up_callers(policy, db)))
    return [{k: v for k, v in vars(one).items() if k != "_values"} for one in callers]


def test_callers_have_the_values_of_rows(db: Session):
    """Of what they are compared with; and none, and one that no row has, and no attribute."""
    callers = made_up(db, speaker_policy())
    accounts = {one.get("account_id", "absent") for one in callers}

    assert {1, 5, 9, None, "absent", -30_001} <= accounts
    assert {one.get("is_admin", "absent") for one in callers} == {True, False, None, "absent"}
    assert callers[0] == {}


def test_what_tests_of_callers_ask_is_made_up(db: Session):
    """Each kind of test, and paths into mappings; what nothing asks for is not."""
    asked = (
        (caller.level > 3)
        & caller.roles.contains("chief")
        & ~caller.kind.in_(["a", "b"])
        & (caller.left.is_null() | (attr("name") == caller.claims.sub.name))
        & attr("talks").any(attr("state").in_(caller.states))
        & attr("event.memberships").all(attr("account_id") == caller.account_id)
        & attr("name").startswith(caller.prefix)
    )
    policy = (
        Policy(Speaker).allow(everyone, ALL, when=asked).hide("email", unless=caller.x.is_true())
    )
    callers = made_up(db, policy)

    def values(name: str) -> list[Any]:
        return [one.get(name) for one in callers]

    assert {3, None} == set(values("level"))
    assert {("chief",), (), None} == set(values("roles"))
    assert {"a", "b", None} == set(values("kind"))
    assert {"something", None} == set(values("left"))
    assert {"n1", "nobody has this", None} <= {
        (v or {}).get("sub", {}).get("name") for v in values("claims")
    }
    assert () in values("states")
    assert ("accepted",) in values("states")
    assert any(v and len(v) > 2 for v in values("states"))
    assert "n" in values("prefix")
    assert {True, False, None} == set(values("x"))
    assert assert_policy_consistent(policy, db) == 48 * 5 * len(callers)


def test_a_policy_that_asks_nothing_is_asked_by_nobody(db: Session):
    """One caller without attributes is enough; functions find none in it."""
    assert made_up(db, Policy(Speaker).allow(everyone, ALL)) == [{}]
    assert assert_policy_consistent(Policy(Speaker).allow(everyone, ALL), db) == 48 * 5
    asked = Policy(Speaker).allow(Role("r", lambda who: who.anything), ALL)
    assert assert_policy_consistent(asked, db) == 48 * 5


def test_a_caller_that_is_compared_and_looked_into(db: Session):
    """Both cannot be had at once: what was made first stays."""
    one = MadeUpCaller({("a",): "x", ("a", "b"): 3})

    assert one.a == "x"
    assert repr(one) == "MadeUpCaller(a='x', a.b=3)"


def test_conditions_that_no_policy_has_are_not_guessed_at(db: Session):
    """A comparison of a relationship, or a quantifier over a column."""
    shape = shape_of(Speaker)
    for condition in (attr("event") == caller.x, attr("name").any(attr("id") == caller.x)):
        with pytest.raises(TypeError):
            list(_Asked(db).values(condition, shape))


def test_values_of_every_kind_are_found(db: Session):
    """Kinds without an obvious stranger have the rows' own values only."""
    policy = Policy(Event).allow(everyone, ALL, when=attr("state") == caller.state)
    callers = made_up(db, policy)

    assert {one.get("state") for one in callers} == {"published", "draft", "nobody has this", None}
    assert OWNER.account_id == 9
