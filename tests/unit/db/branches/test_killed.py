"""A migration that is killed, at every statement and at every touch of a file."""

import os
import signal
import sys

import pytest
import sqlalchemy as sa
from tests.counts import count
from tests.processes import exit_of
from tests.unit.db.branches.test_earlier_revisions import contents, fill

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.migrate import head_revision, licet_branch
from licet.db.tables import all_tables

TOUCHES = {"os.remove", "os.rename", "sqlite3.connect"}
START = "0002"
EACH = count(quick=45, full=1)


def migrate_and_die(url, point):
    """Upgrade, and die at the n-th statement, commit or touch of a file: 0 if it ends before."""
    seen = 0

    def tick(*_event):
        nonlocal seen
        seen += 1
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(lambda event, _arguments: event in TOUCHES and tick())
    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.engine.Engine, event, tick)
    all_tables()
    move(licet_branch(sa.make_url(url)), "upgrade")


def test_killed_at_any_point_it_is_as_before_or_as_after(database_url):
    """With all rows, and the next run ends where the first would have."""
    all_tables()
    branch = licet_branch(sa.make_url(database_url))
    move(branch, "upgrade", START)
    fill(branch)
    before, point = contents(branch), 1
    while exit_of(migrate_and_die, database_url, point):
        found = contents(branch)
        assert found == before or not check(branch).differences, point
        move(branch, "upgrade")
        assert check(branch).differences == (), point
        assert {name: contents(branch)[name].rows for name in before} == {
            name: found.rows for name, found in before.items()
        }
        if not branch.is_sqlite:
            assert point < 500
        assert not list(branch.file.parent.glob("*migration*")) or not branch.is_sqlite, point
        move(branch, "downgrade", START)
        point += EACH
    assert point > 1
    assert str(head_revision()) in {
        one.replace("'", "") for one in [head_revision()]
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_there_are_points_before_and_after_the_commit(database_url):
    """The last point is past the commit: what was done stays."""
    all_tables()
    branch = licet_branch(sa.make_url(database_url))
    move(branch, "upgrade", START)
    low, high = 1, 1000
    while high - low > 1:
        middle = (low + high) // 2
        if exit_of(migrate_and_die, database_url, middle):
            low = middle
        else:
            high = middle
        done = contents(branch)
        move(branch, "downgrade", START)
    assert done
