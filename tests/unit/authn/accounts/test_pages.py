"""The pages, the cookie, and the CSRF token."""

import html
import re
from html.parser import HTMLParser

import pytest
from flask import jsonify
from tests.unit.authn.accounts.people import EMAIL, PASSWORD, ann

from licet.authn import authenticate, current_identity
from licet.authn.accounts import credentials
from licet.authn.accounts.flask import accounts_of, before_account_deletion
from licet.authn.flask import IdentityStateBuilder
from licet.authn.throttle import Limit, Limits
from licet.errors import AccountInUse

NEW = "battery staple"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
PAGES = ["sign-up", "sign-in", "confirm?token=abc", "forgot-password", "new-password?token=abc"]


class Form(HTMLParser):
    """What a person and a browser see of a page: headings, labels and inputs."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag):
        """The attributes of all elements of this kind."""
        return [attrs for found, attrs in self.found if found == tag]


class Browser:
    """A browser that follows no redirect and runs no script."""

    def __init__(self, app, scheme="https"):
        self.client = app.test_client()
        self.base_url = f"{scheme}://localhost"

    def get(self, path):
        """A page."""
        return self.client.get(path, base_url=self.base_url)

    def post(self, path, form=None, *, page=None, **options):
        """Send the form of a page, with the token that is in it."""
        text = self.get(page or path).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', text)[1]
        return self.bare_post(path, {"csrf_token": token, **(form or {})}, **options)

    def bare_post(self, path, form=None, **options):
        """Send a form without a page."""
        return self.client.post(path, data=form or {}, base_url=self.base_url, **options)

    def cookie(self, name):
        """The value of a cookie, or None."""
        found = self.client.get_cookie(name)
        return None if found is None else found.value


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def signed_in(app, browser):
    """The browser of Ann."""
    ann(accounts_of(app))
    assert browser.post("/auth/sign-in", CREDENTIALS).status_code == 303
    return browser


def problem(answer):
    """What a page says was wrong."""
    found = re.search(r'role="alert">([^<]*)<', answer.text)
    return None if found is None else html.unescape(found[1])


def link(app):
    """The path of the newest mail's link."""
    parts = accounts_of(app)
    assert parts.outbox.wait(10)
    return re.search(r"http://localhost:8000(/\S+)", parts.mail.sent[-1].text)[1]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_used_by_everybody(browser, page):
    """One heading, a label for each input that is shown, a button, a language and no script."""
    answer = browser.get(f"/auth/{page}")
    assert answer.status_code == 200
    found = Form(answer.text)
    shown = [attrs["id"] for attrs in found.all("input") if attrs["type"] != "hidden"]
    assert sorted(shown) == sorted(attrs["for"] for attrs in found.all("label"))
    assert len(found.all("h1")) == len(found.all("button")) == 1
    assert found.all("html") == [{"lang": "en"}]
    assert found.all("script") == []
    ids = [attrs["id"] for _, attrs in found.found if "id" in attrs]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_hardened(browser, page):
    """No script, no frame, no other site, no referrer, no cache."""
    headers = browser.get(f"/auth/{page}").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_style_is_served(browser):
    """The one file that the pages need beside themselves."""
    [sheet] = Form(browser.get("/auth/sign-in").text).all("link")
    with browser.get(sheet["href"]) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/css")


def test_a_life_in_a_browser(app, browser):
    """Sign up, confirm, sign in, see oneself, sign out."""
    assert browser.post("/auth/sign-up", CREDENTIALS).status_code == 202
    path = link(app)
    assert browser.get(path).status_code == 200
    form = {"token": path.partition("token=")[2], "password": PASSWORD}
    wrong = browser.post("/auth/confirm", {**form, "password": NEW}, page=path)
    assert wrong.status_code == 401
    assert "not the password of the sign-up" in problem(wrong)
    assert Form(wrong.text).all("form")
    answer = browser.post("/auth/confirm", form, page=path)
    assert answer.location == "/auth/sign-in?done=confirmed"
    assert "Your address is confirmed" in browser.get(answer.location).text
    assert browser.post("/auth/sign-in", CREDENTIALS).location == "/auth/you"
    assert EMAIL in browser.get("/auth/you").text
    answer = browser.post("/auth/you/sign-out", page="/auth/you")
    assert answer.location == "/auth/sign-in?done=signed-out"
    assert browser.get("/auth/you").location == "/auth/sign-in?next=/auth/you"


