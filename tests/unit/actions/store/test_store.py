"""The store's contract, the same for every database it runs on."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.unit.actions.making import (
    ALICE,
    BOB,
    TEAM,
    make_query,
    make_request,
    make_status,
    new_request_id,
)

from licet.actions.documents import (
    ActionFailedDetails,
    ActionInactiveDetails,
    ActionStatus,
    ActionStatusValue,
    render,
)
from licet.actions.enumeration import LogQuery
from licet.actions.store.actions import ActionStore, Submission
from licet.db.engine import Database
from licet.errors import (
    ActionConflict,
    ActionNotFound,
    ActionProviderError,
    LicetError,
    RequestValidationError,
)

HOSTILE = [
    "\x00",
    "a\x00b",
    "😀🏳️‍🌈",
    "'; DROP TABLE licet_action; --",
    '"\\"',
    "%s %(a)s :a ?",
    "\u202e",
    "\U0001d518",
]
UNENCODABLE = ["\ud800", "a\udfffb"]


def submit(store: ActionStore, status: str = "ACTIVE", **fields: object) -> ActionStatus:
    return store.submit(make_request(new_request_id()), make_status(status, **fields)).status


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def document(status: ActionStatus | None) -> bytes:
    assert status is not None
    return render(status)


class TestSubmit:
    def test_a_request_creates_one_action(self, store: ActionStore):
        """The first submission creates the action that it was given."""
        status = make_status()
        assert store.submit(make_request(), status) == Submission(status, created=True)
        assert document(store.get(status.action_id)) == document(status)

    def test_the_same_request_finds_the_action(self, store: ActionStore):
        """A repeated request is answered with the action that it started."""
        first = store.submit(make_request(), make_status())
        again = store.submit(make_request(), make_status())
        assert not again.created
        assert again.status.action_id == first.status.action_id

    def test_the_present_state_is_the_answer(self, store: ActionStore):
        """A repeated request is answered with the state the action has now."""
        status = store.submit(make_request(), make_status()).status
        store.cancel(status.action_id, ALICE)
        assert store.submit(make_request(), make_status()).status.is_complete()

    @pytest.mark.parametrize(
        "same",
        [
            {"monitor_by": [BOB, TEAM]},
            {"monitor_by": [TEAM, BOB, BOB]},
            {"monitor_by": [TEAM, BOB], "manage_by": [], "allowed_clients": [], "label": None},
            {"monitor_by": [TEAM, BOB], "tags": ["unknown", "fields"]},
        ],
    )
    def test_order_and_defaults_do_not_count(self, store: ActionStore, same: dict[str, object]):
        """Sets in any order, defaults filled in and unknown fields ask for the same."""
        store.submit(make_request(monitor_by=[TEAM, BOB]), make_status())
        assert not store.submit(make_request(**same), make_status()).created

    @pytest.mark.parametrize(
        "other",
        [
            {"body": {"n": 2}},
            {"label": "x"},
            {"monitor_by": [BOB]},
            {"manage_by": [BOB]},
            {"release_after": "P1D"},
            {"deadline": "2999-01-01T00:00:00Z"},
            {"allowed_clients": ["c"]},
        ],
    )
    def test_different_content_is_a_conflict(self, store: ActionStore, other: dict[str, object]):
        """One request_id cannot ask for two different things."""
        status = store.submit(make_request(), make_status()).status
        with pytest.raises(ActionConflict, match="r-1 already present with different parameters"):
            store.submit(make_request(**other), make_status())
        assert document(store.get(status.action_id)) == document(status)

    def test_other_creators_do_not_collide(self, store: ActionStore):
        """Two people may use the same request_id."""
        store.submit(make_request(), make_status())
        other = make_status(creator_id=BOB)
        assert store.submit(make_request(body={"n": 2}), other).created

    def test_other_providers_do_not_collide(self, store: ActionStore, database: Database):
        """Two providers may be sent the same request_id."""
        store.submit(make_request(), make_status())
        assert ActionStore("other", lambda: database).submit(make_request(), make_status()).created

    def test_a_taken_action_id_is_a_conflict(self, store: ActionStore):
        """An action id that another request has is refused and changes nothing."""
        status = submit(store)
        with pytest.raises(ActionConflict, match=status.action_id):
            store.submit(make_request(), make_status(action_id=status.action_id, label="x"))
        assert document(store.get(status.action_id)) == document(status)

    def test_an_action_id_of_another_provider_is_taken(
        self, store: ActionStore, database: Database
    ):
        """Action ids are unique across providers."""
        status = submit(store)
        with pytest.raises(ActionConflict, match="already"):
            submit(ActionStore("other", lambda: database), action_id=status.action_id)

    def test_the_request_id_is_free_after_release(self, store: ActionStore):
        """Once its action is released a request_id may start another."""
        first = store.submit(make_request(), make_status("SUCCEEDED"))
        store.remove(first.status)
        second = store.submit(make_request(body={"n": 2}), make_status())
        assert second.created
        assert second.status.action_id != first.status.action_id

    def test_fifty_threads_get_one_action(self, store: ActionStore):
        """However many submit one request at once, one action is created and all get it."""
        ready = threading.Barrier(50)

        def one(_number: int) -> Submission:
            ready.wait()
            return store.submit(make_request(), make_status(monitor_by=[TEAM]))

        with ThreadPoolExecutor(50) as pool:
            submissions = list(pool.map(one, range(50)))
        assert sum(s.created for s in submissions) == 1
        assert len({s.status.action_id for s in submissions}) == 1
        assert len(store.enumerate(frozenset({ALICE}), make_query()).actions) == 1

    def test_submit_once_starts_nothing_twice(self, store: ActionStore):
        """A repeated request is answered without asking for a new action."""
        status = make_status()
        first = store.submit_once(ALICE, make_request(), lambda: status)
        again = store.submit_once(ALICE, make_request(), lambda: pytest.fail("started twice"))
        assert (first.created, again.created) == (True, False)
        assert document(again.status) == document(status)

    def test_submit_once_refuses_other_content(self, store: ActionStore):
        """A request_id that was used for something else starts nothing."""
        store.submit(make_request(), make_status())
        with pytest.raises(ActionConflict):
            store.submit_once(ALICE, make_request(label="x"), lambda: pytest.fail("started"))

    def test_find_tells_what_a_request_started(self, store: ActionStore):
        """An earlier request's action is found, by its creator only."""
        status = store.submit(make_request(), make_status()).status
        assert document(store.find(ALICE, make_request())) == document(status)
        assert store.find(BOB, make_request()) is None


