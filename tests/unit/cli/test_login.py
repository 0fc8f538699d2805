"""`licet login`, `logout` and `whoami` at a service with accounts of its own."""

import os
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.unit.actions.serving import answer, answering, served, unused_port
from tests.unit.authn.accounts.people import EMAIL, PASSWORD
from tests.unit.cli.signing_in import SCOPE, logins, service, sign_in

from licet.authn.accounts.credentials import set_blocked
from licet.authn.accounts.flask import accounts_of
from licet.cli.logins.services import WELL_KNOWN


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def at(tmp_path: Path):
    """The service where Ann has an account."""
    with service(tmp_path / "service") as found:
        yield found


def token_of(config: Path) -> str:
    return logins(config)[0]["access_token"]


def expire(config: Path) -> None:
    """Let the kept access token be about to end."""
    path = config / "licet" / "logins.json"
    found = path.read_text()
    path.write_text(
        found.replace(f'"renew_at": {logins(config)[0]["renew_at"]}', '"renew_at": 0.0')
    )
    assert logins(config)[0]["renew_at"] == 0


class TestSigningIn:
    def test_with_the_password(self, licet, at, config: Path):
        """Ann is told where she is signed in; the file is hers alone, and holds no password."""
        result = sign_in(licet, at.url, "--scope", SCOPE)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"Signed in as {EMAIL} at {at.url} for {at.url}\n"
        path = config / "licet" / "logins.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert PASSWORD not in path.read_text()
        assert [one.name for one in sorted(path.parent.iterdir())] == ["logins.json", "logins.lock"]

    def test_the_answers_are_asked_for(self, licet, at):
        """Without options the terminal is asked, and the password is not shown."""
        result = licet("login", at.url, input=f"{EMAIL}\n{PASSWORD}\n")
        assert result.exit_code == 0
        assert PASSWORD not in result.output

    def test_the_issuer_of_the_environment(self, licet, at):
        """Unsaid, the issuer is that of LICET_ISSUER."""
        words = ("login", "--email", EMAIL, "--password-stdin")
        result = licet(*words, input=f"{PASSWORD}\n", env={"LICET_ISSUER": at.url})
        assert result.exit_code == 0

    def test_the_issuer_of_the_service(self, licet, at, config: Path):
        """Unsaid, the issuer is the one that the service names; any address of it will do."""
        words = ("login", "--resource", f"{at.url}/apt", "--email", EMAIL, "--password-stdin")
        assert licet(*words, input=f"{PASSWORD}\n").exit_code == 0
        assert logins(config)[0]["resource"] == at.url

    def test_a_wrong_password_is_refused(self, licet, at, config: Path):
        """The end is 3, nothing is kept, and the password is not told."""
        result = sign_in(licet, at.url, password="wrong horse")
        assert (result.exit_code, result.stdout) == (3, "")
        assert "not right" in result.stderr
        assert "wrong horse" not in result.output
        assert logins(config) == []

    @pytest.mark.parametrize(
        ("words", "told"),
        [(("--scope", "none such"), "scope"), (("--email", "ann"), "email")],
    )
    def test_what_nobody_can_have_is_wrong_usage(self, licet, at, words, told):
        """A scope or an address that cannot be ends with 2."""
        result = sign_in(licet, at.url, *words)
        assert result.exit_code == 2
        assert told in result.stderr

    @pytest.mark.parametrize("resource", [(), ("--resource",)])
    def test_a_service_without_accounts(self, licet, tmp_path: Path, resource):
        """A service that only makes tokens is told as such, with what to do instead."""
        with service(tmp_path / "service", LICET_ACCOUNTS=False) as found:
            words = (*resource, found.url) if resource else ()
            result = licet("login", found.url, *words)
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr == (
            f"licet: {found.url} lets nobody sign in: it has no accounts and no page to sign in "
            "at. If it is a service made with licet, set LICET_ACCOUNTS=true there, or use a token "
            "in place of a sign-in: LICET_TOKEN=$(licet --app MODULE:NAME token USER "
            "--all-scopes).\n"
        )

    def test_a_password_from_a_pipe_needs_an_address(self, licet, at):
        """Standard input is read for one thing only."""
        result = licet("login", at.url, "--password-stdin", input=f"{PASSWORD}\n")
        assert (result.exit_code, result.stderr) == (
            2,
            "licet: Give --email with --password-stdin.\n",
        )

    def test_no_password_is_read_where_it_would_show(self, licet, at):
        """Where no terminal can hide it, nothing is read."""
        command = [Path(sys.executable).with_name("licet"), "login", at.url, "--email", EMAIL]
        process = subprocess.run(
            command,
            check=False,
            input=f"{PASSWORD}\n",
            capture_output=True,
            start_new_session=True,  # which has no terminal
            text=True,
            timeout=60,
        )
        assert process.returncode == 2
        assert process.stderr.endswith("There is no terminal to ask at: use --password-stdin.\n")

    def test_the_next_sign_in_ends_the_one_before(self, licet, at, config: Path):
        """There is one sign-in for a service, and no session is left behind."""
        sign_in(licet, at.url)
        before = token_of(config)
        sign_in(licet, at.url)
        assert len(logins(config)) == 1
        headers = {"Authorization": f"Bearer {before}"}
        assert at.app.test_client().get("/auth/session", headers=headers).status_code == 401

    def test_the_next_sign_in_stands_though_the_one_before_cannot_end(self, licet, at, config):
        """A session that is gone already, or whose issuer will not end it, is no hindrance."""
        sign_in(licet, at.url)
        path = config / "licet" / "logins.json"
        path.write_text(path.read_text().replace("/auth/logout", "/nowhere"))
        assert sign_in(licet, at.url).exit_code == 0


