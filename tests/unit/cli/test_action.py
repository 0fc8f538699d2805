"""`licet action`: every operation of a provider, and exit codes that scripts can rely on."""

import json
from pathlib import Path

import pytest
from tests.unit.actions.serving import answer, answering, hanging_up, served, unused_port

from licet.cli import action as action_module
from licet.cli.action import _watch

CLOCK = json.dumps({"utc_offset": 1})


@pytest.fixture
def act(licet, site_url: str, token: str):
    """Runs an operation of the clock provider as the test's own user."""

    def run(operation: str, *words: str, **options: object):
        where = (f"{site_url}/apt", "--token", token)
        return licet("action", operation, *where, *words, **options)

    return run


@pytest.fixture
def action_id(act) -> str:
    return json.loads(act("run", "--body", CLOCK, "--json").stdout)["action_id"]


class TestOperations:
    def test_introspect_needs_no_token(self, licet, site_url: str):
        """A public provider tells what it does to everybody."""
        result = licet("action", "introspect", f"{site_url}/skeleton")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["title"] == "skeleton_action_provider"
        assert result.stdout.count("\n") > 5

    def test_run_with_every_option(self, act):
        """Each option becomes a field of the request."""
        me = "urn:licet:group:team"
        words = ("--label", "x", "--monitor-by", me, "--manage-by", me, "--release-after", "P1D")
        result = act("run", "--body", CLOCK, "--request-id", "r", *words, "--json")
        found = json.loads(result.stdout)
        assert result.stdout.count("\n") == 1
        assert (found["label"], found["release_after"]) == ("x", "P1D")
        assert found["monitor_by"] == found["manage_by"] == [me]

    def test_the_same_request_id(self, act):
        """A run repeated with its request id gives the same action."""
        first, second = (act("run", "--body", CLOCK, "--request-id", "r") for _ in range(2))
        assert first.stdout == second.stdout

    def test_the_token_from_the_environment(self, licet, site_url: str, token: str):
        """A token in LICET_TOKEN is used."""
        result = licet("action", "list", f"{site_url}/apt", env={"LICET_TOKEN": token})
        assert (result.exit_code, result.stdout) == (0, "")

    def test_status_cancel_release(self, act, action_id: str):
        """An action is looked at, ended and forgotten."""
        for operation, status in (
            ("status", "ACTIVE"),
            ("cancel", "FAILED"),
            ("release", "FAILED"),
        ):
            result = act(operation, action_id, "--json")
            assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, status)
        assert act("status", action_id).exit_code == 3

    def test_log(self, act, action_id: str):
        """The log is a line an entry, of text or of JSON."""
        act("cancel", action_id)
        assert [line.split("  ")[1] for line in act("log", action_id).stdout.splitlines()] == [
            "STARTED",
            "CANCELLED",
        ]
        lines = act("log", action_id, "--limit", "1", "--reverse", "--json").stdout.splitlines()
        assert [json.loads(line)["code"] for line in lines] == ["CANCELLED"]

    @pytest.mark.parametrize(
        ("words", "codes"),
        [
            (("--code", "STARTED"), ["STARTED"]),
            (("--since", "2000-01-01T00:00:00Z"), ["STARTED", "CANCELLED"]),
            (("--until", "2000-01-01T00:00:00Z"), []),
            (("--since", "2100-01-01"), []),
        ],
    )
    def test_some_of_a_log(self, act, action_id: str, words, codes):
        """By time and by code."""
        act("cancel", action_id)
        lines = act("log", action_id, "--json", *words).stdout.splitlines()
        assert [json.loads(line)["code"] for line in lines] == codes

    def test_wait(self, act, licet, site_url: str, token: str, action_id: str):
        """It ends when the action has; with --timeout, it gives up."""
        result = act("wait", action_id, "--timeout", "0.1")
        assert (result.exit_code, result.stdout) == (4, "")
        assert "is still ACTIVE" in result.stderr
        where = (f"{site_url}/skeleton", "--token", token)
        body = json.dumps({"input_string": "hey"})
        done = json.loads(licet("action", "run", *where, "--body", body).stdout)
        result = licet("action", "wait", *where, done["action_id"], "--json")
        assert json.loads(result.stdout) == done

    @pytest.mark.parametrize("option", ["--scope", "--action-scope"])
    def test_a_scope_is_for_the_token_of_a_sign_in(self, act, action_id: str, option: str):
        """A token that is given is what it is."""
        assert act("status", action_id, option, "anything").exit_code == 0

    def test_list(self, act, action_id: str):
        """One's actions are listed, a line each."""
        other = json.loads(act("run", "--body", CLOCK, "--label", "two").stdout)["action_id"]
        lines = act("list").stdout.splitlines()
        assert [line.split()[0] for line in lines] == [other, action_id]
        assert lines[0].endswith("two")
        limited = act("list", "--limit", "1", "--json").stdout.splitlines()
        assert [json.loads(line)["action_id"] for line in limited] == [other]
        assert act("list", "--status", "succeeded", "--roles", "monitor_by").stdout == ""


