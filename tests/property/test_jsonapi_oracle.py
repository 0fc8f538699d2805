"""JSON:API is no oracle: conferences that look alike to a caller give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from tests.counts import count
from tests.postgresql import empty_schema
from tests.property import jsonapi_cases as cases
from tests.unit.rest.jsonapi.conference import Base, Conference

from licet.authz import Policy
from licet.rest.jsonapi.reading import Reader

QUERIES = count(quick=150, full=10_000)
ON_POSTGRESQL = count(quick=50, full=2_000)
QUERIES_A_CASE = 25
IN_MEMORY = ("sqlite://", "sqlite://")
pytestmark = pytest.mark.usefixtures("unmeasured")


def store(conference: Conference, tables: cases.Tables) -> None:
    """Have the database hold these rows and no others."""
    with conference.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(sa.delete(table))
        for table in Base.metadata.sorted_tables:
            rows = [dict(row) for row in tables.get(table.name, ())]
            for row in rows:
                if row.get("deleted_at"):
                    row["deleted_at"] = datetime.fromisoformat(f"{row['deleted_at']}+00:00")
            if rows:
                alone = [{**row, "parent_id": None} if "parent_id" in row else row for row in rows]
                connection.execute(sa.insert(table), alone)
            for row in rows:
                if row.get("parent_id"):
                    is_it = table.c.id == row["id"]
                    parent = {"parent_id": row["parent_id"]}
                    connection.execute(sa.update(table).where(is_it).values(parent))


def check(n_queries: int, *, seed: int = 0, urls: Sequence[str] = IN_MEMORY) -> Counter[int]:
    """Ask two conferences the same; returns how often each status was answered."""
    one, other = map(Conference, urls)
    statuses: Counter[int] = Counter()
    try:
        for number in range(seed, seed + n_queries // QUERIES_A_CASE):
            random = Random(number)
            caller, tables = random.choice(cases.CALLERS), cases.made_up(random)
            store(one, tables)
            store(other, cases.changed(tables, caller, random))
            for _ in range(QUERIES_A_CASE):
                url = cases.url_of(random)
                answers = [_answer(each, url, caller) for each in (one, other)]
                assert answers[0] == answers[1], (number, caller, url)
                refused = {401} if caller == "nobody" else set()  # where nobody may list any row
                is_known = answers[0][0] in {200, 400, 404} | refused
                assert is_known, (number, caller, url, answers[0])
                statuses[answers[0][0]] += 1
    finally:
        one.close()
        other.close()
    return statuses


def _answer(conference: Conference, url: str, caller: str) -> tuple[int, bytes]:
    response = conference.ask("GET", url, caller)
    return response.status_code, response.data


def test_hidden_rows_and_fields_are_not_told() -> None:
    """Not by a value, an order, a filter, a count, a link, an include, or an error."""
    statuses = check(QUERIES)
    assert statuses[200] > QUERIES / 5, statuses


def test_hidden_rows_and_fields_are_not_told_on_postgresql(postgresql_url: str) -> None:
    """The same where rows without an order come in any order."""
    with empty_schema(postgresql_url) as one, empty_schema(postgresql_url) as other:
        check(ON_POSTGRESQL, seed=1_000, urls=(one, other))


def all_may_be_searched(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Policy, "queryable_fields", lambda policy, _asking: policy.shown.names)


def related_rows_all_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "seen", lambda _reader, _bound, _entity, _is_many: [])


def trash_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "_kept", lambda _reader, _bound, *, is_trash=False: [])


def masks_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    from licet.authz.policies.fields import Fields

    patch.setattr(Fields, "free_given", lambda fields, _outcomes: fields.names)


FAULTS: list[Any] = [all_may_be_searched, related_rows_all_count, trash_counts, masks_are_forgotten]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check above is for."""
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check(1_000)