class TestGet:
    def test_everything_comes_back(self, store: ActionStore):
        """A state is read as it was written, every member of it."""
        status = make_status(
            "FAILED",
            details=ActionFailedDetails(code="Broken", description="it broke", more=[1, None]),
            completion_time=datetime(2030, 1, 2, 3, 4, 5, 6, UTC),
            label="näme",
            display_status="Gone",
            monitor_by=[TEAM, BOB],
            manage_by=[BOB],
            release_after="P1Y2DT0.5S",
        )
        store.submit(make_request(), status)
        assert document(store.get(status.action_id)) == document(status)

    @pytest.mark.parametrize("nobody", [None, set()])
    def test_no_principals_come_back(self, store: ActionStore, nobody: set[str] | None):
        """An empty list of principals and none at all are kept apart."""
        status = submit(store, monitor_by=nobody, manage_by=nobody)
        assert document(store.get(status.action_id)) == document(status)

    @pytest.mark.parametrize("action_id", ["", "unknown", *HOSTILE, *UNENCODABLE])
    def test_unknown_is_none(self, store: ActionStore, action_id: str):
        """Whatever is no id of an action finds nothing."""
        assert store.get(action_id) is None

    def test_another_providers_action_is_unknown(self, store: ActionStore, database: Database):
        """A provider sees its own actions only."""
        status = submit(store)
        assert ActionStore("other", lambda: database).get(status.action_id) is None

    @pytest.mark.parametrize(
        "details",
        [
            "text",
            {},
            {"code": 1, "description": "a number is no code"},
            {"a": {"b": [1.5, None, True, "x", 2**70]}},
            {"n": 10**4000},
            ActionInactiveDetails(code="c", description="d", required_scope="s"),
        ],
    )
    def test_details_come_back(self, store: ActionStore, details: object):
        """Details of any JSON are read as they were written."""
        status = submit(store, details=details)
        assert document(store.get(status.action_id)) == document(status)

    @pytest.mark.parametrize("depth", [150, 198, 199])
    def test_deep_details_come_back(self, store: ActionStore, depth: int):
        """Details as deep as a request's body may be are read as they were written."""
        status = submit(store, details=nested(depth))
        assert document(store.get(status.action_id)) == document(status)

    @pytest.mark.parametrize("details", [nested(250), nested(900), {"n": 10**4300}])
    def test_details_that_cannot_be_read_are_not_written(self, store: ActionStore, details):
        """What would make the action unreadable is refused, and the action does not exist."""
        with pytest.raises(ActionProviderError):
            store.submit(make_request(), make_status(details=details))
        assert store.find(ALICE, make_request()) is None


