"""Random requests to the reference site, ten thousand with full counts: nothing may break it.

Every answer is a documented one: never a 5xx but the documented 501, JSON wherever there is a body,
and a challenge with every 401.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.site import create_app
from tests.api.providers import ROUTES as BOTH_SPELLINGS
from tests.counts import count, is_full
from werkzeug.test import TestResponse

from licet.actions import durable_runtime
from licet.actions.interface.flask import provider_scopes
from licet.authn import embedded_issuer

ASKED_PER_EXAMPLE = 6
EXAMPLES = count(quick=90, full=900)
EXPECTED = {200, 202, 401, 404, 405, 422} | ({204, 409, 501} if is_full() else set())
PROVIDERS = ("/skeleton", "/apt", "/letter")
ROUTES = tuple(
    (method, path) for routes in BOTH_SPELLINGS.values() for method, path in routes.values()
)
METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "BREW")
LONG = "x" * 9000
BAD_HEADERS = ("Bearer", "Bearer a.b.c", "Basic YTpi", "bearer  x", "\t", "é", f"Bearer {LONG}")
NASTY = ("", "\x00", "a\x00b", "é", "🐧", "..", "%", "a/b", "\r\n", LONG, "actions", "run", "?")

text = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
scalar = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), text, st.sampled_from([10**400, 1e308])
)
value = st.one_of(
    scalar,
    st.lists(scalar, max_size=3),
    st.dictionaries(text, scalar, max_size=3),
    st.sampled_from([[[[[]]]], {"a": {"a": {}}}]),
)
PRINCIPAL = "urn:globus:auth:identity:11111111-2222-3333-4444-555555555555"
VALID = (
    {"request_id": "r", "body": {"input_string": "hey"}},
    {"request_id": "r", "body": {"utc_offset": 2}},
    {"request_id": "r", "body": {"to": "Ada", "text": "Dear Ada"}},
    {
        "request_id": "s",
        "body": {"input_string": "x"},
        "label": "l",
        "monitor_by": [PRINCIPAL],
        "manage_by": [PRINCIPAL],
        "release_after": "P1D",
        "deadline": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "allowed_clients": ["x"],
    },
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A valid document with some members changed, added or taken away; sometimes other bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.one_of(st.binary(max_size=40), st.just(b"[" * 3000)))
    document: Any = {**draw(st.sampled_from(VALID))}
    document["body"] = dict(document["body"])
    if draw(st.booleans()):
        document["request_id"] = draw(text)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        part = document["body"] if draw(st.booleans()) and document.get("body") else document
        known = draw(st.one_of(st.sampled_from(sorted(VALID[-1])), text))
        if draw(st.booleans()) or not isinstance(part, dict):
            document[known] = draw(value)
        else:
            part[draw(st.sampled_from(["input_string", "utc_offset", "to", known]))] = draw(value)
    if draw(st.integers(0, 9)) == 0:
        document.pop(draw(st.sampled_from(sorted(document))))
    return json.dumps(document).encode()


names = st.sampled_from(
    ["status", "roles", "limit", "marker", "pagination_token", "since", "until", "code", "x"]
)
values = st.one_of(
    text, st.sampled_from(["1", "0", "-1", "9" * 30, "active,FAILED", "manage_by", "2020-01-01"])
)
headers = st.dictionaries(
    st.sampled_from(["Content-Type", "Accept", "Prefer", "If-Match", "Origin", "X-Request-Id"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    max_size=2,
)


@dataclass(frozen=True)
class Asked:
    """One random request."""

    route: tuple[str, str]
    caller: int
    action: int
    action_id: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


asked = st.builds(
    Asked,
    route=st.one_of(
        st.sampled_from(ROUTES),
        st.sampled_from([route for route in ROUTES if route[1] in ("/run", "/actions")]),
        st.tuples(st.sampled_from(METHODS), st.sampled_from(["", *(path for _, path in ROUTES)])),
    ),
    caller=st.integers(0, 11),
    action=st.integers(0, 3),
    action_id=text,
    query=st.dictionaries(names, values, max_size=2),
    headers=headers,
    body=documents(),
)


@dataclass
class Target:
    """The site and its workers, two callers' tokens, the ids that it gave out, its answers."""

    client: FlaskClient
    tokens: list[str]
    ids: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def send(self, provider: str, what: Asked) -> TestResponse:
        known = bool(self.ids) and what.action
        action_id = self.ids[-what.action % len(self.ids)] if known else what.action_id
        authorization = self._authorization(what.caller)
        method, path = what.route
        response = self.client.open(
            provider + path.replace("{id}", quote(action_id)),
            method=method,
            query_string=what.query,
            headers=what.headers | authorization,
            data=what.body,
        )
        self.answers[response.status_code] += 1
        if response.status_code == 202:
            self.ids.append(response.json["action_id"])
        return response

    def _authorization(self, caller: int) -> dict[str, str]:
        if caller == 0:
            return {}
        if caller == 1:
            return {"Authorization": BAD_HEADERS[sum(self.answers.values()) % len(BAD_HEADERS)]}
        return {"Authorization": f"Bearer {self.tokens[caller % 2]}"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    app = create_app({"LICET_INSTANCE_PATH": str(tmp_path_factory.mktemp("fuzz"))})
    issuer = embedded_issuer(app)
    scopes = provider_scopes(app)
    tokens = [issuer.mint(user, scopes, ttl_seconds=3600) for user in ("alice", "bob")]
    found = Target(app.test_client(), tokens)
    yield found
    durable_runtime(app).stop(0)
    total = sum(found.answers.values())
    counts = dict(sorted(found.answers.items()))
    sys.stderr.write(f"\n{total} random requests were sent: {counts}\n")
    assert total >= count(quick=1_000, full=10_000)
    assert set(found.answers) >= EXPECTED


def check(response: TestResponse, what: Asked) -> None:
    """The three rules."""
    status = response.status_code
    assert status < 500 or status == 501, (status, response.text)
    if response.data and not 300 <= status < 400:  # werkzeug's redirects are HTML
        assert what.route[0] != "HEAD"
        assert response.content_type in ("application/json", "application/problem+json")
        assert response.json is not None
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(requests=st.lists(asked, min_size=ASKED_PER_EXAMPLE, max_size=ASKED_PER_EXAMPLE))
def test_no_request_breaks_the_site(target: Target, requests: list[Asked]):
    """Whatever is sent, the answer is a documented one."""
    for what in requests:
        for provider in PROVIDERS:
            check(target.send(provider, what), what)
