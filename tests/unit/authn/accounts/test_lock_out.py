"""What others try keeps nobody out who is known, or signed in."""

import pytest
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann, grant

from licet.authn.accounts import credentials, sessions
from licet.authn.accounts.documents import ChangePassword, SignIn
from licet.authn.accounts.flask import accounts_of
from licet.authn.accounts.parts import Place
from licet.errors import InvalidCredentials, TooManyAttempts

HOME, ELSEWHERE, CAFE = "192.0.2.1", "198.51.100.6", "203.0.113.9"
THIEF = Place(ELSEWHERE)
NEW = "battery staple"


def guess(parts, place=THIEF, times=10):
    """Try wrong passwords."""
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            sessions.sign_in(parts, SignIn(email=EMAIL, password="wrong"), place)


def come_in(parts, place, email=EMAIL):
    """Sign in with the right password."""
    return sessions.open_with_cookie(parts, SignIn(email=email, password=PASSWORD), place)


def test_guesses_from_elsewhere_do_not_keep_a_known_network_out(parts_of_both):
    """Where somebody signed in before, they can; from other places the account is closed."""
    parts = parts_of_both
    ann(parts)
    grant(parts, address=HOME)
    guess(parts)
    for address in (ELSEWHERE, CAFE):
        with pytest.raises(TooManyAttempts):
            grant(parts, address=address)
    assert grant(parts, address=HOME)
    with pytest.raises(TooManyAttempts):  # which is no way to more guesses either
        grant(parts, address=CAFE)


def test_guesses_from_elsewhere_do_not_keep_a_known_device_out(parts):
    """A browser that signed in before is known wherever it goes."""
    ann(parts)
    come_in(parts, Place(HOME, "device"))
    guess(parts)
    assert come_in(parts, Place(CAFE, "device"))
    for stranger in (Place(ELSEWHERE, "another"), Place(ELSEWHERE, "")):
        with pytest.raises(TooManyAttempts):
            come_in(parts, stranger)


def test_a_known_device_cannot_guess_without_end(parts):
    """It has as many attempts as everybody, and those of others stay theirs."""
    ann(parts)
    come_in(parts, Place(None, "device"))
    guess(parts, place=Place(None, "device"))
    with pytest.raises(TooManyAttempts):
        come_in(parts, Place(None, "device"))
    assert come_in(parts, Place(CAFE))


def test_a_device_is_known_to_its_own_account(parts, clock):
    """Somebody else's says nothing, nor does one that was not seen for 90 days."""
    ann(parts)
    ann(parts, email="ben@example.org")
    come_in(parts, Place(ELSEWHERE, "bens"), "ben@example.org")
    come_in(parts, Place(HOME, "anns"))
    clock.now += 90 * 24 * 3600
    guess(parts)
    for place in (Place(ELSEWHERE, "bens"), Place(HOME, "anns")):
        with pytest.raises(TooManyAttempts):
            come_in(parts, place)


def test_who_only_guesses_is_not_known(parts):
    """A wrong password makes nothing known, nor does one for no account."""
    ann(parts)
    guess(parts, place=Place(ELSEWHERE, "thief"))
    with pytest.raises(TooManyAttempts):
        come_in(parts, Place(ELSEWHERE, "thief"))


def test_somebody_signed_in_is_not_kept_from_the_own_account(parts):
    """Whatever others try; their own guesses at it are counted too."""
    made = ann(parts)
    guess(parts)
    wrong = ChangePassword(current_password="wrong", new_password=NEW)
    for _ in range(9):
        with pytest.raises(InvalidCredentials):
            credentials.change_password(parts, made.id, wrong, Place(CAFE))
    right = ChangePassword(current_password=PASSWORD, new_password=NEW)
    credentials.change_password(parts, made.id, right, Place(CAFE))
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            credentials.delete_account(parts, made.id, "wrong", Place(CAFE))
    with pytest.raises(TooManyAttempts):
        credentials.delete_account(parts, made.id, NEW, Place(CAFE))


def test_resets_that_others_ask_for_keep_nobody_from_one(parts):
    """From a place that the account knows, mails are counted apart; no more than as many."""
    ann(parts)
    grant(parts, address=HOME)
    for _ in range(5):
        credentials.ask_reset(parts, EMAIL, Place(ELSEWHERE))
    with pytest.raises(TooManyAttempts):
        credentials.ask_reset(parts, EMAIL, Place(CAFE))
    for _ in range(5):
        credentials.ask_reset(parts, EMAIL, Place(HOME))
    with pytest.raises(TooManyAttempts):
        credentials.ask_reset(parts, EMAIL, Place(HOME))


def test_people_without_an_address_are_not_one_known_place(parts):
    """Over a Unix socket everybody looks alike."""
    ann(parts)
    grant(parts, address="")
    guess(parts)
    with pytest.raises(TooManyAttempts):
        grant(parts, address="")


def test_a_browser_is_known_by_a_cookie_of_its_own(app):
    """The sign-in page sets it, and signing out leaves it; no script reads it."""
    ann(accounts_of(app))
    client = app.test_client()

    def send(address):
        page = client.get("/auth/sign-in").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"email": EMAIL, "password": PASSWORD, "csrf_token": token}
        return client.post("/auth/sign-in", data=form, environ_overrides={"REMOTE_ADDR": address})

    first = send(HOME)
    [cookie] = [c for c in first.headers.getlist("Set-Cookie") if "licet_device" in c]
    assert "HttpOnly" in cookie
    client.delete_cookie("__Host-licet_session")
    guess(accounts_of(app))
    assert send(CAFE).status_code == 303


def test_nobody_without_an_address_guesses_without_end(app):
    """Gunicorn on a Unix socket gives an empty one."""
    client = app.test_client()
    statuses = [
        client.post(
            "/auth/session",
            json={"email": f"u{number}@example.org", "password": "wrong"},
            environ_overrides={"REMOTE_ADDR": ""},
        ).status_code
        for number in range(101)
    ]
    assert statuses == [401] * 100 + [429]
