"""The client against real servers: good ones, flaky ones and wrong ones."""

import itertools
import json
import uuid

import httpx2
import pytest
from flask import Flask
from tests.unit.actions.serving import answer, answering, hanging_up, served, unused_port
from werkzeug import Response

from licet.actions import client as client_module
from licet.actions.client import (
    ActionClient,
    ActionFailed,
    ActionInactive,
    ProviderError,
    ProviderUnreachable,
)
from licet.errors import LicetError


@pytest.fixture
def apt(site_url: str, token: str):
    with ActionClient(f"{site_url}/apt", token, sleep=lambda _seconds: None) as client:
        yield client


class TestOperations:
    def test_introspect(self, apt: ActionClient):
        """The description of a provider is its document."""
        assert apt.introspect()["title"] == "What Time Is It Right Now?"

    def test_an_actions_life(self, apt: ActionClient):
        """An action is run, looked at, cancelled, read about and released."""
        action_id = apt.run({"utc_offset": 1}, label="mine")["action_id"]
        assert apt.status(action_id)["label"] == "mine"
        assert apt.cancel(action_id)["status"] == "FAILED"
        assert [e["code"] for e in apt.log(action_id)["entries"]] == ["STARTED", "CANCELLED"]
        assert apt.release(action_id)["action_id"] == action_id
        with pytest.raises(ProviderError, match="404 ActionNotFound"):
            apt.status(action_id)

    def test_the_same_request_id_is_the_same_action(self, apt: ActionClient):
        """A request_id of one's own makes a run safe to repeat."""
        asked = {"request_id": "again", "release_after": "P1D"}
        first, second = (apt.run({"utc_offset": 1}, **asked) for _ in range(2))
        assert first == second

    def test_what_a_provider_does_not_offer(self, apt: ActionClient):
        """An operation without a callback is a refusal with the provider's words."""
        with pytest.raises(ProviderError) as caught:
            apt.resume(apt.run({"utc_offset": 1})["action_id"])
        assert caught.value.status == 501

    def test_a_refusal_says_why(self, apt: ActionClient):
        """Status, code and description of a refusal are attributes."""
        with pytest.raises(ProviderError, match="422 RequestValidationError") as caught:
            apt.run({"utc_offset": 99})
        assert (caught.value.status, caught.value.code) == (422, "RequestValidationError")
        assert "'$.utc_offset'" in caught.value.description

    def test_without_a_token(self, site_url: str):
        """Without a token a public provider can be introspected, and nothing more."""
        with ActionClient(f"{site_url}/apt/") as client:
            assert client.introspect()["api_version"] == "1.0"
            with pytest.raises(ProviderError, match="401"):
                client.run({"utc_offset": 1})

    def test_the_url_of_run_is_good_enough(self, site_url: str):
        """The address of the run operation stands for the provider."""
        with ActionClient(f"{site_url}/apt/run") as client:
            assert client.introspect()["synchronous"] is False

    @pytest.mark.parametrize("action_id", ["a/b", "a?b", "a#b", "é", "%2e"])
    def test_ids_stay_in_their_place(self, apt: ActionClient, action_id: str):
        """An id is one segment of the path, whatever is in it."""
        with pytest.raises(ProviderError) as caught:
            apt.status(action_id)
        assert caught.value.status == 404


