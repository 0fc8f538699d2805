"""A provider that people sign in at, whose every answer a test can change; and their browsers."""

from __future__ import annotations

import html
import json
import re
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.unit.actions.serving import served
from tests.unit.authn.provider import Provider
from werkzeug import Response

PUBLIC_URL = "https://app.example"
CLIENT_ID = "our client"
SECRET = "s%:+cret"
CALLBACK = f"{PUBLIC_URL}/auth/with/oidc/callback"
SESSION = "__Host-licet_session"
ATTEMPT = "__Host-licet_sign_in"


class SignInProvider(Provider):
    """Vouches for Ann, whoever asks; `claims` and `header` change her ID token.

    `sent` holds the form of each request to the token endpoint, and its Authorization header.
    """

    def __init__(self):
        super().__init__()
        self.claims, self.header, self.sent, self.encodings = {}, {}, [], []
        self.token_answer = None
        self.nonce = None

    def _answer(self, request):
        if request.path == "/token" and not self.is_down:
            self.encodings.append(request.headers.get("Accept-Encoding"))
            self.sent.append((request.form.to_dict(), request.headers.get("Authorization")))
            return self.token_answer or Response(
                json.dumps({"access_token": "at", "token_type": "Bearer", "id_token": self.made()}),
                content_type="application/json",
            )
        return super()._answer(request)

    def made(self):
        """The ID token."""
        claims = {"sub": "ann", "aud": CLIENT_ID, "nonce": self.nonce, "scope": ...}
        return self.token(
            {"typ": "JWT", **self.header}, now=int(time.time()), **claims | self.claims
        )


@contextmanager
def signing_in():
    """A provider that is served until the end of the block."""
    provider = SignInProvider()
    with served(provider) as url:
        provider.issuer = url
        provider.metadata = {
            "authorization_endpoint": f"{url}/auth?tenant=1",
            "token_endpoint": f"{url}/token",
        }
        yield provider


def config_of(provider, prefix="LICET_OIDC_", **changes):
    """The settings that make it an app's provider."""
    found = {
        "ISSUER": provider.issuer,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": SECRET,
        "ALGORITHMS": "ES256",
        **changes,
    }
    return {f"{prefix}{name}": value for name, value in found.items() if value is not None}


class Browser:
    """A browser of ours that follows no redirect; `name` is the provider that it goes to."""

    def __init__(self, app, provider, name="oidc"):
        self.client = app.test_client()
        self.provider = provider
        self.name = name

    def get(self, path, **options):
        return self.client.get(path, base_url=PUBLIC_URL, **options)

    def post(self, path, form=None, **options):
        return self.client.post(path, data=form, base_url=PUBLIC_URL, **options)

    def begin(self, **query):
        """Go to the provider; what it is asked."""
        answer = self.get(f"/auth/with/{self.name}", query_string=query)
        assert answer.status_code == 303, answer.text
        asked = {k: v[0] for k, v in parse_qs(urlsplit(answer.location).query).items()}
        self.provider.nonce = asked["nonce"]
        return asked

    def come_back(self, **answer):
        """Come back from the provider with this in the query."""
        return self.get(f"/auth/with/{self.name}/callback", query_string=answer)

    def sign_in(self, **query):
        """There and back again."""
        asked = self.begin(**query)
        return self.come_back(code="the-code", state=asked["state"])

    def cookie(self, name=SESSION):
        found = self.client.get_cookie(name, domain="app.example")
        return None if found is None else found.value

    def who(self):
        """Who is signed in, as JSON tells; None when nobody is."""
        answer = self.get("/auth/session")
        return answer.json if answer.status_code == 200 else None

    def token(self, path="/auth/you"):
        """The CSRF token of a page."""
        return re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)[1]


def problem(answer):
    """What a page says was wrong."""
    found = re.search(r'role="alert">([^<]*)<', answer.text)
    return None if found is None else html.unescape(found[1])
