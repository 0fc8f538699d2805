"""The shape of a policy's statements: IN where a list is chosen, EXISTS in what is selected."""

import sqlalchemy as sa
from sqlalchemy.orm import Session
from tests.unit.authz.conference import CREATOR, Speaker, own, recorded, speaker_policy

from licet.authz import UPDATE, Policy, list_objects, registered
from licet.authz.policies.verbs import LIST


def own_policy() -> Policy:
    return Policy(Speaker).allow(registered, LIST | UPDATE, when=own)


def test_a_list_starts_from_what_is_the_callers():
    """A database can read the few rows of the caller's first."""
    made = str(own_policy().filter(sa.select(Speaker), CREATOR))

    assert " IN (SELECT" in made
    assert "EXISTS" not in made


def test_a_column_reads_only_what_its_row_needs(db: Session):
    """The caller's rows, which can be thousands, are not collected for a page."""
    with recorded(db) as asked:
        rows = list(list_objects(own_policy(), db, sa.select(Speaker), CREATOR, may=(UPDATE,)))

    columns, _, rest = asked[-1].partition("FROM speaker")
    assert rows
    assert all("UPDATE" in row.verbs for row in rows)
    assert columns.count("EXISTS") == 1
    assert " IN (SELECT" in rest


def test_the_branches_of_a_page_are_selected_by_their_keys(db: Session):
    """Each is limited, in a SELECT around it, as SQLite wants."""
    page = sa.select(Speaker).order_by(Speaker.id).limit(2)
    made = speaker_policy().filter(page, CREATOR)
    text = str(made)

    assert text.count("SELECT key_0") == text.count("UNION ALL") + 1
    whole = speaker_policy().filter(sa.select(Speaker).order_by(Speaker.id), CREATOR)
    assert db.scalars(made).all() == db.scalars(whole).all()[:2]
