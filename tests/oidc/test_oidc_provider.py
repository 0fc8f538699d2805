"""A certified OpenID provider on the other side: discovery, rotation and outages."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from tests.oidc.node import RESOURCE, NodeProvider, new_key, require_node

from licet import Licet, public
from licet.authn import JWTVerifier, ProviderKeys, current_identity, use_verifier
from licet.errors import AuthenticationUnavailable, InvalidToken

OLD, NEW = new_key("old"), new_key("new")
FASTER = 300  # the keys' lifespan of 300 s passes in one


@pytest.fixture(autouse=True)
def _node():
    require_node()


@pytest.fixture
def provider() -> Iterator[NodeProvider]:
    found = NodeProvider(OLD).start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def verifier(provider):
    began = time.monotonic()

    def fast() -> float:
        return (time.monotonic() - began) * FASTER

    return JWTVerifier(
        issuer=provider.issuer,
        audience=RESOURCE,
        algorithms={"ES256"},
        keys=ProviderKeys(provider.issuer, clock=fast),
    )


@pytest.fixture
def app(verifier, tmp_path):
    made = Flask(__name__, instance_path=str(tmp_path))
    Licet(made)
    use_verifier(made, verifier)
    made.get("/me")(public(lambda: {"subject": current_identity.subject}))
    return made


def eventually(what, within_seconds=15.0):
    """Wait until it holds."""
    deadline = time.monotonic() + within_seconds
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextmanager
def asking(app, verifier, tokens):
    """Requests with these tokens, one after another in three threads; how often each status came.

    Every token is verified anew each time, so that none is merely remembered.
    """
    statuses: Counter[int] = Counter()
    stopped = threading.Event()

    def ask():
        client = app.test_client()
        while not stopped.is_set():
            for token in list(tokens):
                verifier.forget()
                answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
                statuses[answer.status_code] += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def passes(statuses, more=100):
    """Wait until so many more requests were answered."""
    before = statuses.total()
    eventually(lambda: statuses.total() >= before + more)


def test_a_clients_own_token_is_verified(provider, verifier):
    """Discovery, keys and the token of a client credentials grant fit together."""
    identity = verifier.verify(provider.token(["read", "write"]))
    assert (identity.issuer, identity.subject) == (provider.issuer, "robot")
    assert identity.scopes == {"read", "write"}
    assert identity.claims["aud"] == RESOURCE


def test_a_token_for_another_service_is_refused(provider, verifier):
    """The provider's signature alone opens nothing."""
    with pytest.raises(InvalidToken, match="another service"):
        verifier.verify(provider.token(resource="https://other.example"))


def test_an_opaque_token_is_no_jwt(provider, verifier):
    """What must be introspected cannot be verified."""
    with pytest.raises(InvalidToken):
        verifier.verify(provider.token(resource=f"{RESOURCE}/opaque"))


def test_keys_rotate_while_requests_run(provider, verifier, app):
    """Published before it signs, and withdrawn after its tokens are gone: nobody is refused."""
    tokens = [provider.token()]
    with asking(app, verifier, tokens) as statuses:
        passes(statuses)
        provider.sign_with(OLD, NEW)
        eventually(lambda: "new" in verifier.keys.published())
        provider.sign_with(NEW, OLD)
        tokens.append(provider.token())
        passes(statuses)
        del tokens[0]
        passes(statuses)
        provider.sign_with(NEW)
        eventually(lambda: "old" not in verifier.keys.published())
        passes(statuses)
    assert set(statuses) == {200}


def test_a_key_that_signs_at_once_is_found(provider, verifier):
    """A key that replaces another without notice is fetched when its first tokens come."""
    verifier.verify(provider.token())
    provider.sign_with(NEW)
    token = provider.token()

    def accepted():
        try:
            return verifier.verify(token)
        except InvalidToken:
            return None

    eventually(accepted)


def test_the_provider_restarts_while_requests_run(provider, verifier, app):
    """While it is away for longer than its keys' lifespan, its tokens are good; then new ones."""
    tokens = [provider.token() for _ in range(5)]
    with asking(app, verifier, tokens) as statuses:
        passes(statuses)
        provider.stop()
        stale = verifier.keys._state.fetched_at + 2 * 300
        eventually(lambda: verifier.keys._clock() > stale)
        passes(statuses)
        assert verifier.keys._state.is_failing
        provider._keys = (NEW, OLD)
        provider.start()
        eventually(lambda: "new" in verifier.keys.published())
        tokens.append(provider.token())
        passes(statuses)
    assert set(statuses) == {200}


def test_an_app_that_starts_before_the_provider(provider, verifier, app):
    """Until the provider is there tokens cannot be checked; then they are accepted."""
    token = provider.token()
    provider.stop()
    client = app.test_client()
    answer = client.get("/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    with pytest.raises(AuthenticationUnavailable):
        verifier.verify(token)
    provider.start()

    def status():
        return client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code

    eventually(lambda: status() == 200)