class TestEnumerate:
    def test_what_was_run(self, apt: ActionClient):
        """One's own active actions are listed, newest first."""
        made = [apt.run({"utc_offset": n})["action_id"] for n in range(3)]
        assert [found["action_id"] for found in apt.enumerate()] == made[::-1]
        assert list(apt.enumerate(status="succeeded", roles="monitor_by")) == []

    def test_pages_follow_links(self):
        """The next page is where the Link header says, relative or not."""
        app = answering(
            answer([{"n": 1}, {"n": 2}], Link='</x/actions?marker=2>; rel="next"'),
            answer([{"n": 3}], Link='<?marker=3>; rel="next", <?marker=1>; rel="prev"'),
            answer([]),
        )
        with served(app) as url, ActionClient(f"{url}/x") as client:
            assert [found["n"] for found in client.enumerate()] == [1, 2, 3]
        assert [path for _, path, _ in app.asked] == [
            "/x/actions?status=active&roles=creator_id",
            "/x/actions?marker=2",
            "/x/actions?marker=3",
        ]

    @pytest.mark.parametrize("document", [{}, "x", None, [5], [{"n": 1}, []]])
    def test_what_is_no_list_of_actions(self, document: object):
        """An answer that is not a list of objects is not a provider's."""
        with (
            served(answering(answer(document))) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderUnreachable, match="list of actions"),
        ):
            list(client.enumerate())

    @pytest.mark.parametrize("link", ["http://a:b/", "/actions", "?"])
    def test_a_link_that_leads_nowhere(self, link: str):
        """A next page that is no URL, or the page itself, does not keep the client busy."""
        app = answering(answer([], Link=f'<{link}>; rel="next"'))
        with (
            served(app) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderUnreachable, match="next page"),
        ):
            list(client.enumerate())
        assert len(app.asked) <= 2


@pytest.mark.usefixtures("no_backoff")
class TestRetries:
    def test_a_lost_answer_starts_nothing_twice(self, site: Flask, token: str):
        """A run whose answer was lost is asked again with the same request_id."""
        with hanging_up(2, site) as url, ActionClient(f"{url}/apt", token) as client:
            action = client.run({"utc_offset": 1})
            assert [found["action_id"] for found in client.enumerate()] == [action["action_id"]]

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_passing_troubles_are_tried_again(self, status: int):
        """A gateway's error is passed over, every time with the same request."""
        app = answering(answer({}, status), answer({}, status), answer({"ok": True}))
        with served(app) as url, ActionClient(url) as client:
            assert client.run({"n": 1}) == {"ok": True}
        assert len(app.asked) == 3
        assert len(set(app.asked)) == 1
        assert uuid.UUID(json.loads(app.asked[0][2])["request_id"]).version == 4

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_lasting_troubles_are_told(self, status: int):
        """After four attempts the last answer is the error."""
        app = answering(answer({"code": "Busy", "description": "later"}, status))
        with (
            served(app) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderError, match=f"{status} Busy: later"),
        ):
            client.status("a")
        assert len(app.asked) == 4

    @pytest.mark.parametrize("status", [302, 400, 401, 404, 409, 429, 500, 501])
    def test_other_answers_are_final(self, status: int):
        """Whatever is no passing trouble is asked once."""
        app = answering(answer({}, status, Location="/elsewhere"))
        with (
            served(app) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderError) as caught,
        ):
            client.introspect()
        assert caught.value.status == status
        assert len(app.asked) == 1

    def test_nobody_there(self):
        """Where nothing listens the provider is unreachable, after four attempts."""
        with (
            ActionClient(f"http://127.0.0.1:{unused_port()}") as client,
            pytest.raises(ProviderUnreachable, match="does not answer"),
        ):
            client.introspect()

    @pytest.mark.parametrize(
        "url",
        ["localhost:1", "ftp://localhost", "nonsense", "", "http://", "http://a:b"],
    )
    def test_what_is_no_url_is_tried_once(self, url: str, monkeypatch: pytest.MonkeyPatch):
        """An address that can never answer is told at once."""
        asked: list[object] = []
        send = httpx2.Client.request
        monkeypatch.setattr(
            httpx2.Client, "request", lambda *a, **k: asked.append(a) or send(*a, **k)
        )
        with ActionClient(url) as client, pytest.raises(ProviderUnreachable):
            client.introspect()
        assert len(asked) == 1