class TestHostileText:
    @pytest.mark.parametrize("text", [*HOSTILE, *UNENCODABLE])
    @pytest.mark.parametrize("field", ["label", "display_status", "details", "deep", "action_id"])
    def test_it_is_kept_exactly_or_refused(self, store: ActionStore, field: str, text: str):
        """Text is stored and read back exactly, or refused with an error that says so."""
        fields = {"details": {"a": [{text: text}]}} if field == "deep" else {field: text}
        try:
            status = make_status(**fields)
        except ValueError:
            return  # no such document can be made
        try:
            store.submit(make_request(), status)
        except (ActionProviderError, RequestValidationError):
            assert store.find(ALICE, make_request()) is None
        else:
            assert document(store.get(status.action_id)) == document(status)

    @pytest.mark.parametrize(
        "text", ["😀" * 512, "'" * 512, "\u202e\u0001", "".join(map(chr, range(0x1F300, 0x1F500)))]
    )
    def test_any_request_id_is_kept(self, store: ActionStore, text: str):
        """The longest and strangest request_id finds its action again."""
        store.submit(make_request(text), make_status())
        assert not store.submit(make_request(text), make_status()).created

    @pytest.mark.parametrize("text", [*HOSTILE, *UNENCODABLE])
    def test_bodies_may_hold_anything(self, store: ActionStore, text: str):
        """A body is part of the request's identity, whatever its text."""
        store.submit(make_request(body={text: text}), make_status())
        assert not store.submit(make_request(body={text: text}), make_status()).created

    @pytest.mark.parametrize("text", [*HOSTILE, *UNENCODABLE])
    def test_a_log_takes_any_text(self, store: ActionStore, text: str):
        """Log lines keep their text; what no database takes is replaced."""
        status = submit(store)
        store.append_log(status.action_id, text, text)
        [entry] = store.read_log(status.action_id, LogQuery()).entries
        kept = "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)
        assert (entry.code, entry.description) == (kept, kept)

    @pytest.mark.parametrize("details", ["\ud800", {"a": "\ud800"}, object()])
    def test_details_without_a_json_form_are_refused(self, store: ActionStore, details: object):
        """What cannot be written as JSON is the provider's mistake, and nothing is stored."""
        status = submit(store)
        with pytest.raises(ActionProviderError):
            store.append_log(status.action_id, "c", "d", details)
        assert store.read_log(status.action_id, LogQuery()).entries == []

    @pytest.mark.parametrize("text", [*HOSTILE, *UNENCODABLE])
    @pytest.mark.parametrize("operation", ["cancel", "append_log", "remove", "store"])
    def test_strange_ids_are_not_found(self, store: ActionStore, operation: str, text: str):
        """An id that cannot be anybody's is like any unknown id."""
        stranger = make_status("SUCCEEDED").model_copy(update={"action_id": text})
        arguments = {"cancel": (text, ALICE), "append_log": (text, "c", "d")}
        with pytest.raises(ActionNotFound):
            getattr(store, operation)(*arguments.get(operation, (stranger,)))

    @pytest.mark.parametrize("text", [*HOSTILE, *UNENCODABLE])
    def test_strange_filters_find_nothing(self, store: ActionStore, text: str):
        """A filter with text that nothing can have finds nothing."""
        status = submit(store)
        store.append_log(status.action_id, "c", "d")
        assert store.read_log(status.action_id, LogQuery(code=text)).entries == []
        assert store.read_log(text, LogQuery()).entries == []
        assert store.enumerate(frozenset({text}), make_query("creator_id,manage_by")).actions == []


