"""An OpenID provider on loopback whose every answer a test can change."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from joserfc.jwk import ECKey
from tests.unit.actions.serving import served
from tests.unit.authn.made_tokens import KEY, NOW, changed, token
from werkzeug import Request, Response

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/keys"


class Provider:
    """What it publishes, how often it was asked, and how to make it fail.

    `answers` are given instead of its own, by path; while `go_on` is not set it hangs.
    """

    def __init__(self):
        self.issuer = ""
        self.keys = [KEY]
        self.asked = Counter()
        self.is_down = False
        self.delay_seconds = 0.0
        self.go_on = threading.Event()
        self.go_on.set()
        self.metadata = {}
        self.answers = {}
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        request = Request(environ)
        with self._lock:
            self.asked[request.path] += 1
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        self.go_on.wait(30)
        return self._answer(request)(environ, start_response)

    def _answer(self, request):
        if self.is_down:
            return Response("down", 500)
        if (answer := self.answers.get(request.path)) is not None:
            return answer
        if request.path.endswith(DISCOVERY):
            metadata = {"issuer": self.issuer, "jwks_uri": self.issuer.rstrip("/") + JWKS}
            return _json(changed(metadata, self.metadata))
        return _json({"keys": [key.as_dict(private=False) for key in self.keys]})

    @property
    def fetches(self):
        """How often the keys were fetched."""
        return sum(count for path, count in self.asked.items() if path.endswith(JWKS))

    def rotate(self, kid):
        """Have one new key in place of all others."""
        self.keys = [ECKey.generate_key("P-256", {"kid": kid})]

    def token(self, header=None, *, now=NOW, **claims):
        """A token signed with the first key."""
        key = self.keys[0]
        times = {"iat": now, "exp": now + 900}
        head = {"kid": key.kid, **(header or {})}
        return token(head, key, **{"iss": self.issuer, **times, **claims})


def _json(document):
    return Response(json.dumps(document), content_type="application/json")


@contextmanager
def provided() -> Iterator[Provider]:
    """A provider that is served until the end of the block."""
    provider = Provider()
    with served(provider) as url:
        provider.issuer = url
        try:
            yield provider
        finally:
            provider.go_on.set()