class TestExitCodes:
    def test_1_when_the_action_failed(self, act, action_id: str):
        """Waiting for an action that failed shows it and ends with 1."""
        act("cancel", action_id)
        result = act("status", action_id, "--watch", "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["status"] == "FAILED"
        assert result.stderr.startswith(f"licet: Action {action_id} failed")

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "[]",
            "5",
            "NaN",
            '{"a": NaN}',
            '{"a": 1e999}',
            '{"a": "\\ud800"}',
            "[" * 100_000,
        ],
        ids=lambda body: body[:9],
    )
    def test_2_when_the_body_is_none(self, act, body: str):
        """A body that is no JSON object is wrong usage, and nothing is sent."""
        result = act("run", "--body", body)
        assert result.exit_code == 2
        assert "--body" in result.stderr
        assert "Traceback" not in result.output

    @pytest.mark.parametrize("name", ["missing.json", ".", "latin1.json"])
    def test_2_when_the_file_is_none(self, act, tmp_path: Path, name: str):
        """A file that cannot be read as JSON is wrong usage."""
        (tmp_path / "latin1.json").write_bytes(b'{"a": "\xe9"}')
        result = act("run", "--body", f"@{tmp_path / name}")
        assert result.exit_code == 2
        assert "cannot be read" in result.stderr or "Invalid JSON" in result.stderr

    @pytest.mark.parametrize("words", [(), ("--body",), ("--label", "x")])
    def test_2_when_words_are_missing(self, act, words):
        """A run without a body is wrong usage."""
        assert act("run", *words).exit_code == 2

    @pytest.mark.parametrize("limit", ["0", "100001", "x"])
    def test_2_when_a_number_is_none(self, act, limit: str):
        """A limit out of range is wrong usage."""
        assert act("log", "a", "--limit", limit).exit_code == 2

    def test_2_when_it_cannot_be_sent(self, act):
        """Words that are not Unicode cannot be sent, which is no traceback."""
        result = act("run", "--body", CLOCK, "--label", "\udcff")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("licet: ")

    def test_2_when_the_token_is_none(self, licet, site_url: str):
        """What is no token is told without showing it."""
        result = licet("action", "list", f"{site_url}/apt", "--token", "tökén")
        assert result.exit_code == 2
        assert "tökén" not in result.output

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("status", "unknown"), "404 ActionNotFound"),
            (("run", "--body", '{"utc_offset": 99}'), "422 RequestValidationError"),
            (("run", "--body", CLOCK, "--deadline", "soon"), "422 RequestValidationError"),
            (("resume", "unknown"), "501"),
        ],
    )
    def test_3_when_refused(self, act, words, told: str):
        """A refusal is one line with the provider's reason."""
        result = act(*words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.startswith(f"licet: {told}")

    def test_3_when_it_waits_for_somebody(self, licet):
        """An action that is waited for and is INACTIVE is shown, and what it waits for is told."""
        state = {"action_id": "a", "status": "INACTIVE", "details": {"code": "ConsentRequired"}}
        with served(answering(answer(state))) as url:
            result = licet("action", "wait", url, "a", "--token", "t")
        assert result.exit_code == 3
        assert json.loads(result.stdout) == state
        assert "Action a waits: {'code': 'ConsentRequired'}" in result.stderr

    def test_3_without_a_token(self, licet, site_url: str):
        """Who is not signed in is refused."""
        result = licet("action", "list", f"{site_url}/apt")
        assert result.exit_code == 3
        assert "401 UnauthorizedRequest" in result.stderr

    @pytest.mark.usefixtures("no_backoff")
    def test_4_when_nobody_answers(self, licet):
        """Where nothing listens the provider is unreachable, in one line."""
        result = licet("action", "introspect", f"http://127.0.0.1:{unused_port()}")
        assert (result.exit_code, result.stdout) == (4, "")
        assert result.stderr.count("\n") == 1

    @pytest.mark.usefixtures("no_backoff")
    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_4_when_it_is_down(self, licet, status: int):
        """A gateway's error means that the provider cannot be reached."""
        with served(answering(answer({}, status))) as url:
            assert licet("action", "introspect", url).exit_code == 4

    @pytest.mark.parametrize("url", ["nonsense", "localhost:1", ""])
    def test_4_when_it_is_no_url(self, licet, url: str):
        """An address that can never answer is told at once."""
        assert licet("action", "introspect", url).exit_code == 4

    def test_4_when_it_is_no_provider(self, licet, site_url: str):
        """Whatever does not answer as a provider does counts as unreachable."""
        with served(answering(answer(["x"]))) as url:
            for words in (("introspect", url), ("list", url), ("log", url, "a")):
                result = licet("action", *words)
                assert result.exit_code == 4, words
                assert result.stderr.startswith("licet: ")

    def test_4_when_an_action_lacks_its_members(self, licet):
        """A list of something else, or a run without an id, is no traceback."""
        with served(answering(answer([{}]))) as url:
            assert licet("action", "list", url).exit_code == 4
        with served(answering(answer({"entries": [5]}))) as url:
            assert licet("action", "run", url, "--body", "{}", "--watch").exit_code == 4
            assert licet("action", "log", url, "a").exit_code == 4


@pytest.mark.usefixtures("no_backoff")
def test_retries_are_not_shown(licet, site, token: str, caplog: pytest.LogCaptureFixture):
    """Standard error stays empty when a second attempt succeeds."""
    with hanging_up(2, site) as url:
        result = licet("action", "list", f"{url}/apt", "--token", token)
    assert (result.exit_code, result.stderr) == (0, "")
    assert not [record for record in caplog.records if "stamina" in record.name]


def test_a_body_from_a_file(act, tmp_path: Path):
    """A body may stand in a file, named after an @."""
    (tmp_path / "body.json").write_text(CLOCK)
    assert act("run", "--body", f"@{tmp_path / 'body.json'}").exit_code == 0


class TestWatch:
    def test_a_run_that_is_done_at_once(self, licet, site_url: str, token: str):
        """With --watch the last state is shown, and nothing else on standard output."""
        body = json.dumps({"input_string": "hey"})
        where = (f"{site_url}/skeleton", "--token", token)
        result = licet("action", "run", *where, "--body", body, "--watch", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["details"] == {"you_said": "hey"}
        assert result.stderr == ""

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ({"status": "ACTIVE"}, {"description": "ACTIVE"}),
            ({"status": "ACTIVE", "display_status": "Half"}, {"description": "Half"}),
            ({"status": "ACTIVE", "details": "text"}, {"description": "ACTIVE"}),
            ({"status": "ACTIVE", "details": {"progress": "x"}}, {"description": "ACTIVE"}),
            (
                {"status": "ACTIVE", "details": {"progress": 0.5}},
                {"description": "ACTIVE", "total": 1.0, "completed": 0.5},
            ),
        ],
    )
    def test_progress_is_shown(self, monkeypatch: pytest.MonkeyPatch, found, expected):
        """The bar shows the display status, and a fraction when the details tell one."""
        shown: list[dict[str, object]] = []
        monkeypatch.setenv("FORCE_COLOR", "1")  # which makes any output a terminal
        monkeypatch.setattr(
            "rich.progress.Progress.update", lambda _self, _task, **fields: shown.append(fields)
        )

        class Client:
            def wait(self, action_id: str, *, on_progress):
                on_progress(found)
                return found

        assert _watch(Client(), "a") == found
        assert shown == [expected]


def test_nothing_from_elsewhere_reaches_the_terminal_as_a_command():
    """Escape sequences in a remote text are shown as replacement characters."""
    assert action_module.printable("a\x1b[2Jb\nc é") == "a\ufffd[2Jb\ufffdc é"


@pytest.mark.parametrize("shown", ["see [/dev/null]", "[bold]", "\x1b[2J"])
def test_watching_takes_any_text_of_a_provider(monkeypatch: pytest.MonkeyPatch, shown: str):
    """A display status is text, neither markup nor commands."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # which makes any output a terminal
    client = type("Client", (), {})()
    client.wait = lambda _id, on_progress: on_progress({"display_status": shown}) or {"ok": True}
    assert _watch(client, "id") == {"ok": True}


@pytest.mark.parametrize("is_terminal", [True, False])
def test_ctrl_c_while_watching_tells_that_the_action_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
):
    """The id is told, so that watching can go on later, and the exit code is a shell's own."""
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")

    def wait(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    client = type("Client", (), {"wait": wait})()
    with pytest.raises(SystemExit) as stopped:
        _watch(client, "the-id")
    assert stopped.value.code == 130
    assert "action the-id goes on" in capsys.readouterr().err
