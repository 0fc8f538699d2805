"""Where strangers may sign up, and where the operator alone makes accounts."""

from dataclasses import replace

import pytest
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann, asked, grant, mailed_sign_up

from licet.authn.accounts import credentials
from licet.authn.accounts.documents import ConfirmAddress
from licet.errors import AccessDenied
from licet.settings import Settings

CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
CLOSED = "Sign-up is closed here. Ask the people who run this service for an account."


def test_it_is_closed_unless_a_setting_opens_it(tmp_path):
    """Behind a proxy every app listens on loopback, so that the address tells nothing."""
    assert Settings.read({}, tmp_path, {}).accounts.sign_up == "closed"


@pytest.mark.parametrize("value", ["", "closed"])
def test_nobody_signs_up_where_it_is_closed(make_app, value):
    """Neither by JSON nor with the page, to which no link leads; no mail is sent."""
    app = make_app(LICET_SIGN_UP=value)
    client = app.test_client()
    answer = client.post("/auth/accounts", json=CREDENTIALS)
    assert (answer.status_code, answer.json["detail"]) == (403, CLOSED)
    page = client.get("/auth/sign-up")
    assert page.status_code == 403
    assert CLOSED in page.text
    assert "/auth/sign-up" not in client.get("/auth/sign-in").text


def test_where_it_is_open_a_link_leads_to_it(app):
    """As the setting says."""
    client = app.test_client()
    assert client.get("/auth/sign-up").status_code == 200
    assert "/auth/sign-up" in client.get("/auth/sign-in").text


def test_a_sign_up_that_waits_ends_with_the_closing(parts):
    """Its mail makes no account any more; accounts that are there go on."""
    ann(parts)
    secret = mailed_sign_up(parts, "ben@example.org")
    closed = replace(parts, sign_up_is_open=False)
    answered = ConfirmAddress(token=secret, password=PASSWORD)
    with pytest.raises(AccessDenied, match="closed"):
        credentials.confirm_address(closed, answered)
    with pytest.raises(AccessDenied, match="closed"):
        credentials.sign_up(closed, asked("carl@example.org"))
    assert grant(closed)