def test_looking_at_the_mails_link_confirms_nothing(app, browser):
    """A program that follows links in mails uses nothing up; a used link says so."""
    browser.post("/auth/sign-up", CREDENTIALS)
    path = link(app)
    form = {"token": path.partition("token=")[2], "password": PASSWORD}
    for _ in range(3):
        browser.get(path)
    assert browser.post("/auth/confirm", form, page=path).status_code == 303
    again = browser.post("/auth/confirm", form, page=path)
    assert again.status_code == 400
    assert problem(again).startswith("This link was used")
    assert not Form(again.text).all("form")


@pytest.mark.parametrize("path", ["/auth/confirm", "/auth/new-password"])
@pytest.mark.parametrize("token", ["", "a b", "x" * 129, "<script>", None])
def test_a_link_that_is_none(browser, path, token):
    """A mangled link is told like a used one."""
    form = {"password": NEW} | ({} if token is None else {"token": token})
    answer = browser.post(path, form, page=f"{path}?token=x")
    assert answer.status_code == 400
    assert problem(answer).startswith("This link was used")
    assert "<script>" not in answer.text


def test_a_forgotten_password(app, browser):
    """The link leads to a page that sets another, once."""
    ann(accounts_of(app))
    assert browser.post("/auth/forgot-password", {"email": EMAIL}).status_code == 202
    path = link(app)
    form = {"token": path.partition("token=")[2], "password": "short"}
    short = browser.post("/auth/new-password", form, page=path)
    assert (short.status_code, problem(short)) == (
        422,
        "password: a password has at least 10 characters",
    )
    assert form["token"] in short.text
    form["password"] = NEW
    answer = browser.post("/auth/new-password", form, page=path)
    assert answer.location == "/auth/sign-in?done=set"
    assert browser.post("/auth/new-password", form, page=path).status_code == 400
    answer = browser.post("/auth/sign-in", {"email": EMAIL, "password": NEW})
    assert answer.status_code == 303


def test_what_was_wrong_is_told_on_the_page(browser):
    """With the address still in the form, and the password not."""
    answer = browser.post("/auth/sign-in", {"email": "<b>@example.org", "password": "wrong one"})
    assert answer.status_code == 422
    assert "<b>@" not in answer.text
    assert "&lt;b&gt;@example.org" in answer.text
    answer = browser.post("/auth/sign-in", {"email": EMAIL, "password": "wrong one"})
    assert (answer.status_code, problem(answer)) == (
        401,
        "The address or the password is not right.",
    )
    assert f'value="{EMAIL}"' in answer.text
    assert "wrong one" not in answer.text


def test_too_many_attempts_are_told_on_the_page(make_app):
    """429, with Retry-After, as in JSON."""
    app = make_app(limits=Limits(passwords=Limit(attempts=1, seconds=60)))
    browser = Browser(app)
    browser.post("/auth/sign-in", CREDENTIALS)
    answer = browser.post("/auth/sign-in", CREDENTIALS)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/here?a=b", "/here?a=b"),
        ("", "/auth/you"),
        ("https://evil.example/", "/auth/you"),
        ("//evil.example/", "/auth/you"),
        ("/\\evil.example/", "/auth/you"),
        ("/\t/evil.example", "/auth/you"),
        ("here", "/auth/you"),
    ],
)
def test_after_signing_in_nobody_is_sent_to_another_site(app, browser, wanted, found):
    """A path of this site is gone to; whatever else is asked for is not."""
    ann(accounts_of(app))
    answer = browser.post("/auth/sign-in", {**CREDENTIALS, "next": wanted})
    assert answer.location == found


def test_the_cookie_is_kept_from_scripts_and_other_sites(app, browser):
    """HttpOnly, Secure, SameSite=Lax, for this host alone, as long as the session."""
    ann(accounts_of(app))
    answer = browser.post("/auth/sign-in", CREDENTIALS)
    [cookie] = [c for c in answer.headers.getlist("Set-Cookie") if "licet_session" in c]
    name, _, rest = cookie.partition("=")
    assert name == "__Host-licet_session"
    assert set(rest.split("; ")[1:]) >= {
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        "Max-Age=2592000",
    }
    assert "Domain" not in cookie


def test_plain_http_needs_a_setting(make_app):
    """Where there is no TLS, the cookie is neither Secure nor of the prefix that demands it."""
    app = make_app(LICET_COOKIE_SECURE=False)
    ann(accounts_of(app))
    browser = Browser(app, "http")
    answer = browser.post("/auth/sign-in", CREDENTIALS)
    cookies = answer.headers.getlist("Set-Cookie")
    assert not any("Secure" in cookie for cookie in cookies)
    assert EMAIL in browser.get("/auth/you").text


