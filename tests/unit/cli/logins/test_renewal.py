"""Sign-ins that end while they are used."""

import pytest
from tests.unit.actions.serving import answer, served
from tests.unit.cli.logins.test_file import a_login
from tests.unit.cli.test_login import answering_json

from licet.cli.logins.code_flow import target_of
from licet.cli.logins.errors import LoginEnded, LoginRefused
from licet.cli.logins.file import Kind, LoginsFile
from licet.cli.logins.renewal import KeptToken, revoke


def test_signing_out_while_a_command_runs(tmp_path):
    """The command that goes on is told so."""
    logins, document, now = LoginsFile(tmp_path), {}, [0.0]
    with served(answering_json(document, answer({}, 500))) as url:
        document |= {"resource": url, "authorization_servers": ["https://a.example"]}
        login = a_login(resource=url)
        with logins.exclusive():
            logins.put(login)
        token = KeptToken(url, logins, clock=lambda: now[0])
        assert token() == token() == "the-access-token"
        with logins.exclusive():
            logins.remove(login.key)
        now[0] = 2.0
        with pytest.raises(LoginEnded, match="You signed out meanwhile"):
            token()


def test_a_sign_in_that_lacks_a_scope(tmp_path):
    """What was not granted is named, and how to have it."""
    logins, document = LoginsFile(tmp_path), {}
    with served(answering_json(document)) as url:
        document |= {"resource": url, "authorization_servers": ["https://a.example"]}
        login = a_login(resource=url, scope="read")
        with logins.exclusive():
            logins.put(login)
        assert KeptToken(url, logins, scopes=["read"], clock=lambda: 0.0)() == "the-access-token"
        told = "was not granted run. Sign in again: licet login .* --scope read --scope run$"
        with pytest.raises(LoginRefused, match=told):
            KeptToken(url, logins, scopes=["read", "run"])()


def test_an_issuer_that_cannot_revoke():
    """Nothing is asked of it."""
    assert not revoke(a_login(kind=Kind.OPENID, client_id="cli"))


def test_what_a_token_is_for():
    """By its address, or by the name that its issuer knows it by."""
    assert target_of("https://a.example", None) == {"resource": "https://a.example"}
    assert target_of("https://a.example", "name") == {"audience": "name"}