class TestStore:
    def test_a_new_state_replaces_the_old(self, store: ActionStore):
        """An action that goes on may change in every way."""
        status = submit(store, monitor_by=[TEAM])
        status.label, status.details, status.manage_by = "new", {"progress": 0.5}, {BOB}
        status.monitor_by = set()
        store.store(status)
        assert document(store.get(status.action_id)) == document(status)
        assert store.enumerate(frozenset({TEAM}), make_query("monitor_by")).actions == []
        assert len(store.enumerate(frozenset({BOB}), make_query("manage_by")).actions) == 1

    @pytest.mark.parametrize("ended", ["SUCCEEDED", "FAILED"])
    @pytest.mark.parametrize("wanted", ["ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED"])
    def test_what_ended_never_changes(self, store: ActionStore, ended: str, wanted: str):
        """A completed action takes no other state."""
        status = submit(store, ended)
        before = document(status)
        changed = status.model_copy(update={"status": ActionStatusValue(wanted), "label": "x"})
        with pytest.raises(ActionConflict, match=f"is {ended} already and cannot change"):
            store.store(changed)
        assert document(store.get(status.action_id)) == before

    @pytest.mark.parametrize(
        "details", [{"n": 1}, "x", ActionFailedDetails(code="c", description="d")]
    )
    def test_the_same_last_state_may_be_stored_again(self, store: ActionStore, details: object):
        """Storing the state that an action ended in changes nothing and is no conflict."""
        status = submit(store, "FAILED", details=details, monitor_by=None)
        store.store(status)
        assert document(store.get(status.action_id)) == document(status)

    def test_an_unknown_action_is_not_found(self, store: ActionStore):
        """A state of an action that was never submitted has no place."""
        with pytest.raises(ActionNotFound):
            store.store(make_status())

    def test_the_completion_time_is_filled_in(self, database: Database):
        """An action that ends without saying when ended now."""
        now = datetime(2030, 1, 1, tzinfo=UTC)
        store = ActionStore("unit", lambda: database, clock=lambda: now)
        status = submit(store)
        status.status = ActionStatusValue.SUCCEEDED
        store.store(status)
        found = store.get(status.action_id)
        assert found is not None
        assert found.completion_time == status.completion_time == now

    @pytest.mark.parametrize(("asked", "days"), [(None, 30), ("P1D", 1), ("P1Y", 30), ("-P1D", 0)])
    def test_it_is_kept_as_long_as_asked_and_allowed(
        self, database: Database, asked: str | None, days: int
    ):
        """The time of release counts from the end and never exceeds the provider's retention."""
        now = datetime(2030, 1, 1, tzinfo=UTC)
        store = ActionStore("unit", lambda: database, clock=lambda: now)
        submit(store, "SUCCEEDED", release_after=asked)
        with database.read() as connection:
            kept = connection.exec_driver_sql("SELECT release_at FROM licet_action").scalar_one()
        moment = datetime.fromisoformat(str(kept)).replace(tzinfo=UTC)
        assert moment == now + timedelta(days=days)


class TestCancel:
    @pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
    def test_it_ends_as_failed(self, store: ActionStore, status: str):
        """A cancelled action is FAILED with the code Cancelled, and says by whom."""
        action_id = submit(store, status).action_id
        cancelled = store.cancel(action_id, BOB)
        assert cancelled.status is ActionStatusValue.FAILED
        assert cancelled.details["code"] == "Cancelled"
        assert BOB in cancelled.details["description"]
        assert document(store.get(action_id)) == document(cancelled)

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
    def test_what_ended_stays(self, store: ActionStore, status: str):
        """Cancelling a completed action answers with its state."""
        ended = submit(store, status)
        assert document(store.cancel(ended.action_id, BOB)) == document(ended)

    def test_unknown_is_not_found(self, store: ActionStore):
        """There is nothing to cancel under an unknown id."""
        with pytest.raises(ActionNotFound, match="No Action with id unknown"):
            store.cancel("unknown", ALICE)

    def test_racing_cancels_agree(self, store: ActionStore):
        """Of two cancels at once one decides, and both tell the same end."""
        action_id = submit(store, monitor_by=[TEAM]).action_id
        ready = threading.Barrier(8)

        def one(number: int) -> bytes:
            ready.wait()
            return document(store.cancel(action_id, f"caller {number}"))

        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(one, range(8)))
        assert answers == {document(store.get(action_id))}

    def test_an_end_that_came_first_stands(self, store: ActionStore, monkeypatch):
        """An action that ends between the look and the cancel keeps its own end."""
        status = submit(store)
        stale = store.get(status.action_id)
        status.status = ActionStatusValue.SUCCEEDED
        store.store(status)
        answers = iter([stale, status])
        monkeypatch.setattr(store, "get", lambda _id: next(answers))
        assert store.cancel(status.action_id, BOB).status is ActionStatusValue.SUCCEEDED


