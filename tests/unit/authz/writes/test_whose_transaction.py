"""Whose a transaction is that several requests use, one after the other."""

import pytest
import sqlalchemy as sa
from tests.unit.authz.writes.library import ANN, Book, make_books

from licet.authz import UPDATE
from licet.errors import AccessDenied, ObjectNotFound


def leave_open(guarded):
    """Ann's request begins a transaction, changes no guarded row in it, and does not end it."""
    with guarded.app.test_request_context(headers={"Caller": "ann"}):
        statement = sa.update(Book).where(Book.id == 99).values(title="no book")
        guarded.session.execute(make_books().filter(statement, ANN, UPDATE))
    assert guarded.session.in_transaction()


def test_a_transaction_without_guarded_rows_is_the_next_requests(guarded):
    """It is decided as the caller's who writes guarded rows in it."""
    leave_open(guarded)
    with guarded.asked_by("ben") as session:
        guarded.book(2).title = "ben's"
        session.commit()
    assert [row[3] for row in guarded.rows()] == ["Licet", "ben's"]


def test_the_next_request_has_no_rights_of_the_former(guarded):
    """Ann may change her book; in ben's request she is not asked about."""
    leave_open(guarded)
    with guarded.asked_by("ben") as session:
        guarded.book(1).title = "ben's"
        with pytest.raises((AccessDenied, ObjectNotFound)):
            session.commit()
    assert [row[3] for row in guarded.rows()] == ["Licet", "Non licet"]
