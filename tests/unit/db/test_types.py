"""Times in the database."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from licet.db import Database
from licet.db.types import UTCDateTime

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5)))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda d: d.name)
@given(moment=MOMENTS)
def test_every_moment_comes_back_in_utc(dialect, moment):
    """What goes in with any offset comes out as the same moment in UTC."""
    kind = UTCDateTime()
    found = kind.process_result_value(kind.process_bind_param(moment, dialect), dialect)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda d: d.name)
def test_the_hour_that_comes_twice(dialect):
    """Both moments are equal to Python, which looks at the clock's face."""
    kind, berlin = UTCDateTime(), ZoneInfo("Europe/Berlin")
    first = datetime(2024, 10, 27, 2, 30, tzinfo=berlin)
    second = first.replace(fold=1)
    assert first == second
    found = [
        kind.process_result_value(kind.process_bind_param(m, dialect), dialect)
        for m in (first, second)
    ]
    assert [moment.hour for moment in found] == [0, 1]


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda d: d.name)
def test_no_time_stays_no_time(dialect):
    """None goes in and out."""
    kind = UTCDateTime()
    assert kind.process_bind_param(None, dialect) is None
    assert kind.process_result_value(None, dialect) is None


def test_naive_times_are_refused():
    """A time without a zone could be anything."""
    with pytest.raises(ValueError, match="no time zone"):
        UTCDateTime().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())  # noqa: DTZ001


@pytest.mark.parametrize("moment", [MOMENT, None])
def test_a_moment_survives_the_database(database_url, moment):
    """A stored moment is read back equal, aware and in UTC."""
    database = Database(database_url)
    table = sa.Table("moments", sa.MetaData(), sa.Column("at", UTCDateTime))
    with database.engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), {"at": moment})
        found = connection.execute(sa.select(table.c.at)).scalar()
    database.close()
    assert found == moment
    assert found is None or found.tzinfo is UTC
