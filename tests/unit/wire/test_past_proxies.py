"""Every way in which licet sends a request to this machine, while a proxy is named."""

import json
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.unit.actions.serving import answer, answering, served
from tests.unit.authn.made_tokens import AUDIENCE
from tests.unit.authn.provider import provided
from tests.unit.authn.sign_in.foreign import config_of, signing_in
from tests.unit.cli.logins.test_file import a_login
from tests.unit.cli.signing_in import service, sign_in
from werkzeug import Response

from licet.actions.client import ActionClient
from licet.authn import IntrospectionVerifier, JWTVerifier
from licet.authn.sign_in.code_flow import Challenge, CodeFlow
from licet.authn.tokens.provider_metadata import discover
from licet.cli.logins import code_flow as cli_code_flow
from licet.cli.logins.file import Kind
from licet.cli.logins.renewal import revoke
from licet.settings import Settings
from licet.wire.client import make_client


def test_discovery_and_keys(proxy):
    """What a provider publishes is fetched from it, and from nobody between."""
    with provided() as provider:
        verifier = JWTVerifier(issuer=provider.issuer, audience=AUDIENCE, algorithms=["ES256"])
        token = provider.token(now=int(time.time()))
        assert discover(provider.issuer).issuer == provider.issuer
        assert verifier.verify(token).issuer == provider.issuer
    assert proxy.seen == []


def test_introspection(proxy):
    """The client secret and the token are for the issuer alone."""
    app = answering(answer({"active": True, "sub": "ann", "aud": "us"}))
    with served(app) as url:
        verifier = IntrospectionVerifier(
            f"{url}/introspect", "me", "hidden", issuer=url, audience="us"
        )
        assert verifier.verify("opaque").subject == "ann"
    assert len(app.asked) == 1
    assert proxy.seen == []


def test_signing_in_with_a_browser(proxy, tmp_path):
    """Authlib's client sends the code and the secret of the app."""
    with signing_in() as provider:
        (settings,) = Settings.read({}, tmp_path, config_of(provider)).providers
        keys = JWTVerifier(issuer=provider.issuer, audience="x", algorithms=["ES256"]).keys
        flow = CodeFlow(settings, redirect_uri="http://localhost/callback", keys=keys)
        challenge = Challenge("secret", "state")
        provider.nonce = dict(parse_qsl(urlsplit(flow.begin(challenge)).query))["nonce"]
        assert flow.finish({"code": "c"}, challenge).subject == "ann"
        assert len(provider.sent) == 1
    assert proxy.seen == []


def test_signing_in_from_the_command_line(proxy):
    """The code is redeemed at the provider; the browser's redirect is to this machine, too."""
    with provided() as provider:
        provider.metadata = {
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "id_token_signing_alg_values_supported": ["ES256"],
        }

        def show(url):
            asked = dict(parse_qsl(urlsplit(url).query))
            claims = {"nonce": asked["nonce"], "aud": asked["client_id"], "sub": "ann"}
            id_token = provider.token({"typ": "JWT"}, now=int(time.time()), **claims)
            grant = {"access_token": "a", "token_type": "Bearer", "id_token": id_token}
            provider.answers["/token"] = Response(json.dumps(grant))
            with make_client(timeout_seconds=5) as browser:
                told = {"state": asked["state"], "code": "c"}
                assert browser.get(asked["redirect_uri"], params=told).status_code == 200

        found = cli_code_flow.CodeFlow(
            metadata=discover(provider.issuer),
            client_id="cli",
            scopes=["read"],
            resource="https://service.example",
            audience=None,
            show=show,
            wait_seconds=10,
        ).run()
    assert found.who == "ann"
    assert proxy.seen == []


def test_a_sign_in_with_a_password(proxy, licet, tmp_path):
    """``licet login``, an action with its token, its renewal, and ``licet logout``."""
    with service(tmp_path / "service") as at:
        assert sign_in(licet, at.url, "--scope", "x").exit_code == 2  # no such scope: it was asked
        assert sign_in(licet, at.url).exit_code == 0
        path = tmp_path / "config" / "licet" / "logins.json"
        kept = json.loads(path.read_text())
        kept["logins"][0]["renew_at"] = 0.0
        path.write_text(json.dumps(kept))
        assert licet("action", "introspect", f"{at.url}/apt").exit_code == 0
        assert licet("logout").exit_code == 0
        assert {"/auth/session", "/auth/refresh", "/auth/logout", "/apt/"} <= set(at.paths())
    assert proxy.seen == []


def test_revocation_at_a_provider(proxy):
    """The refresh token is for its issuer alone."""
    app = answering(answer({}))
    with served(app) as url:
        login = a_login(kind=Kind.OPENID, client_id="cli", revocation_endpoint=f"{url}/revoke")
        assert revoke(login)
    assert len(app.asked) == 1
    assert proxy.seen == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "0.0.0.0"])
def test_the_client_of_action_providers(proxy, host):
    """A bearer token goes to the provider, however this machine is spelt."""
    app = answering(answer({"title": "x"}))
    with served(app) as url, ActionClient(url.replace("127.0.0.1", host), "hidden") as client:
        assert client.introspect() == {"title": "x"}
    assert proxy.seen == []