class TestWhoIsAsked:
    def test_nobody_answers(self, licet):
        """Where nothing listens the end is 4."""
        result = sign_in(licet, f"http://127.0.0.1:{unused_port()}")
        assert (result.exit_code, result.stdout) == (4, "")
        assert "does not answer" in result.stderr

    @pytest.mark.parametrize("issuer", ["nonsense", "http://service.example", "ftp://x"])
    def test_no_password_goes_over_plain_http(self, licet, issuer: str):
        """An issuer that is no https URL and not on this machine is wrong usage."""
        assert sign_in(licet, issuer).exit_code == 2

    @pytest.mark.parametrize(
        "url", ["nonsense", "http://service.example", "https://a:b@c", "https://x:port"]
    )
    def test_a_service_needs_https(self, licet, at, url: str):
        """So is a service."""
        result = sign_in(licet, at.url, "--resource", url)
        assert result.exit_code == 2
        assert "a:b" not in result.output

    def test_passwords_stay_with_the_issuer(self, licet):
        """An issuer that wants passwords sent elsewhere is sent none."""
        elsewhere = answering(answer({}))
        with served(elsewhere) as other, ExitStack() as stack:
            metadata = {}
            url = stack.enter_context(served(answering_json(metadata)))
            metadata |= {"issuer": url, "licet_accounts_endpoint": f"{other}/auth"}
            result = sign_in(licet, url)
        assert result.exit_code == 3
        assert elsewhere.asked == []

    def test_a_service_of_another_issuer(self, licet, at, config: Path):
        """A service that does not take the issuer's tokens is told before the password is sent."""
        document = {}
        with served(answering_json(document)) as url:
            document |= {"resource": url, "authorization_servers": ["https://other.example"]}
            result = sign_in(licet, at.url, "--resource", url)
            assert result.exit_code == 3
            assert "does not take tokens" in result.stderr
            assert "/auth/session" not in at.paths()
            document["resource"] = at.url
            result = sign_in(licet, at.url, "--resource", url)
            assert result.exit_code == 3
            assert "metadata of another service" in result.stderr

    @pytest.mark.parametrize("listed", [[], ["https://a.example", "https://b.example"], "x"])
    def test_the_issuer_must_be_named_when_there_are_several(self, licet, listed):
        """So that nobody signs in somewhere by chance."""
        document = {}
        with served(answering_json(document)) as url:
            document |= {"resource": url, "authorization_servers": listed}
            result = licet("login", "--resource", url)
        assert result.exit_code == 2
        assert "Name the issuer" in result.stderr

    def test_a_service_that_says_nothing(self, licet, at):
        """Without metadata nobody knows whose tokens it takes."""
        with served(answering(answer({}, 404))) as url:
            result = sign_in(licet, at.url, "--resource", url)
        assert result.exit_code == 4
        assert "does not say whose tokens it takes" in result.stderr

    @pytest.mark.parametrize(("status", "code"), [(500, 4), (503, 4), (429, 3), (302, 3), (200, 3)])
    def test_an_issuer_that_errs(self, licet, status: int, code: int):
        """Errors of the other side, redirects and bodies without a token each have their end."""
        metadata = {}
        with served(answering_json(metadata, answer({"error": "\x1b[2J"}, status))) as url:
            metadata |= {"issuer": url, "resource": url, "authorization_servers": [url]}
            metadata["licet_accounts_endpoint"] = f"{url}/auth"
            result = sign_in(licet, url)
        assert result.exit_code == code
        assert "\x1b" not in result.output
        assert PASSWORD not in result.output