def test_signing_in_makes_a_new_cookie(app, browser):
    """A cookie that was planted before is worth nothing after."""
    browser.client.set_cookie("__Host-licet_session", "planted", secure=True)
    ann(accounts_of(app))
    browser.post("/auth/sign-in", CREDENTIALS)
    assert browser.cookie("__Host-licet_session") not in (None, "planted")
    assert browser.cookie("__Host-licet_form") is None


@pytest.mark.parametrize("page", [page.partition("?")[0] for page in PAGES])
@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
def test_a_form_of_another_site_is_refused(browser, page, token):
    """Also before anybody is signed in: nobody is signed in as somebody else unawares."""
    browser.get("/auth/sign-in")
    form = CREDENTIALS | ({} if token is None else {"csrf_token": token})
    answer = browser.bare_post(f"/auth/{page}", form)
    assert answer.status_code == 403
    assert "CSRF" in problem(answer)


def test_a_form_without_any_cookie_is_refused(browser):
    """A token that somebody else was given is not enough."""
    other = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/auth/sign-in").text)[1]
    browser.client.delete_cookie("__Host-licet_form")
    answer = browser.bare_post("/auth/sign-in", CREDENTIALS | {"csrf_token": other})
    assert answer.status_code == 403


def test_the_form_cookie_is_given_once(browser):
    """Two pages open at once have the same token, so that both can be sent."""
    first, second = browser.get("/auth/sign-in"), browser.get("/auth/sign-up")
    assert first.headers.getlist("Set-Cookie")
    assert not second.headers.getlist("Set-Cookie")


LEAVING = {
    "sign-out": {},
    "sign-out-everywhere": {},
    "password": {"current_password": PASSWORD, "new_password": NEW},
    "delete": {"password": PASSWORD},
}


@pytest.mark.parametrize("path", LEAVING)
def test_what_ends_the_session(app, signed_in, path):
    """The cookie is taken away and opens nothing any more; the page says what was done."""
    cookie = signed_in.cookie("__Host-licet_session")
    answer = signed_in.post(f"/auth/you/{path}", LEAVING[path], page="/auth/you")
    assert answer.status_code == 303
    assert 'role="status"' in signed_in.get(answer.location).text
    assert signed_in.cookie("__Host-licet_session") is None
    signed_in.client.set_cookie("__Host-licet_session", cookie, secure=True)
    assert signed_in.get("/auth/you").status_code == 303


def test_the_app_keeps_an_account_that_it_needs(app, signed_in):
    """The page says what for, and the account is as it was; without a reason it goes."""
    needed = ["You own a shop: close it first."]

    def leave(account_id):
        assert accounts_of(app).store.get(account_id).email == EMAIL
        if needed:
            raise AccountInUse(needed.pop())

    before_account_deletion(app, leave)
    kept = signed_in.post("/auth/you/delete", LEAVING["delete"], page="/auth/you")
    assert kept.status_code == 409
    assert "close it first" in kept.text
    gone = signed_in.post("/auth/you/delete", LEAVING["delete"], page="/auth/you")
    assert gone.status_code == 303
    assert accounts_of(app).store.find(EMAIL) is None


@pytest.mark.parametrize("path", LEAVING)
def test_nobody_is_made_to_do_it_by_another_site(signed_in, path):
    """Without the token nothing is done."""
    assert signed_in.bare_post(f"/auth/you/{path}", LEAVING[path]).status_code == 403
    assert signed_in.get("/auth/you").status_code == 200


def test_mistakes_on_the_own_page_are_told_there(signed_in):
    """The session goes on."""
    form = {"current_password": "wrong", "new_password": NEW}
    answer = signed_in.post("/auth/you/password", form, page="/auth/you")
    assert answer.status_code == 401
    assert EMAIL in answer.text
    assert signed_in.get("/auth/you").status_code == 200


def test_a_session_that_ended_meanwhile(app, signed_in):
    """Whoever was blocked while the page was open is told so when it is sent."""
    text = signed_in.get("/auth/you").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', text)[1]
    credentials.set_blocked(accounts_of(app), EMAIL, blocked=True)
    answer = signed_in.bare_post("/auth/you/sign-out", {"csrf_token": token})
    assert answer.status_code == 403
    assert "sign-in" in answer.text


def test_long_forms_are_not_read(browser):
    """16 KiB are enough for everybody."""
    answer = browser.post("/auth/sign-in", CREDENTIALS | {"next": "x" * 16 * 1024})
    assert answer.status_code == 413


