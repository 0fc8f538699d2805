"""Nobody learns from an answer whether an account exists: neither from its bytes nor its time."""

import math
import random
import time

import pytest
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann
from tests.unit.authn.made_tokens import Clock

from licet.authn.accounts import credentials
from licet.authn.accounts.flask import accounts_of
from licet.authn.throttle import Limit, Limits

MISSING = "Bob@example.org"  # as long as Ann's
PAIRS = 500
MANY = Limit(attempts=10**6, seconds=3600)
UNLIMITED = Limits(passwords=MANY, mails=MANY, passwords_by_address=MANY, mails_by_address=MANY)
TIGHT = Limits(passwords=Limit(attempts=2, seconds=3600), mails=Limit(attempts=2, seconds=3600))
CALLS = {
    "sign up": ("/auth/accounts", {"password": "some password"}),
    "sign in": ("/auth/session", {"password": "some password"}),
    "reset": ("/auth/reset", {}),
}
FORMS = {
    "sign up": ("/auth/sign-up", {"password": "some password"}),
    "sign in": ("/auth/sign-in", {"password": "some password"}),
    "reset": ("/auth/forgot-password", {}),
}


def answer(client, call, email):
    """Everything of an answer that a caller sees."""
    path, body = CALLS[call]
    response = client.post(path, json={"email": email, **body})
    return response.status, sorted(response.headers), response.data


@pytest.fixture(params=["active", "blocked"])
def existing(request):
    """Ann's account, as it may be."""
    return request.param


def stopped(app):
    """The app's accounts, their clock stopped, so that no answer tells another second."""
    parts = accounts_of(app)
    object.__setattr__(parts, "clock", Clock())
    ann(parts)
    return parts


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("limits", [UNLIMITED, TIGHT], ids=["free", "throttled"])
def test_answers_are_the_same_byte_for_byte(make_app, existing, call, limits):
    """Status, headers and body, before and after the limit, for active and blocked accounts."""
    app = make_app(limits=limits)
    credentials.set_blocked(stopped(app), EMAIL, blocked=existing == "blocked")
    client = app.test_client()
    theirs = [answer(client, call, EMAIL) for _ in range(4)]
    nobodys = [answer(client, call, MISSING) for _ in range(4)]
    assert theirs == nobodys
    assert theirs[3][0].startswith("429") == (limits is TIGHT)


@pytest.mark.parametrize("call", FORMS)
def test_pages_are_the_same_but_for_the_address_itself(make_app, call):
    """A page shows the address that was given, and nothing else differs."""
    app = make_app(limits=TIGHT, LICET_COOKIE_SECURE=False)
    stopped(app)
    client = app.test_client()
    path, body = FORMS[call]
    token = client.get(path).text.split('name="csrf_token" value="')[1].split('"')[0]

    def shown(email):
        form = {"email": email, "csrf_token": token, **body}
        response = client.post(path, data=form)
        return response.status, sorted(response.headers), response.text.replace(email, "")

    assert [shown(EMAIL) for _ in range(4)] == [shown(MISSING) for _ in range(4)]


def p_value(left, right):
    """The two-sided p of a Mann-Whitney test, by the normal approximation with average ranks."""
    everything = sorted(
        (value, side) for side, values in enumerate((left, right)) for value in values
    )
    ranks, at = [0.0, 0.0], 0
    while at < len(everything):
        end = at
        while end < len(everything) and everything[end][0] == everything[at][0]:
            end += 1
        for _value, side in everything[at:end]:
            ranks[side] += (at + 1 + end) / 2
        at = end
    n, m = len(left), len(right)
    u = ranks[0] - n * (n + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(u - n * m / 2) / deviation / math.sqrt(2))


def test_the_test_itself_tells_times_apart():
    """A shift of a fifth of the spread is seen in 500 pairs; the same twice is not."""
    rng = random.Random(5)
    left, same, shifted = ([rng.gauss(mean, 1) for _ in range(PAIRS)] for mean in (0.0, 0.0, 0.3))
    assert p_value(left, same) > 0.01
    assert p_value(left, shifted) < 0.001
    assert p_value([1, 1, 2], [1, 2, 2]) == pytest.approx(0.5127, abs=0.01)


def measured(client, parts, call):
    """The times of 500 answers for an account that exists, and of 500 for one that does not."""
    times = {EMAIL: [], MISSING: []}
    path, body = CALLS[call]
    # All in one random order, so that what a call leaves behind is not always the other's to find.
    for email in random.sample([EMAIL, MISSING] * PAIRS, 2 * PAIRS):
        begun = time.perf_counter_ns()
        client.post(path, json={"email": email, **body})
        times[email].append(time.perf_counter_ns() - begun)
        assert parts.outbox.wait(10)
    return times[EMAIL], times[MISSING]


@pytest.mark.parametrize("call", CALLS)
def test_times_are_not_told_apart(make_app, call):
    """A Mann-Whitney test over 500 pairs; by chance alone one run in 1,000,000 fails."""
    app = make_app(limits=UNLIMITED)
    ann(accounts_of(app), password=PASSWORD)
    client = app.test_client()
    found = [p_value(*measured(client, accounts_of(app), call))]
    if found[0] <= 0.001:
        found.append(p_value(*measured(client, accounts_of(app), call)))
    assert found[-1] > 0.001
