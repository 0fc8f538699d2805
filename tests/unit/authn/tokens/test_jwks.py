"""A provider's keys: when they are fetched, how often, and what happens while it is down."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
from joserfc.jwk import ECKey, OctKey
from tests.unit.authn.made_tokens import AUDIENCE, KEY, KID, NOW, Clock, token
from tests.unit.authn.provider import DISCOVERY, JWKS, provided
from werkzeug import Response

from licet import Licet
from licet.authn import JWTVerifier, ProviderKeys, current_identity, use_verifier
from licet.authn.tokens._fetch import JSONFetcher, ProviderUnusable
from licet.authz import public
from licet.errors import AuthenticationUnavailable, ConfigurationError, InvalidToken


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider():
    with provided() as found:
        yield found


@pytest.fixture
def keys(provider, clock):
    return ProviderKeys(provider.issuer, clock=clock)


@pytest.fixture
def verifier(provider, clock):
    return JWTVerifier(issuer=provider.issuer, audience=AUDIENCE, algorithms={"ES256"}, clock=clock)


@contextmanager
def fetching(keys):
    """While another thread fetches, for as long as the block lasts."""
    assert keys._flight.begin(waits=False)
    try:
        yield
    finally:
        keys._flight.end()


def test_tokens_of_a_provider_are_verified(verifier, provider):
    """The keys are found by discovery, once for all tokens."""
    assert verifier.verify(provider.token()).issuer == provider.issuer
    assert verifier.verify(provider.token(sub="somebody")).subject == "somebody"
    assert provider.asked == {DISCOVERY: 1, JWKS: 1}


def test_nothing_is_fetched_before_the_first_token(verifier, provider):
    """Making a verifier asks nobody."""
    assert not provider.asked


def test_a_provider_may_have_a_path(provider, clock):
    """The metadata of an issuer with a path are below that path, with its last slash left out."""
    provider.issuer += "/realms/lab/"
    found = ProviderKeys(provider.issuer, clock=clock)
    assert found.key(KID).kid == KID
    assert "/realms/lab" + DISCOVERY in provider.asked


@pytest.mark.parametrize("claims", [{"iss": "https://x"}, {"aud": "x"}, {"exp": NOW}, {"sub": ""}])
def test_tokens_that_are_not_for_us_cost_no_fetch(verifier, provider, claims):
    """What the claims refuse already needs no key."""
    with pytest.raises(InvalidToken):
        verifier.verify(provider.token(**claims))
    assert not provider.asked


@pytest.mark.parametrize(("later", "fetches"), [(0, 1), (299, 1), (300, 2), (-299, 1), (-300, 2)])
def test_keys_serve_300_seconds(keys, provider, clock, later, fetches):
    """Then they are fetched again; also when the clock was set back."""
    keys.key(KID)
    clock.now += later
    assert keys.key(KID).kid == KID
    assert provider.fetches == fetches


def test_a_thousand_bogus_kids_cost_one_fetch(verifier, provider):
    """However many unknown keys are named, the provider is asked once."""
    for number in range(1000):
        with pytest.raises(InvalidToken, match="unknown key"):
            verifier.verify(provider.token({"kid": f"bogus-{number}"}))
    assert provider.asked == {DISCOVERY: 1, JWKS: 1}


def test_bogus_kids_cost_one_fetch_in_30_seconds(keys, provider, clock):
    """In each half minute at most one unknown key has the keys fetched again."""
    keys.key(KID)
    for second in range(1, 91):
        clock.now = NOW + second
        for number in range(3):
            assert keys.key(f"bogus-{second}-{number}") is None
    assert provider.fetches == 4


def test_a_bogus_kid_is_remembered(keys, provider, clock):
    """The same unknown key again has nothing fetched for a minute after it was found absent."""
    keys.key(KID)
    fetches = []
    for second in (30, 60, 89, 90, 91):
        clock.now = NOW + second
        keys.key("bogus")
        fetches.append(provider.fetches)
    assert fetches == [2, 2, 2, 3, 3]


def test_the_memory_of_bogus_kids_is_bounded(keys, clock, monkeypatch):
    """A forger who makes up new names fills no memory."""
    monkeypatch.setattr("licet.authn.tokens._jwks.PAUSE_SECONDS", 0)
    for number in range(1100):
        keys._remember_absent(f"bogus-{number}")
    assert len(keys._absent) == 1024


def test_an_oversize_kid_costs_nothing(keys, provider, clock):
    """No key has so long a name."""
    keys.key(KID)
    clock.now += 30
    assert keys.key("a" * 257) is None
    assert provider.fetches == 1


def test_50_threads_fetch_once(verifier, provider):
    """The first tokens of 50 callers at once have the keys fetched once, and all are accepted."""
    provider.delay_seconds = 0.1
    start = threading.Barrier(50)

    def first(number):
        start.wait()
        return verifier.verify(provider.token(sub=f"caller-{number}")).subject

    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(first, range(50)))) == 50
    assert provider.asked == {DISCOVERY: 1, JWKS: 1}


def test_50_threads_with_a_new_key_fetch_once(verifier, provider, clock):
    """So do the first tokens of a new key."""
    verifier.verify(provider.token())
    provider.rotate("next")
    provider.delay_seconds = 0.1
    clock.now += 30
    start = threading.Barrier(50)

    def first(number):
        start.wait()
        return verifier.verify(provider.token(sub=f"caller-{number}")).subject

    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(first, range(50)))) == 50
    assert provider.fetches == 2


def test_nobody_waits_for_keys_that_will_do(keys, provider, clock):
    """While one thread fetches anew, the others go on with the keys at hand."""
    keys.key(KID)
    clock.now += 300
    with fetching(keys), ThreadPoolExecutor(1) as pool:
        assert pool.submit(keys.key, KID).result(timeout=10).kid == KID
    assert provider.fetches == 1


def test_rotation(verifier, provider, clock):
    """A new key counts 30 s after the last fetch at the latest, and the old one then no more."""
    old = provider.token()
    verifier.verify(old)
    provider.rotate("next")
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(provider.token())
    clock.now += 30
    assert verifier.verify(provider.token()).subject == "someone"
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(old)


def test_what_is_published_can_be_listed(keys, provider, clock):
    """All keys as they now are, or the answer that none can be had."""
    provider.rotate("new")
    assert list(keys.published()) == ["new"]
    provider.is_down = True
    clock.now += 2 * 24 * 3600
    with pytest.raises(AuthenticationUnavailable):
        keys.published()


def test_a_key_that_is_published_first_counts_from_its_first_token(verifier, provider, clock):
    """A provider that publishes a key before it signs with it has no token refused."""
    following = ECKey.generate_key("P-256", {"kid": "next"})
    provider.keys = [KEY, following]
    verifier.verify(provider.token())
    provider.keys = [following]
    assert verifier.verify(provider.token(sub="other")).subject == "other"
    assert provider.fetches == 1


def test_a_withdrawn_key_is_refused_after_its_lifespan(verifier, provider, clock):
    """What the provider publishes no more counts no more."""
    good = provider.token()
    verifier.verify(good)
    provider.keys = []
    clock.now += 300
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(good)


def test_old_keys_serve_through_an_outage_of_a_day(verifier, provider, clock):
    """While the provider is down its keys stay in use for 24 h, and it is tried every 30 s."""
    verifier.verify(provider.token())
    provider.is_down = True
    tried = []
    for later in (300, 301, 329, 330, 24 * 3600 - 1):
        clock.now = NOW + later
        assert verifier.verify(provider.token(now=clock.now)).subject == "someone"
        tried.append(provider.asked[JWKS] + provider.asked[DISCOVERY] - 2)
    assert tried == [1, 1, 1, 2, 3]
    clock.now = NOW + 24 * 3600
    with pytest.raises(AuthenticationUnavailable):
        verifier.verify(provider.token(now=clock.now))


def test_recovery_after_an_outage(verifier, provider, clock):
    """When the provider is back its new keys count, at the latest 30 s later."""
    verifier.verify(provider.token())
    provider.is_down = True
    clock.now += 300
    verifier.verify(provider.token(sub="other"))
    provider.is_down = False
    provider.rotate("next")
    clock.now += 30
    assert verifier.verify(provider.token()).subject == "someone"


def test_unknown_keys_in_an_outage_are_refused(verifier, provider, clock):
    """With keys at hand an unknown one is a 401, and does not wait for the provider."""
    verifier.verify(provider.token())
    provider.is_down = True
    clock.now += 31
    for number in range(10):
        with pytest.raises(InvalidToken, match="unknown key"):
            verifier.verify(provider.token({"kid": f"bogus-{number}"}))
    assert provider.fetches == 2
    assert not verifier.keys._absent


def test_without_any_keys_nobody_is_refused_or_accepted(verifier, provider, clock):
    """Until there are keys the answer is 503 with Retry-After, and every 5 s there is a try."""
    provider.is_down = True
    good = provider.token()
    tried = []
    for later in (0, 1, 4.9, 5, 9, 10):
        clock.now = NOW + later
        with pytest.raises(AuthenticationUnavailable) as caught:
            verifier.verify(good)
        tried.append(provider.asked[DISCOVERY])
    assert tried == [1, 1, 1, 2, 2, 3]
    assert (caught.value.code, caught.value.extra_headers()) == (503, {"Retry-After": "5"})
    provider.is_down = False
    clock.now += 5
    assert verifier.verify(good).subject == "someone"


def test_an_app_says_when_to_come_back(app, verifier, provider):
    """In an app, tokens that cannot be checked are a 503 with Retry-After; the rest is served."""
    use_verifier(app, verifier)
    Licet(app)
    app.get("/me")(public(lambda: current_identity.subject))
    provider.is_down = True
    client, headers = app.test_client(), {"Authorization": f"Bearer {provider.token()}"}
    answer = client.get("/me", headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert client.get("/me").status_code == 200


def test_nobody_waits_for_a_provider_that_fails(keys, provider, clock):
    """Once it failed, one thread tries and the others are told at once."""
    provider.is_down = True
    with pytest.raises(AuthenticationUnavailable):
        keys.key(KID)
    clock.now += 5
    with (
        fetching(keys),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(AuthenticationUnavailable),
    ):
        pool.submit(keys.key, KID).result(timeout=10)
    assert provider.asked[DISCOVERY] == 1


def test_nobody_waits_long_for_a_provider_that_hangs(keys):
    """Of those who need keys that nobody has, one asks; the others are told after a second."""
    with fetching(keys), ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(keys.key, KID) for _ in range(4)]
        errors = [one.exception(timeout=5) for one in waiting]
        assert {type(error) for error in errors} == {AuthenticationUnavailable}
        began = time.monotonic()
        with pytest.raises(AuthenticationUnavailable):
            keys.key(KID)
        assert time.monotonic() - began < 0.5


def test_metadata_and_keys_have_one_deadline(provider):
    """A provider cannot take 5 s for each of its documents and redirects."""
    monotonic = Clock()
    fetcher = JSONFetcher(monotonic=monotonic)
    deadline = fetcher.deadline()
    url = httpx2.URL(provider.issuer + DISCOVERY)
    assert fetcher.get(url, deadline)
    monotonic.now += 6
    with pytest.raises(ProviderUnusable):
        fetcher.get(url, deadline)


def test_a_provider_that_cannot_be_reached(clock):
    """Nor does an address where nobody listens fail otherwise."""

    def refuse(request):
        raise httpx2.ConnectError("refused")

    keys = ProviderKeys(
        "https://issuer.example", transport=httpx2.MockTransport(refuse), clock=clock
    )
    with pytest.raises(AuthenticationUnavailable):
        keys.key(KID)


def test_an_outage_is_logged_with_its_reason(keys, provider, caplog):
    """The operator reads which document could not be had, once an attempt."""
    provider.is_down = True
    for _ in range(2):
        with pytest.raises(AuthenticationUnavailable):
            keys.key(KID)
    [record] = caplog.records
    assert f"{provider.issuer}{DISCOVERY} answers 500" in record.getMessage()


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": ...},
        {"issuer": "https://issuer.example"},
        {"issuer": None},
        {"jwks_uri": ...},
        {"jwks_uri": None},
        {"jwks_uri": 5},
        {"jwks_uri": ""},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "http://[::1"},
    ],
    ids=str,
)
def test_metadata_that_do_not_fit_are_refused(keys, provider, metadata):
    """The issuer must be equal, and the keys at an address that is safe to ask."""
    provider.metadata = metadata
    with pytest.raises(AuthenticationUnavailable):
        keys.key(KID)
    assert provider.asked == {DISCOVERY: 1}


def test_a_trailing_slash_makes_another_issuer(provider, clock):
    """Issuers are compared as they are written."""
    with pytest.raises(AuthenticationUnavailable):
        ProviderKeys(provider.issuer + "/", clock=clock).key(KID)


def test_keys_of_an_https_issuer_never_come_over_http(clock):
    """Not even from this machine: https is not given up half way."""

    def answer(request):
        return httpx2.Response(
            200, json={"issuer": "https://issuer.example", "jwks_uri": "http://localhost/keys"}
        )

    keys = ProviderKeys(
        "https://issuer.example", transport=httpx2.MockTransport(answer), clock=clock
    )
    with pytest.raises(AuthenticationUnavailable):
        keys.key(KID)


def test_after_a_failure_the_keys_are_discovered_anew(keys, provider, clock):
    """A provider that moved its keys is followed at the next attempt."""
    keys.key(KID)
    provider.metadata = {"jwks_uri": f"{provider.issuer}/moved{JWKS}"}
    provider.answers = {JWKS: Response("gone", 410)}
    clock.now += 300
    assert keys.key(KID).kid == KID
    clock.now += 30
    assert keys.key(KID).kid == KID
    assert provider.asked[f"/moved{JWKS}"] == 1


def test_symmetric_keys_in_a_set_are_ignored(verifier, provider):
    """A provider that publishes a secret has not made it a key."""
    secret = OctKey.import_key("a" * 32, {"kid": "secret"})
    provider.answers[JWKS] = Response(json.dumps({"keys": [secret.as_dict(private=True)]}))
    with pytest.raises(InvalidToken, match="unknown key"):
        verifier.verify(provider.token({"kid": "secret"}))


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"keys": 5}', "<html>", "[" * 10_000, "\xff"])
def test_what_is_no_key_set_is_an_outage(keys, provider, body, clock):
    """A document that is no key set does not replace the keys at hand."""
    keys.key(KID)
    provider.answers[JWKS] = Response(body.encode("latin-1"))
    clock.now += 300
    assert keys.key(KID).kid == KID
    assert provider.fetches == 2


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_addresses_in_a_token_are_never_asked(verifier, provider, member):
    """Where a token says that its keys are does not matter."""
    attack = provider.token({member: provider.issuer + "/evil", "kid": "evil"})
    with pytest.raises(InvalidToken):
        verifier.verify(attack)
    assert set(provider.asked) == {DISCOVERY, JWKS}


@pytest.mark.parametrize(
    "issuer",
    [
        "http://issuer.example",
        "http://10.0.0.1",
        "http://localhost.example",
        "ftp://localhost",
        "localhost:8000",
        "issuer.example",
        "https://",
        "https://issuer.example?x=1",
        "https://issuer.example#x",
        "https://me:secret@issuer.example",
        "http://[::1",
    ],
)
def test_issuers_that_cannot_be(issuer):
    """An issuer is an https URL; plain http is for this machine."""
    with pytest.raises(ConfigurationError) as caught:
        ProviderKeys(issuer)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_an_issuer_on_this_machine_needs_no_https(host):
    """Nobody is on the way."""
    assert ProviderKeys(f"http://{host}:9").issuer == f"http://{host}:9"


def test_plain_http_can_be_asked_for():
    """Whoever trusts the network says so."""
    assert ProviderKeys("http://issuer.example", allow_http=True).issuer


def test_a_verifier_without_keys_needs_an_issuer_with_an_address():
    """A verifier that must fetch keys refuses to start with an issuer that has none."""
    with pytest.raises(ConfigurationError, match="URL"):
        JWTVerifier(issuer="joe", audience=AUDIENCE, algorithms={"ES256"})
    assert token()