def answering_json(document, posted=None):
    """An app that answers this to every GET, as it then is, and that to every POST."""
    from werkzeug import Request

    @Request.application
    def app(request):
        return answer(document) if request.method == "GET" else posted

    return app


class TestActions:
    def test_the_token_is_used(self, licet, at, config: Path):
        """What needs a token has it, from the sign-in."""
        assert licet("action", "list", f"{at.url}/apt").exit_code == 3
        sign_in(licet, at.url, "--scope", SCOPE)
        result = licet("action", "list", f"{at.url}/apt")
        assert (result.exit_code, result.output) == (0, "")
        assert at.tokens() == {token_of(config)}

    @pytest.mark.parametrize("given", ["option", "environment"])
    def test_a_given_token_goes_first(self, licet, at, given: str):
        """A token that was given is the one that is sent; an empty one means none."""
        sign_in(licet, at.url, "--scope", SCOPE)
        url = f"{at.url}/apt"
        if given == "option":
            assert licet("action", "list", url, "--token", "x").exit_code == 3
            assert licet("action", "list", url, "--token", "").exit_code == 3
        else:
            assert licet("action", "list", url, env={"LICET_TOKEN": "x"}).exit_code == 3
            assert licet("action", "list", url, env={"LICET_TOKEN": ""}).exit_code == 0

    def test_another_service_is_sent_nothing(self, licet, at, config: Path):
        """Though it says that it takes the issuer's tokens, who did not name it sends it none."""
        sign_in(licet, at.url, "--scope", SCOPE)
        document, asked = {}, []

        def greedy(environ, start_response):
            asked.append(environ.get("HTTP_AUTHORIZATION"))
            return answering_json(document)(environ, start_response)

        with served(greedy) as url:
            document |= {"resource": url, "authorization_servers": [at.url], "title": "x"}
            for where in (url, url.replace("127.0.0.1", "localhost"), url.replace("//", "//a@")):
                licet("action", "introspect", where)
        assert asked
        assert not [sent for sent in asked if sent and sent.startswith("Bearer")]

    def test_a_service_that_left_its_issuer_is_sent_nothing(self, licet, at):
        """What it says of itself is asked each time."""
        document = {}
        with served(answering_json(document)) as url:
            document |= {"resource": url, "authorization_servers": [at.url]}
            assert sign_in(licet, at.url, "--resource", url).exit_code == 0
            document["authorization_servers"] = ["https://other.example"]
            result = licet("action", "introspect", url)
        assert result.exit_code == 3
        assert "any more: none was sent" in result.stderr

    def test_it_is_renewed_quietly(self, licet, at, config: Path):
        """A token that is about to end is replaced by another, and nothing is said."""
        sign_in(licet, at.url, "--scope", SCOPE)
        before = token_of(config)
        expire(config)
        result = licet("action", "list", f"{at.url}/apt")
        assert (result.exit_code, result.output) == (0, "")
        assert token_of(config) != before
        assert at.tokens() == {token_of(config)}
        again = licet("action", "list", f"{at.url}/apt")
        assert (again.exit_code, at.paths().count("/auth/refresh")) == (0, 1)

    def test_a_sign_in_that_was_ended_elsewhere(self, licet, at, config: Path):
        """It is told how to sign in again, and the sign-in is forgotten."""
        sign_in(licet, at.url, "--scope", SCOPE)
        set_blocked(accounts_of(at.app), EMAIL, blocked=True)
        expire(config)
        result = licet("action", "list", f"{at.url}/apt")
        assert result.exit_code == 3
        assert f"Sign in again: licet login {at.url}" in result.stderr
        assert logins(config) == []

    def test_an_issuer_that_is_away_costs_no_sign_in(self, licet, at, config: Path):
        """The refresh token is kept until the issuer answers."""
        sign_in(licet, at.url, "--scope", SCOPE)
        expire(config)
        path = config / "licet" / "logins.json"
        kept = path.read_text()
        path.write_text(kept.replace(f"{at.url}/auth/refresh", f"http://127.0.0.1:{unused_port()}"))
        assert licet("action", "list", f"{at.url}/apt").exit_code == 4
        path.write_text(kept)
        assert licet("action", "list", f"{at.url}/apt").exit_code == 0


def test_no_proxy_hears_what_is_for_this_machine(licet, at, monkeypatch):
    """Plain HTTP is taken for safe here, so neither password nor token goes by way of a proxy."""
    proxy = answering(answer({}, 502))
    with served(proxy) as url:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
        assert sign_in(licet, at.url, "--scope", SCOPE).exit_code == 0
        assert licet("action", "list", f"{at.url}/apt").exit_code == 0
        assert licet("logout").exit_code == 0
    assert proxy.asked == []


