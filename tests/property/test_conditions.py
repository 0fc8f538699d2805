"""Conditions mean the same in Python, on SQLite and on PostgreSQL, of whatever collation."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from tests.counts import count
from tests.property.condition_cases import CONDITIONS_A_CASE, Case, cases
from tests.property.condition_check import check

CASES = count(quick=120, full=4_000)  # on each database
EXAMPLES = CASES // CONDITIONS_A_CASE + count(quick=4, full=100)  # a few are too deep

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    # Numeric on SQLite: what that means for conditions is what is tested
    pytest.mark.filterwarnings("ignore:Dialect sqlite.* does .not. support Decimal"),
]


def test_the_readings_agree(condition_connection: sa.Connection) -> None:
    """Whatever the rows, the caller and the condition are."""
    tried = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases())
    def agree(case: Case) -> None:
        nonlocal tried
        tried += check(case, condition_connection)

    agree()

    assert tried >= CASES


def test_the_english_server_sorts_like_a_dictionary(english_postgresql_url: str) -> None:
    """Where it does not, the property above proves nothing of collations."""
    words = ["B", "a", "c", "z", "é", "İ", "_b"]
    engine = sa.create_engine(english_postgresql_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        by_database = sa.text(
            "SELECT word FROM unnest(CAST(:words AS text[])) AS word ORDER BY word"
        )
        found = connection.scalars(by_database, {"words": words}).all()

    assert found == ["a", "_b", "B", "c", "é", "İ", "z"]
    assert found != sorted(words)