class TestWrongAnswers:
    @pytest.mark.parametrize(
        "response",
        [
            Response("<html>"),
            Response(""),
            Response(b"\xff\xfe"),
            answer([]),
            answer("text"),
            Response("not gzip", headers={"Content-Encoding": "gzip"}),
        ],
        ids=str,
    )
    def test_what_no_provider_answers(self, response: Response):
        """A page, an empty answer or another kind of JSON is not a provider's."""
        with (
            served(answering(response)) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderUnreachable),
        ):
            client.introspect()

    @pytest.mark.parametrize(
        ("response", "message"),
        [
            (Response("<html>gone", 404), "404 NOT FOUND: <html>gone"),
            (answer([1], 400), r"400 BAD REQUEST: \[1\]"),
            (answer({"detail": "problem"}, 413), "413 .*: problem"),
            (answer({"code": 5, "description": None}, 400), "400 5: "),
        ],
    )
    def test_refusals_in_any_form(self, response: Response, message: str):
        """A refusal is understood as far as it can be."""
        with (
            served(answering(response)) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderError, match=message),
        ):
            client.introspect()

    def test_an_answer_without_end(self):
        """It is left at the limit, and not asked for again."""
        app = answering(Response(itertools.repeat(b" " * 1024 * 1024)))
        with (
            served(app) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderUnreachable, match=f"The answer of {url}/ is longer than"),
        ):
            client.introspect()
        assert len(app.asked) == 1

    def test_a_proxy_that_cannot_be_used(self, monkeypatch: pytest.MonkeyPatch):
        """Its variables are named, and trying again would not help."""
        for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        made: list[object] = []
        client_class = httpx2.Client
        monkeypatch.setattr(httpx2, "Client", lambda **o: made.append(o) or client_class(**o))
        with (
            ActionClient("http://far.example") as client,
            pytest.raises(ProviderUnreachable, match="ALL_PROXY of the environment cannot be used"),
        ):
            client.introspect()
        assert len(made) == 1

    def test_redirects_are_not_followed(self):
        """A token goes to the provider it was meant for and nowhere else."""
        elsewhere = answering(answer({}))
        with served(elsewhere) as other:
            app = answering(Response("", 307, {"Location": other}))
            with (
                served(app) as url,
                ActionClient(url, "secret") as client,
                pytest.raises(ProviderError, match="307"),
            ):
                client.run({})
        assert elsewhere.asked == []

    def test_links_do_not_lead_the_token_away(self):
        """A next page is asked of the same provider, whatever host its link names."""
        elsewhere = answering(answer([]))
        with served(elsewhere) as other:
            link = f'<{other}/p/actions?marker=1>; rel="next"'
            app = answering(answer([], Link=link), answer([{"n": 1}]))
            with served(app) as url, ActionClient(f"{url}/p", "secret") as client:
                assert list(client.enumerate()) == [{"n": 1}]
        assert app.asked[1][1] == "/p/actions?marker=1"
        assert elsewhere.asked == []

    @pytest.mark.parametrize("token", ["tökén", "a\nb", "\x00"])
    def test_a_token_that_cannot_be_sent(self, token: str):
        """What is no token is the caller's mistake, and nothing is asked; it is not shown."""
        app = answering(answer({}))
        with served(app) as url, pytest.raises(ValueError) as caught:
            ActionClient(url, token)
        assert token not in str(caught.value)
        assert app.asked == []


