"""How the database answers an enumeration: one index range for each role, never a scan."""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from tests.unit.actions.making import (
    ALICE,
    TEAM,
    make_query,
    make_request,
    make_status,
    new_request_id,
)

from licet.actions.documents import ActionStatusValue
from licet.actions.enumeration import LogQuery
from licet.actions.store import _enumerate, _statements
from licet.actions.store.actions import ActionStore
from licet.db.engine import Database

INDEXES = {
    "creator_id": "ix_licet_action_creator",
    "monitor_by": "ix_licet_action_principal_enumerate",
    "manage_by": "ix_licet_action_principal_enumerate",
}
ONE = frozenset({ActionStatusValue.ACTIVE})


def ranges(role: str, before: int | None = None) -> list[sa.Select]:
    query = make_query(role, statuses=ONE)
    return list(_enumerate._ranges("unit", frozenset({ALICE}), query, before))


def fill(database: Database) -> None:
    """Enough actions of others that a planner chooses as it would at work."""
    if database.is_sqlite:
        return
    with database.read() as connection:
        connection.exec_driver_sql(
            "INSERT INTO licet_action (action_id, provider, creator_id, request_id, request_digest,"
            " status, details, monitor_by, manage_by, start_time, version)"
            " SELECT 'a' || n, 'unit', 'c' || mod(n, 400), 'r' || n, '', 'ACTIVE', '{}',"
            " '[]', '[]', '', 1"
            " FROM generate_series(1, 4000) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO licet_action_principal (action, role, principal, provider, status)"
            " SELECT id, role, 'p' || mod(id, 400), provider, status FROM licet_action,"
            " (VALUES ('monitor_by'), ('manage_by')) AS roles (role)"
        )
        connection.exec_driver_sql("ANALYZE licet_action, licet_action_principal")


def plan(database: Database, statement: sa.Select) -> str:
    dialect = sqlite.dialect() if database.is_sqlite else postgresql.dialect()
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
            connection.exec_driver_sql("SET enable_bitmapscan = off")
            connection.exec_driver_sql("SET enable_sort = off")
        rows = connection.execute(sa.text(explain + text.replace(":", "\\:"))).all()
        if not database.is_sqlite:
            connection.exec_driver_sql("RESET ALL")
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("before", [None, 1_000_000])
@pytest.mark.parametrize("role", INDEXES)
def test_each_range_is_one_index_range(database: Database, role: str, before: int | None):
    """A role's newest keys come from its index in order, without scan or sort."""
    fill(database)
    [statement] = ranges(role, before)
    found = plan(database, statement)
    assert INDEXES[role] in found
    assert not re.search(r"SCAN licet|Seq Scan|TEMP B-TREE|Sort", found), found


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (_statements.log_page(LogQuery(), "unit", "a", None), "ix_licet_action_log_action"),
        (_statements.log_page(LogQuery(), "unit", "a", 5), "ix_licet_action_log_action"),
        (
            _statements.log_page(LogQuery(reverse_order=True), "unit", "a", 5),
            "ix_licet_action_log_action",
        ),
        (_statements.BY_ID._construct.params(a="a", p="unit"), "action_action_id"),
        (_statements.BY_REQUEST._construct.params(p="u", c="c", r="r"), "action_(request|2)"),
    ],
)
def test_every_read_uses_an_index(sqlite_database: Database, statement: sa.Select, index: str):
    """Reading an action, a request or a log page never scans a table."""
    found = plan(sqlite_database, statement)
    assert re.search(index, found) or "sqlite_autoindex_licet_action" in found
    assert not re.search(r"SCAN licet|TEMP B-TREE", found), found


@pytest.mark.parametrize("number", [1, 99, 100, 101, 250])
def test_many_ranges_are_asked_in_groups(database: Database, number: int, monkeypatch):
    """However many ranges there are, each statement holds a hundred at most."""
    sizes: list[int] = []
    union = sa.union
    monkeypatch.setattr(sa, "union", lambda *parts: sizes.append(len(parts)) or union(*parts))
    principals = frozenset(f"urn:licet:group:g{n}" for n in range(number))
    ActionStore("unit", lambda: database).enumerate(principals, make_query(statuses=ONE))
    assert all(1 < size <= 100 for size in sizes)
    assert sum(sizes) >= number - 1


def test_a_page_reads_no_more_than_it_shows(store: ActionStore, database: Database):
    """Each range gives at most one key more than the page holds."""
    for _ in range(5):
        store.submit(make_request(new_request_id()), make_status(monitor_by=[ALICE, TEAM]))
    query = make_query("creator_id,monitor_by", limit=2)
    with database.read() as connection:
        for statement in _enumerate._ranges("unit", frozenset({ALICE}), query, None):
            assert len(connection.execute(statement).all()) <= 3
        ids = _enumerate.newest_ids(connection, "unit", frozenset({ALICE, TEAM}), query, None)
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)
