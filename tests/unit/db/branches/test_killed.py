"""A migration that is killed, at every statement and at every touch of a file."""

import os
import signal
import sys

import sqlalchemy as sa
from tests.counts import count
from tests.processes import exit_of
from tests.unit.db.branches.test_earlier_revisions import contents, fill

from licet.db.branches.checks import check
from licet.db.branches.moves.run import move
from licet.db.migrate import licet_branch
from licet.db.tables import all_tables

TOUCHES = {"os.remove", "os.rename", "sqlite3.connect"}
START = "0002"
EACH = count(quick=120, full=5)  # with 1 it takes eight minutes for each database


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


def test_killed_at_any_point_it_is_as_before_or_as_after(database_url, tmp_path):
    """With all rows, and the next run ends where the first would have."""
    all_tables()
    branch = licet_branch(sa.make_url(database_url))
    move(branch, "upgrade", START)
    fill(branch)
    before, point, outcomes = contents(branch), 1, set()
    while code := exit_of(migrate_and_die, database_url, point):
        assert code == -signal.SIGKILL
        found = contents(branch)
        is_done = found.keys() != before.keys()
        assert (check(branch).differences == ()) if is_done else (found == before), point
        outcomes.add(is_done)
        move(branch, "upgrade")
        assert check(branch).differences == (), point
        after = contents(branch)
        assert {name: after[name].rows for name in before} == dict.fromkeys(before, 2), point
        assert not list(tmp_path.glob("*migration*")), point
        move(branch, "downgrade", START)
        point += EACH
    assert point > EACH
    assert False in outcomes