class TestRemove:
    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
    def test_a_completed_action_is_forgotten(
        self, store: ActionStore, database: Database, status: str
    ):
        """A released action leaves nothing behind, neither principals nor log."""
        ended = submit(store, status, monitor_by=[TEAM])
        store.append_log(ended.action_id, "c", "d")
        store.remove(ended)
        assert store.get(ended.action_id) is None
        with database.read() as connection:
            for table in ("licet_action", "licet_action_principal", "licet_action_log"):
                count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
                assert count == 0, table

    @pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
    def test_an_unfinished_action_stays(self, store: ActionStore, status: str):
        """Only a completed action can be released, whatever the caller's copy says."""
        action = submit(store, status)
        claimed = action.model_copy(update={"status": ActionStatusValue.SUCCEEDED})
        with pytest.raises(ActionConflict, match=f"is {status}: only a completed action"):
            store.remove(claimed)
        assert store.get(action.action_id) is not None

    def test_unknown_is_not_found(self, store: ActionStore):
        """What is gone cannot be released again."""
        status = submit(store, "SUCCEEDED")
        store.remove(status)
        with pytest.raises(ActionNotFound):
            store.remove(status)

    def test_of_many_releases_one_succeeds(self, store: ActionStore):
        """However many release at once, one does it and the others find nothing."""
        status = submit(store, "SUCCEEDED")
        ready = threading.Barrier(8)

        def one(_number: int) -> bool:
            ready.wait()
            try:
                store.remove(status)
            except ActionNotFound:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(one, range(8))) == 1


class TestLog:
    @pytest.fixture
    def action_id(self, store: ActionStore) -> str:
        """An action with 25 log lines, one a minute, codes A and B in turn."""
        moments = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(99))
        store._clock = lambda: next(moments)
        action_id = submit(store).action_id
        for number in range(25):
            store.append_log(action_id, "AB"[number % 2], str(number), {"n": number})
        return action_id

    def read_all(self, store: ActionStore, action_id: str, **query: object) -> list[int]:
        numbers: list[int] = []
        marker = None
        while True:
            page = store.read_log(action_id, LogQuery(marker=marker, **query))
            assert len(page.entries) <= page.limit
            numbers += [int(entry.description) for entry in page.entries]
            assert len(numbers) <= 25
            assert page.has_next_page == (page.marker is not None)
            if (marker := page.marker) is None:
                return numbers

    @pytest.mark.parametrize("limit", [1, 7, 24, 25, 26, 1000])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_pages_have_no_gaps(self, store: ActionStore, action_id: str, limit: int, reverse):
        """Page by page every line is read once, in either order."""
        expected = sorted(range(25), reverse=reverse)
        found = self.read_all(store, action_id, limit=limit, reverse_order=reverse)
        assert found == expected

    def test_a_line_comes_back(self, store: ActionStore, action_id: str):
        """Time, code, description and details are read as they were written."""
        [entry] = store.read_log(action_id, LogQuery(limit=1)).entries
        assert entry.time == "2030-01-01T00:00:00+00:00"
        assert (entry.code, entry.description, entry.details) == ("A", "0", {"n": 0})

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"since": datetime(2030, 1, 1, 0, 20, tzinfo=UTC)}, range(20, 25)),
            ({"until": datetime(2030, 1, 1, 0, 3, tzinfo=UTC)}, range(4)),
            ({"code": "B"}, range(1, 25, 2)),
            ({"code": "C"}, []),
            (
                {
                    "since": datetime(2030, 1, 1, 0, 4, tzinfo=UTC),
                    "until": datetime(2030, 1, 1, 0, 9, tzinfo=UTC),
                    "code": "A",
                },
                [4, 6, 8],
            ),
            (
                {"since": datetime(2030, 1, 1, 2, 20, tzinfo=timezone(timedelta(hours=2)))},
                range(20, 25),
            ),
        ],
    )
    def test_filters_narrow_it(self, store: ActionStore, action_id: str, query, expected):
        """Time and code filters hold on every page."""
        assert self.read_all(store, action_id, limit=2, **query) == list(expected)

    @pytest.mark.parametrize("marker", ["x", "-1", "1.5", "", "\uff19", "9" * 19, "9" * 20, "\x00"])
    def test_a_foreign_marker_is_refused(self, store: ActionStore, action_id: str, marker: str):
        """A marker that the store cannot have given out is a mistake of the caller."""
        with pytest.raises(RequestValidationError, match="marker"):
            store.read_log(action_id, LogQuery(marker=marker))
        with pytest.raises(RequestValidationError, match="marker"):
            store.enumerate(frozenset({ALICE}), make_query(marker=marker))

    def test_an_unknown_action_has_no_log(self, store: ActionStore):
        """Nothing can be added to, or read from, the log of an unknown action."""
        assert store.read_log("unknown", LogQuery()).entries == []
        with pytest.raises(ActionNotFound):
            store.append_log("unknown", "c", "d")

    def test_long_codes_are_cut(self, store: ActionStore):
        """A code is kept to 64 characters; a description has no limit."""
        action_id = submit(store).action_id
        store.append_log(action_id, "c" * 65, "d" * 100_000)
        [entry] = store.read_log(action_id, LogQuery()).entries
        assert (len(entry.code), len(entry.description)) == (64, 100_000)


