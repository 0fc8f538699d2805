"""The pages of local accounts in a real browser, with and without JavaScript."""

import re

from tests.browser.conftest import Site
from tests.unit.authn.accounts.people import EMAIL, PASSWORD

from licet.authn.accounts.flask import accounts_of

NEW = "battery staple"


def mailed(app):
    """The link of the newest mail."""
    parts = accounts_of(app)
    assert parts.outbox.wait(10)
    return re.search(r"https://\S+token=\S+", parts.mail.sent[-1].text)[0]


def sign_up(app, site: Site, page):
    """As somebody new does it, from the sign-in page on."""
    page.goto(f"{site.url}/auth/sign-in")
    page.click("text=Sign up")
    page.get_by_label("Address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    assert page.inner_text("h1") == "Look at your mail"
    page.goto(mailed(app))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm my address").click()
    assert "confirmed" in page.inner_text('[role="status"]')


def sign_in(page, password=PASSWORD):
    """With the form of the page that is shown."""
    page.get_by_label("Address").fill(EMAIL)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_up_in_and_out(site, any_page):
    """Each step is a form that needs no script."""
    page = any_page
    with site.serve(lambda app: None, LICET_ACCOUNTS=True, LICET_SIGN_UP="open") as app:
        sign_up(app, site, page)
        sign_in(page, "not this one")
        assert page.inner_text('[role="alert"]') == "The address or the password is not right."
        sign_in(page)
        assert page.url == f"{site.url}/auth/you"
        assert EMAIL in page.inner_text("main")
        page.get_by_role("button", name="Sign out", exact=True).click()
        assert page.inner_text('[role="status"]') == "You are signed out."
        page.goto(f"{site.url}/auth/you")
        assert "/auth/sign-in" in page.url


def test_a_person_who_forgot_the_password_sets_another(site, any_page):
    """The mail's link leads to the form; the old password is good no more."""
    page = any_page
    with site.serve(lambda app: None, LICET_ACCOUNTS=True, LICET_SIGN_UP="open") as app:
        sign_up(app, site, page)
        page.click("text=Forgot your password?")
        page.get_by_label("Address").fill(EMAIL)
        page.get_by_role("button", name="Send me a link").click()
        page.goto(mailed(app))
        page.get_by_label("New password").fill(NEW)
        page.get_by_role("button", name="Set the password").click()
        assert "Your new password is set" in page.inner_text('[role="status"]')
        sign_in(page)
        assert page.inner_text('[role="alert"]') == "The address or the password is not right."
        sign_in(page, NEW)
        assert page.url == f"{site.url}/auth/you"


def test_the_pages_break_none_of_their_own_rules(site, page):
    """The strict Content-Security-Policy blocks nothing that they need, their style included."""
    told = []
    page.on("console", lambda message: message.type == "error" and told.append(message.text))
    page.on("requestfailed", lambda request: told.append(request.url))
    with site.serve(lambda app: None, LICET_ACCOUNTS=True, LICET_SIGN_UP="open"):
        for name in ("sign-in", "sign-up", "forgot-password", "new-password?token=x"):
            page.goto(f"{site.url}/auth/{name}")
            width = page.locator("main").evaluate("e => getComputedStyle(e).maxWidth")
            assert width != "none"
    assert told == []
