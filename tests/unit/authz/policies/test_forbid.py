"""`forbid`: what no grant can undo, in every reading of a policy."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.authz.conference import (
    ADMIN,
    CALLERS,
    NOBODY,
    OWNER,
    Base,
    Speaker,
    Who,
    accepted,
    fill,
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
    list_objects,
    predicate,
    registered,
)
from licet.authz.matrix import as_html, as_markdown, tabulate
from licet.errors import InvalidCondition, UntranslatableCondition
from licet.testing import assert_policy_consistent

SUSPENDED = Who(9, is_suspended=True)
suspended = Role("suspended", caller.is_suspended.is_true())


def frozen_policy():
    """The conference's policy, where accepted speakers stay, and the suspended may nothing."""
    return (
        speaker_policy()
        .forbid(everyone, UPDATE | DELETE, when=accepted, unless=[staff])
        .forbid(suspended, ALL)
    )


@pytest.fixture
def session(database_url):
    """The conference in a database of each kind."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    with Session(engine) as found:
        fill(found)
        yield found
    Base.metadata.drop_all(engine)


def test_every_reading_agrees(session):
    """Decisions, lists, pages and columns, for callers of each kind."""
    callers = [*CALLERS, SUSPENDED]
    assert assert_policy_consistent(frozen_policy(), session, callers, limit=12) > 0


def test_it_goes_before_every_grant(session):
    """What the same policy without it allows is denied to all but the spared."""
    free, frozen = speaker_policy(), frozen_policy()
    for speaker in session.scalars(sa.select(Speaker)):
        is_accepted = any(talk.state in ("accepted", "confirmed") for talk in speaker.talks)
        for who in CALLERS:
            allowed = free.decide(who, DELETE, speaker).allowed
            expected = allowed and (not is_accepted or who is ADMIN)
            assert frozen.decide(who, DELETE, speaker).allowed is expected
            assert frozen.explain(who, DELETE, speaker).holds is expected
        assert not frozen.decide(SUSPENDED, VIEW, speaker)


def test_it_binds_who_implies_the_role(session):
    """Staff is registered, too; the verb of the app's own that ALL covers is no exception."""
    policy = speaker_policy().forbid(registered, DELETE | Verb("PUBLISH"))
    speaker = session.scalars(sa.select(Speaker)).first()
    assert policy.decide(ADMIN, VIEW, speaker)
    assert not policy.decide(ADMIN, DELETE, speaker)
    assert not policy.decide(ADMIN, Verb("PUBLISH"), speaker)
    assert "PUBLISH" in policy.verbs


def test_all_covers_verbs_that_nobody_names(session):
    """As it does for grants."""
    policy = Policy(Speaker).allow(everyone, ALL).forbid(suspended, ALL)
    speaker = session.scalars(sa.select(Speaker)).first()
    assert policy.decide(OWNER, Verb("ODD"), speaker)
    assert not policy.decide(SUSPENDED, Verb("ODD"), speaker)


def test_a_forbidden_view_hides_the_object(session):
    """An embargo answers 404, and the log says that it was forbidden."""
    embargo = (attr("name") == "n1").named("under embargo")
    policy = Policy(Speaker).allow(everyone, ALL).forbid(everyone, VIEW, when=embargo)
    hidden = session.scalars(sa.select(Speaker).where(Speaker.name == "n1")).first()
    decision = policy.decide(OWNER, UPDATE, hidden)
    assert decision.allowed
    decision = policy.decide(OWNER, VIEW, hidden)
    assert (decision.allowed, decision.visible) == (False, False)
    assert decision.reason == "forbidden to everyone: VIEW under embargo"


def test_an_update_is_forbidden_before_and_after(session):
    """Neither out of the forbidden state, nor into it."""
    closed = (attr("name") == "closed").named("closed")
    policy = Policy(Speaker).allow(everyone, ALL).forbid(everyone, UPDATE, when=closed)
    speaker = session.scalars(sa.select(Speaker)).first()
    speaker.name = "closed"
    assert not policy.decide(OWNER, UPDATE, speaker)
    session.flush()
    speaker.name = "open"
    assert not policy.decide(OWNER, UPDATE, speaker)


def test_a_caller_of_a_wrong_type_is_denied(session, caplog):
    """What a denial asks of the caller cannot be dodged by an attribute of another type."""
    policy = Policy(Speaker).allow(everyone, ALL).forbid(suspended, VIEW)
    speaker = session.scalars(sa.select(Speaker)).first()
    odd = Who(1, is_suspended="no")
    assert not policy.decide(odd, VIEW, speaker)
    assert session.scalars(policy.filter(sa.select(Speaker), odd, VIEW)).all() == []
    assert "is_suspended" in caplog.text


