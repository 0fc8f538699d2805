"""The store beside a plain dict: after any sequence of operations both say the same."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from tests.counts import count
from tests.unit.actions.making import ALICE, BOB, TEAM, make_request, make_status

from licet.actions.documents import ActionStatus, ActionStatusValue, render
from licet.actions.enumeration import EnumerationQuery
from licet.actions.store.actions import ActionStore
from licet.db.engine import Database
from licet.db.migrate import upgrade
from licet.errors import ActionConflict, ActionNotFound

_statuses = st.sampled_from(ActionStatusValue)
_people = st.sampled_from([ALICE, BOB])
_principals = st.sets(st.sampled_from([ALICE, BOB, TEAM]))
_details = st.one_of(
    st.text(max_size=5).filter(lambda text: text.isprintable()),
    st.dictionaries(st.sampled_from(["code", "description", "x"]), st.text("ab", max_size=2)),
)


class StoreMachine(RuleBasedStateMachine):
    """`model` maps (creator, request id) to (body, document), oldest first."""

    actions = Bundle("actions")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.database = Database(f"sqlite:///{self.folder / 'licet.sqlite3'}")
        self.store = ActionStore("unit", lambda: self.database)
        self.model: dict[tuple[str, str], tuple[int, ActionStatus]] = {}

    @initialize()
    def migrate(self) -> None:
        upgrade(self.database)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def known(self, action_id: str) -> tuple[str, str] | None:
        found = (key for key, (_, status) in self.model.items() if status.action_id == action_id)
        return next(found, None)

    @rule(
        target=actions,
        creator=_people,
        request_id=st.sampled_from("abc"),
        n=st.integers(0, 1),
        status=_statuses,
        monitors=_principals,
        managers=_principals,
        details=_details,
    )
    def submit(self, creator, request_id, n, status, monitors, managers, details):
        made = make_status(
            status, creator_id=creator, monitor_by=monitors, manage_by=managers, details=details
        )
        earlier = self.model.get((creator, request_id))
        try:
            submission = self.store.submit(make_request(request_id, body={"n": n}), made)
        except ActionConflict:
            assert earlier is not None
            assert earlier[0] != n
            return multiple()
        assert submission.created == (earlier is None)
        if earlier is None:
            self.model[creator, request_id] = (n, made.model_copy(deep=True))
            return made.action_id
        assert earlier[0] == n
        assert render(submission.status) == render(earlier[1])
        return multiple()

    @rule(action_id=actions, status=_statuses, monitors=_principals, details=_details)
    def change(self, action_id, status, monitors, details):
        key = self.known(action_id)
        if key is None:
            return
        n, before = self.model[key]
        after = before.model_copy(deep=True)
        after.status, after.monitor_by, after.details = status, monitors, details
        try:
            self.store.store(after)
        except ActionConflict:
            assert before.is_complete()
        else:
            assert not before.is_complete() or render(after) == render(before)
            self.model[key] = (n, after)

    @rule(action_id=actions)
    def cancel(self, action_id):
        key = self.known(action_id)
        try:
            cancelled = self.store.cancel(action_id, ALICE)
        except ActionNotFound:
            assert key is None
            return
        n, before = self.model[key]
        if before.is_complete():
            assert render(cancelled) == render(before)
        assert cancelled.is_complete()
        self.model[key] = (n, cancelled)

    @rule(action_id=consumes(actions))
    def remove(self, action_id):
        key = self.known(action_id)
        status = self.model[key][1] if key else make_status(action_id=action_id)
        try:
            self.store.remove(status)
        except ActionConflict:
            assert not status.is_complete()
        except ActionNotFound:
            assert key is None
        else:
            assert self.model.pop(key)[1].is_complete()

    @rule(
        principals=st.frozensets(st.sampled_from([ALICE, BOB, TEAM])),
        roles=st.frozensets(st.sampled_from(["creator_id", "monitor_by", "manage_by"])),
        statuses=st.frozensets(_statuses),
        limit=st.integers(1, 4),
    )
    def enumerate(self, principals, roles, statuses, limit):
        found: list[bytes] = []
        query = EnumerationQuery(statuses=statuses, roles=roles, limit=limit)
        while True:
            page = self.store.enumerate(principals, query)
            found += map(render, page.actions)
            assert len(found) <= len(self.model)
            if page.marker is None:
                break
            query = EnumerationQuery(
                statuses=statuses, roles=roles, limit=limit, marker=page.marker
            )
        expected = [
            render(status)
            for _, status in self.model.values()
            if status.status in statuses and self.has_role(status, principals, roles)
        ]
        assert found == expected[::-1]

    @staticmethod
    def has_role(status, principals, roles) -> bool:
        named = {
            "creator_id": {status.creator_id},
            "monitor_by": status.monitor_by or set(),
            "manage_by": status.manage_by or set(),
        }
        return any(named[role] & principals for role in roles)

    @invariant()
    def every_action_is_as_the_model_says(self):
        for _, status in self.model.values():
            assert render(self.store.get(status.action_id)) == render(status)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=count(quick=10, full=250), stateful_step_count=20, deadline=None
)
