"""Policies mean the same in every reading, whatever the schema is."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.counts import count
from tests.property.schemas.cases import QUESTIONS_A_CASE, Case, cases, row_of
from tests.property.schemas.check import LOADS, check

CASES = count(quick=500, full=5_000)  # on each database
EXAMPLES = CASES // QUESTIONS_A_CASE + count(quick=8, full=80)  # some questions are refused

pytestmark = pytest.mark.usefixtures("unmeasured")


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
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        nonlocal answered
        case: Case = data.draw(cases())
        loads = [data.draw(st.sampled_from(list(LOADS))) for _ in case.questions]
        drafts = [data.draw(row_of(entity, case.rows)) for entity, _ in case.questions]
        answered += check(case, connection, loads, drafts)

    agree()

    assert answered >= CASES