def views(app):
    """Views that ask who calls, as any app has them."""
    app.add_url_rule("/me", "me", lambda: jsonify(_shown(authenticate())))
    app.add_url_rule("/me", "change", lambda: jsonify(_shown(authenticate())), methods=["POST"])
    app.add_url_rule("/anybody", "anybody", lambda: jsonify(_shown(current_identity)))
    app.add_url_rule(
        "/anybody", "post", lambda: jsonify(_shown(current_identity)), methods=["POST"]
    )
    return app


def _shown(identity):
    return [identity.subject, sorted(identity.scopes), sorted(identity.roles), identity.principal]


@pytest.fixture
def served(make_app):
    """An app with views of its own, and the browser of an administrator."""
    app = views(make_app(LICET_ACCOUNT_SCOPES="read"))
    account = ann(accounts_of(app), is_admin=True)
    browser = Browser(app)
    browser.post("/auth/sign-in", CREDENTIALS)
    return account.id, browser


def test_the_cookie_says_who_calls_in_every_view(served):
    """Account, scopes, roles and principal are those of an access token."""
    account_id, browser = served
    expected = [account_id, ["read"], ["admin"], f"urn:licet:identity:{account_id}"]
    assert browser.get("/me").json == expected
    assert browser.get("/anybody").json == expected


@pytest.mark.parametrize("path", ["/me", "/anybody"])
def test_every_view_is_safe_from_other_sites(served, path):
    """An unsafe method needs the token, wherever the caller is asked for, in header or form."""
    account_id, browser = served
    refused = browser.bare_post(path)
    assert (refused.status_code, refused.json["code"]) == (403, "csrf_failed")
    token = browser.get("/auth/session").json["csrf_token"]
    by_header = browser.bare_post(path, headers={"X-CSRF-Token": token})
    by_form = browser.bare_post(path, {"csrf_token": token})
    assert by_header.json == by_form.json
    assert by_header.json[0] == account_id


def test_a_header_wins_over_the_cookie(served):
    """A request with a token is that token's, and needs no other; a bad one is refused."""
    _, browser = served
    bad = {"Authorization": "Bearer a.b.c"}
    assert browser.bare_post("/me", headers=bad).status_code == 401
    assert browser.client.get("/anybody", headers=bad, base_url=browser.base_url).status_code == 401


def test_an_unknown_cookie_is_nobody(make_app):
    """A cookie that is too old hinders nobody on pages for everybody."""
    browser = Browser(views(make_app()))
    browser.client.set_cookie("__Host-licet_session", "old", secure=True)
    assert browser.get("/me").status_code == 401
    assert browser.get("/anybody").json[0] == ""
    assert browser.bare_post("/anybody").json[0] == ""


def test_a_browser_has_no_cookie_over_json(served):
    """Signing out over JSON takes the cookie away as well."""
    _, browser = served
    token = browser.get("/auth/session").json["csrf_token"]
    answer = browser.client.post(
        "/auth/logout", base_url=browser.base_url, headers={"X-CSRF-Token": token}
    )
    assert answer.status_code == 204
    assert browser.cookie("__Host-licet_session") is None
    assert browser.get("/me").status_code == 401


def test_a_provider_takes_the_cookie_as_well(make_app):
    """What asks for a scope gets the identity of the session, whose scopes are all there are."""
    app = make_app()
    builder = IdentityStateBuilder(app, ["run"])
    app.add_url_rule("/run", view_func=lambda: builder.build_from_request().effective_identity)
    account = ann(accounts_of(app))
    browser = Browser(app)
    browser.post("/auth/sign-in", CREDENTIALS)
    assert browser.get("/run").text == f"urn:licet:identity:{account.id}"


def test_signing_in_again_ends_the_session_before(app, signed_in):
    """The browser has lost its cookie: nobody could end it any more; another browser's goes on."""
    other = Browser(app)
    assert other.post("/auth/sign-in", CREDENTIALS).status_code == 303
    name = "__Host-licet_session"
    former = signed_in.cookie(name)
    assert signed_in.post("/auth/sign-in", {**CREDENTIALS, "password": "wrong"}).status_code == 401
    assert signed_in.get("/auth/session").status_code == 200
    assert signed_in.post("/auth/sign-in", CREDENTIALS).status_code == 303
    assert signed_in.cookie(name) != former
    stolen = Browser(app)
    stolen.client.set_cookie(name, former, secure=True)
    assert stolen.get("/auth/session").status_code == 401
    assert (
        other.get("/auth/session").status_code == signed_in.get("/auth/session").status_code == 200
    )