def test_a_python_function_forbids_single_objects(session):
    """As it allows them; where it fails, the check is denied."""
    is_odd = predicate(lambda speaker, _identity: 1 // (speaker.id - 1) == 0, "odd")
    policy = Policy(Speaker).allow(everyone, ALL).forbid(everyone, DELETE, when=is_odd)
    assert policy.decide(NOBODY, DELETE, session.get(Speaker, 2))
    assert not policy.decide(NOBODY, DELETE, session.get(Speaker, 3))
    assert not policy.decide(NOBODY, DELETE, session.get(Speaker, 1))


@pytest.mark.parametrize("verbs", [LIST, ALL, LIST | VIEW])
def test_a_python_function_forbids_no_list(verbs):
    """It is refused when the policy is built, with the line of the denial."""
    odd = predicate(lambda _speaker, _identity: True)
    policy = Policy(Speaker).allow(everyone, VIEW).forbid(everyone, verbs, when=odd)
    with pytest.raises(UntranslatableCondition, match=r"cannot guard a list.*test_forbid\.py:\d+"):
        policy.build()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"role": "staff", "verbs": VIEW}, "forbids roles something, not 'staff'"),
        ({"role": staff, "verbs": "VIEW"}, "forbids verbs such as VIEW, not 'VIEW'"),
        ({"role": staff, "verbs": VIEW, "when": True}, "when takes a condition"),
        (
            {"role": staff, "verbs": VIEW, "unless": ["staff"]},
            "takes roles here, not 'staff'",
        ),
        (
            {"role": staff, "verbs": VIEW, "unless": accepted},
            r"into when, as ~\(…\)",
        ),
    ],
)
def test_what_is_no_denial_is_refused(given, told):
    """With what was given."""
    with pytest.raises(InvalidCondition, match=told):
        Policy(Speaker).forbid(**given)


def test_an_unknown_path_names_the_denial():
    """As that of a grant does."""
    policy = Policy(Speaker).allow(everyone, VIEW).forbid(everyone, VIEW, when=attr("nme") == "x")
    with pytest.raises(UntranslatableCondition, match=r"in the denial at .*test_forbid\.py:\d+"):
        policy.build()


def test_a_policy_in_use_forbids_nothing_more():
    """As it allows nothing more."""
    policy = frozen_policy().build()
    with pytest.raises(InvalidCondition, match="in use already"):
        policy.forbid(everyone, VIEW)


def test_the_matrix_prints_it():
    """✗ with its footnotes, in the row of the role and in those of the roles that it binds."""
    matrix = tabulate([frozen_policy()])
    lines = as_markdown(matrix).splitlines()
    assert "| staff | ✓ | ✓ | ✓ | ✓ | ✓ |" in lines
    of_registered = next(line for line in lines if line.startswith("| registered"))
    assert of_registered.split("|")[-3].strip() == "✓ [1] or ✓ [2], ✗ [4] [5]"
    assert "| everyone | ✓ [3] [4] | ✓ [3] [4] | – | ✗ [4] [5] | ✗ [4] [5] |" in lines
    assert "| suspended | ✗ | ✗ | ✗ | ✗ | ✗ |" in lines
    assert {"4. of accepted ones", "5. unless staff"} <= set(lines)
    assert "- ✗ goes before every ✓, also for whoever holds several roles" in lines
    assert "✗ [4] [5]" in as_html(matrix)


def test_the_matrix_prints_what_missing_data_lets_through():
    """A denial that a missing value escapes is listed, and one that it does not is not."""
    unnamed = attr("name") == "x"
    policy = Policy(Speaker).allow(everyone, ALL).forbid(everyone, VIEW, when=unnamed)
    policy.forbid(everyone, DELETE, when=~(attr("name") == "y")).forbid(everyone, CREATE)
    assert policy.denials_lost_on_missing_data() == ["everyone: VIEW when name == 'x'"]
    assert "- does not hold where data is missing: ✗ everyone: VIEW when" in as_markdown(
        tabulate([policy])
    )


def test_lists_tell_which_verbs_are_forbidden(session):
    """In the same query as the rows."""
    policy = frozen_policy()
    for row in list_objects(policy, session, sa.select(Speaker), OWNER, may=(DELETE,)):
        assert ("DELETE" in row.verbs) is policy.decide(OWNER, DELETE, row.object).allowed
