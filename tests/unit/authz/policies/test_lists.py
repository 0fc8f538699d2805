"""Lists with what each row shows and allows, all by one query."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload, selectinload
from tests.unit.authz.conference import (
    ADMIN,
    CALLERS,
    CREATOR,
    NOBODY,
    Speaker,
    Talk,
    Who,
    published,
    recorded,
    speaker_policy,
)

from licet.authz import (
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    Verb,
    everyone,
    list_objects,
    predicate,
)
from licet.errors import InvalidCondition, UntranslatableCondition

PUBLISH = Verb("PUBLISH")
MAY = (VIEW, UPDATE, DELETE, PUBLISH)
ORDERED = sa.select(Speaker).order_by(Speaker.id)


@pytest.mark.parametrize("who", [*CALLERS, Who("x"), None], ids=repr)
@pytest.mark.parametrize("limit", [None, 7])
def test_a_list_says_of_each_row_what_decisions_say(db: Session, who, limit: int | None):
    """Its fields and its verbs, on every row, by one SELECT."""
    policy = speaker_policy()
    with recorded(db) as statements:
        rows = list(list_objects(policy, db, ORDERED.limit(limit), who, may=MAY))

    assert len(statements) == 1
    allowed = [s for s in db.scalars(ORDERED) if policy.decide(who, LIST, s)][:limit]
    assert [row.object for row in rows] == allowed
    for row in rows:
        assert row.visible_fields == policy.visible_fields(who, row.object)
        may = {verb.name for verb in MAY if policy.decide(who, verb, row.object)}
        assert row.verbs == may


def test_masks_are_columns_of_the_query(db: Session):
    """As many as depend on the row: what is known of the caller alone is not asked."""
    policy = speaker_policy()

    def columns(who: Who) -> int:
        with recorded(db) as statements:
            list(list_objects(policy, db, sa.select(Speaker), who, may=(UPDATE,)))
        return statements[0].count(" AS licet_")

    assert (columns(NOBODY), columns(ADMIN), columns(CREATOR)) == (0, 0, 2)


def test_without_verbs_none_are_told(db: Session):
    """What may be done is asked for; what may be seen always comes."""
    rows = list(list_objects(speaker_policy(), db, ORDERED, CREATOR))

    assert {row.verbs for row in rows} == {frozenset()}
    assert {"email" in row.visible_fields for row in rows} == {True, False}


def test_further_columns_and_options_go_on(db: Session):
    """The row's object is the first of what was selected."""
    counted = sa.select(Speaker, sa.func.count().over()).options(selectinload(Speaker.talks))
    with recorded(db) as statements:
        rows = list(list_objects(speaker_policy(), db, counted.order_by(Speaker.id), CREATOR))
        assert all("talks" in row.object.__dict__ for row in rows)

    assert len(statements) == 2  # the list, and the talks of all its rows
    assert {row.object.id for row in rows if "email" in row.visible_fields} == {
        speaker.id
        for speaker in db.scalars(sa.select(Speaker))
        if "email" in speaker_policy().visible_fields(CREATOR, speaker)
        and speaker_policy().decide(CREATOR, LIST, speaker)
    }


def test_a_list_flushes_what_its_session_would(db: Session):
    """It is a query like any other, and sees what the caller has done."""
    speaker = db.get(Speaker, 1)
    speaker.talks.append(Talk(id=99, state="accepted"))

    assert speaker in [row.object for row in list_objects(speaker_policy(), db, ORDERED, NOBODY)]


def test_a_verb_that_no_list_can_ask_is_refused(db: Session):
    """A verb decided by a Python function, several at once; and a statement on something else."""
    policy = Policy(Speaker).allow(everyone, LIST, when=published)
    policy.allow(everyone, UPDATE, when=predicate(lambda *_: True))

    with pytest.raises(UntranslatableCondition, match="is a Python function"):
        list(list_objects(policy, db, ORDERED, NOBODY, may=(UPDATE,)))
    with pytest.raises(InvalidCondition, match="One verb is wanted"):
        list(list_objects(policy, db, ORDERED, NOBODY, may=(VIEW | UPDATE,)))
    with pytest.raises(InvalidCondition, match="about Speaker, and the statement selects Talk"):
        list(list_objects(policy, db, sa.select(Talk), NOBODY))
    assert list(list_objects(policy, db, ORDERED, NOBODY, may=(DELETE,)))


@pytest.mark.parametrize("who", [NOBODY, CREATOR, ADMIN], ids=repr)
def test_an_alias_is_listed_as_the_class(db: Session, who):
    """Rows, fields and verbs are those of the class's own list."""
    policy, other = speaker_policy(), aliased(Speaker)
    of_class = list(list_objects(policy, db, ORDERED, who, may=(UPDATE,)))
    of_alias = list(
        list_objects(policy, db, sa.select(other).order_by(other.id), who, may=(UPDATE,))
    )

    assert of_alias == of_class


def test_a_list_of_columns_is_refused(db: Session):
    """Each row of a list is an object."""
    with pytest.raises(InvalidCondition, match="A list has objects, so write select"):
        list(list_objects(speaker_policy(), db, sa.select(Speaker.id), NOBODY))


def test_a_collection_that_is_joined_repeats_no_row(db: Session):
    """Joined eager loading multiplies rows; a list has each object once."""
    joined = ORDERED.options(joinedload(Speaker.talks))

    listed = [row.object for row in list_objects(speaker_policy(), db, joined, CREATOR)]

    assert listed == [row.object for row in list_objects(speaker_policy(), db, ORDERED, CREATOR)]