class TestEnumerate:
    @pytest.mark.parametrize("role", ["creator_id", "monitor_by", "manage_by"])
    @pytest.mark.parametrize("status", sorted(ActionStatusValue))
    def test_by_role_and_status(self, store: ActionStore, role: str, status: ActionStatusValue):
        """Each role and status finds its own actions and no others."""
        wanted = None
        for value in ActionStatusValue:
            for who in ({"creator_id": ALICE}, {"monitor_by": [ALICE]}, {"manage_by": [ALICE]}):
                made = submit(store, value, **({"creator_id": BOB} | who))
                wanted = made if role in who and value is status else wanted
        query = make_query(role, statuses=frozenset({status}))
        [found] = store.enumerate(frozenset({ALICE}), query).actions
        assert document(found) == document(wanted)

    def test_newest_first_and_each_once(self, store: ActionStore):
        """An action in which one has several roles is listed once, the newest before the rest."""
        made = [
            submit(store, monitor_by=[ALICE, TEAM], manage_by=[TEAM]).action_id for _ in range(5)
        ]
        page = store.enumerate(
            frozenset({ALICE, TEAM}), make_query("creator_id,monitor_by,manage_by")
        )
        assert [action.action_id for action in page.actions] == made[::-1]
        assert page.marker is None

    @pytest.mark.parametrize("limit", [1, 2, 9, 10, 11])
    def test_pages_have_no_gaps_and_no_doubles(self, store: ActionStore, limit: int):
        """Page by page every action is listed once, though new ones appear meanwhile."""
        made = [submit(store, monitor_by=[ALICE]).action_id for _ in range(10)]
        found: list[str] = []
        marker: str | None = None
        while True:
            query = make_query("creator_id,monitor_by", limit=limit, marker=marker)
            page = store.enumerate(frozenset({ALICE}), query)
            assert 0 < len(page.actions) <= limit
            found += [action.action_id for action in page.actions]
            assert len(found) <= len(made)
            submit(store)
            if (marker := page.marker) is None:
                break
        assert found == made[::-1]

    def test_three_hundred_groups(self, store: ActionStore):
        """A caller of many groups finds what any of them may see, in every status."""
        groups = [f"urn:licet:group:g{n}" for n in range(300)]
        rng = random.Random(7)
        made = [
            submit(store, rng.choice(list(ActionStatusValue)), creator_id=BOB, **{role: [group]})
            for group in rng.sample(groups, 40)
            for role in ("monitor_by", "manage_by")
        ]
        query = make_query("creator_id,monitor_by,manage_by", limit=1000)
        page = store.enumerate(frozenset({ALICE, *groups}), query)
        assert [a.action_id for a in page.actions] == [a.action_id for a in made[::-1]]

    @pytest.mark.parametrize("who", [frozenset(), frozenset({BOB})])
    def test_nobody_finds_nothing(self, store: ActionStore, who: frozenset[str]):
        """Who has no role in any action gets an empty page."""
        submit(store)
        assert store.enumerate(who, make_query("creator_id,monitor_by,manage_by")) == ([], None)

    def test_other_providers_stay_apart(self, store: ActionStore, database: Database):
        """Listing one provider's actions shows none of another's."""
        submit(ActionStore("other", lambda: database), monitor_by=[ALICE])
        query = make_query("creator_id,monitor_by")
        assert store.enumerate(frozenset({ALICE}), query).actions == []


def test_every_refusal_is_a_licet_error():
    """What the store raises can be caught as one family."""
    for error in (ActionConflict, ActionNotFound, RequestValidationError):
        assert issubclass(error, LicetError)