class TestLog:
    def test_every_entry_of_every_page(self):
        """The pages of a log follow one another by their markers."""
        first = {"entries": [{"code": "A"}, {"code": "B"}], "has_next_page": True, "marker": "2"}
        second = {"entries": [{"code": "C"}], "has_next_page": False, "marker": None}
        app = answering(answer(first), answer(second))
        with served(app) as url, ActionClient(url) as client:
            codes = [entry["code"] for entry in client.log_entries("a", code="x")]
        assert codes == ["A", "B", "C"]
        assert [path for _, path, _ in app.asked] == [
            "/a/log?limit=1000&code=x",
            "/a/log?limit=1000&code=x&marker=2",
        ]

    def test_a_marker_that_leads_nowhere(self):
        """A page that names itself as the next one is the last."""
        page = {"entries": [{"code": "A"}], "has_next_page": True, "marker": "2"}
        with served(answering(answer(page))) as url, ActionClient(url) as client:
            assert len(list(client.log_entries("a"))) == 2

    @pytest.mark.parametrize("entries", [None, "text", ["text"]])
    def test_what_is_no_log(self, entries: object):
        """An answer that is no page of a log is told as such."""
        with (
            served(answering(answer({"entries": entries}))) as url,
            ActionClient(url) as client,
            pytest.raises(ProviderUnreachable, match="did not answer with a log"),
        ):
            list(client.log_entries("a"))


class TestWait:
    def served_states(self, *states: str):
        return served(
            answering(*(answer({"action_id": "a", "status": s, "details": "d"}) for s in states))
        )

    def test_until_it_ends(self):
        """Every state is reported until the action has ended."""
        seen: list[str] = []
        pauses: list[float] = []
        states = ["ACTIVE"] * 8 + ["SUCCEEDED"]
        with self.served_states(*states) as url, ActionClient(url, sleep=pauses.append) as client:
            found = client.wait("a", on_progress=lambda status: seen.append(status["status"]))
        assert found["status"] == "SUCCEEDED"
        assert seen == states
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]

    def test_a_failure_is_raised(self):
        """An action that failed is an ActionFailed with the action's last state."""
        with (
            self.served_states("FAILED") as url,
            ActionClient(url) as client,
            pytest.raises(ActionFailed, match="Action a failed: d") as caught,
        ):
            client.wait("a")
        assert caught.value.status["status"] == "FAILED"

    def test_an_action_that_waits_for_somebody_is_told(self):
        """An INACTIVE action is not waited for, because nothing would happen."""
        with (
            self.served_states("ACTIVE", "INACTIVE") as url,
            ActionClient(url, sleep=lambda _: None) as client,
            pytest.raises(ActionInactive, match="Action a waits: d") as caught,
        ):
            client.wait("a")
        assert caught.value.status["status"] == "INACTIVE"

    def test_providers_are_asked_to_hold_their_answer(self):
        """What the provider can wait for need not be asked again and again (RFC 7240)."""
        app = answering(answer({"action_id": "a", "status": "SUCCEEDED"}))
        with served(app) as url, ActionClient(url) as client:
            client.wait("a")
            client.wait("a", on_progress=lambda _status: None)
            client.wait("a", timeout_seconds=3.5)
            client.status("a")
        asked = app.preferred
        assert asked == ["wait=10", "wait=1", "wait=3", None]

    def test_patience_has_an_end(self):
        """An action that does not end in time is a TimeoutError."""
        with (
            self.served_states("ACTIVE") as url,
            ActionClient(url) as client,
            pytest.raises(TimeoutError, match="Action a is still ACTIVE"),
        ):
            client.wait("a", timeout_seconds=0)

    def test_time_is_looked_at_after_each_answer(self, monkeypatch: pytest.MonkeyPatch):
        """The last answer within the time counts."""
        times = iter([0.0, 0.5, 1.0, 1.5, 2.5])
        with self.served_states("ACTIVE") as url, ActionClient(url, sleep=lambda _: None) as client:
            monkeypatch.setattr(client_module.time, "monotonic", lambda: next(times, 9.0))
            with pytest.raises(TimeoutError):
                client.wait("a", timeout_seconds=2)


def test_errors_are_one_family():
    """Whatever the client raises about a provider is a LicetError with a stable code."""
    for error, code in (
        (ProviderError(404, "c", "d"), "provider_refused"),
        (ProviderUnreachable("x"), "provider_unreachable"),
        (ActionFailed({}), "action_failed"),
        (ActionInactive({}), "action_inactive"),
    ):
        assert isinstance(error, LicetError)
        assert error.code_name == code