def test_many_processes_renew_at_once(licet, at, config: Path):
    """Of three that find the token about to end, one renews it, and the others use what it got."""
    sign_in(licet, at.url, "--scope", SCOPE)
    expire(config)
    everybody = threading.Barrier(3)
    at.before[WELL_KNOWN] = lambda: everybody.wait(timeout=100)
    command = [Path(sys.executable).with_name("licet"), "action", "list", f"{at.url}/apt"]
    environ = {**os.environ, "XDG_CONFIG_HOME": str(config)}
    running = [
        subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert ended == [("", 0)] * 3
    assert at.paths().count("/auth/refresh") == 1
    assert at.tokens() == {token_of(config)}


class TestSigningOut:
    def test_the_session_ends(self, licet, at, config: Path):
        """Access and refresh token are withdrawn at the issuer, and forgotten here."""
        sign_in(licet, at.url)
        headers = {"Authorization": f"Bearer {token_of(config)}"}
        refresh = {"refresh_token": logins(config)[0]["refresh_token"]}
        result = licet("logout")
        assert (result.exit_code, result.stdout) == (0, f"Signed out at {at.url}\n")
        client = at.app.test_client()
        assert client.get("/auth/session", headers=headers).status_code == 401
        assert client.post("/auth/refresh", json=refresh).status_code == 401
        assert logins(config) == []
        again = licet("logout")
        assert (again.exit_code, again.stderr) == (2, "licet: You are not signed in.\n")

    def test_an_issuer_that_is_away(self, licet, tmp_path: Path, config: Path):
        """The tokens are forgotten all the same, and it is told that they were not withdrawn."""
        with service(tmp_path / "service") as at:
            sign_in(licet, at.url)
        result = licet("logout", at.url)
        assert result.exit_code == 4
        assert "was not ended there" in result.stderr
        assert logins(config) == []

    def test_of_several_issuers_one_is_named(self, licet, at, tmp_path: Path, config: Path):
        """Two issuers are not signed out at by mistake; `--all` means all."""
        with service(tmp_path / "other") as other:
            for url in (at.url, other.url):
                sign_in(licet, url)
            result = licet("logout")
            assert result.exit_code == 2
            assert "--all" in result.stderr
            assert licet("logout", "https://nowhere.example").exit_code == 2
            assert licet("logout", f"{at.url}/").exit_code == 0
            assert [one["issuer"] for one in logins(config)] == [other.url]
            sign_in(licet, at.url)
            assert licet("logout", "--all").stdout.count("Signed out") == 2


class TestWhoAmI:
    @pytest.mark.parametrize("words", [("whoami",), ("login", "--status")])
    def test_somebody(self, licet, at, config: Path, words):
        """Who, where, for which service, with which scopes; and no token."""
        assert licet(*words).exit_code == 1
        sign_in(licet, at.url, "--scope", SCOPE)
        result = licet(*words)
        assert (result.exit_code, result.stdout) == (
            0,
            f"{EMAIL}  {at.url}  {at.url}  {SCOPE}\n",
        )

    def test_nobody(self, licet):
        """The end is 1, and it is told on standard error."""
        result = licet("whoami")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "licet: You are not signed in.\n"


def test_a_long_watch_has_new_tokens(at, licet, config: Path):
    """Each request asks for the token of that moment."""
    from licet.actions.client import ActionClient
    from licet.cli.logins.file import LoginsFile
    from licet.cli.logins.renewal import KeptToken

    sign_in(licet, at.url, "--scope", SCOPE)
    now = [time.time()]
    url = f"{at.url}/apt"
    token = KeptToken(url, LoginsFile(config / "licet"), clock=lambda: now[0])
    with ActionClient(url, token) as client:
        for _ in range(2):
            assert list(client.enumerate()) == []
            now[0] += 3600
    assert len(at.tokens()) == 2


def test_what_another_renewed_is_used(at, licet, config: Path):
    """Two commands that run at once: the second takes the token that the first has got."""
    from licet.cli.logins.file import LoginsFile
    from licet.cli.logins.renewal import KeptToken

    sign_in(licet, at.url, "--scope", SCOPE)
    now = [time.time()]
    file = LoginsFile(config / "licet")
    one, other = (KeptToken(at.url, file, clock=lambda: now[0]) for _ in range(2))
    first = [one(), other()]
    now[0] += 880
    second = [one(), other()]
    assert first[0] == first[1] != second[0] == second[1]
    assert at.paths().count("/auth/refresh") == 1
