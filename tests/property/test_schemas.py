"""Policies mean the same in every reading, whatever the schema is."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.counts import count
from tests.property.schemas.cases import QUESTIONS_A_CASE, Case, cases, row_of
from tests.property.schemas.check import LISTS, LOADS, Drawn, check

CASES = count(quick=170, full=5_000)  # on each database
EXAMPLES = CASES // QUESTIONS_A_CASE + count(quick=10, full=150)  # some questions are refused

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),  # of odd schemas
]


def drawn_for(case: Case, data: st.DataObject) -> list[Drawn]:
    """How each question's objects are loaded and listed, and a row to come."""
    lists = st.lists(st.sampled_from(LISTS), min_size=2, max_size=2, unique=True)
    loads = st.sampled_from(list(LOADS))
    return [
        Drawn(data.draw(loads), data.draw(lists), data.draw(row_of(entity, case.rows)))
        for entity, _ in case.questions
    ]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "english postgresql"])
def connection(request: pytest.FixtureRequest) -> Iterator[sa.Connection]:
    """A connection to each kind of database, which is empty."""
    if request.param == "sqlite":
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    else:
        url = request.getfixturevalue(f"{request.param.replace(' ', '_')}_url")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as made:
        yield made
    engine.dispose()


def test_the_readings_agree_with_the_rows(connection: sa.Connection) -> None:
    """Decision, explanation, lists and drafts say what the rows say, however they were loaded."""
    answered = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a schema shrinks for too long
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        nonlocal answered
        case: Case = data.draw(cases())
        answered += check(case, connection, drawn_for(case, data))

    agree()

    assert answered >= CASES * 9 // 10
