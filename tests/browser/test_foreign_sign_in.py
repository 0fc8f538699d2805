"""A person in a real browser signs in at a certified provider, and out again."""

import re
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from tests.browser.conftest import opened
from tests.oidc.node import NodeProvider, new_key, require_node

from licet.authn import current_identity
from licet.authn.identity import group_principal, identity_principal
from licet.authn.issuers import keys_of_provider
from licet.authz import public

KEY, NEW = new_key("first"), new_key("second")


@pytest.fixture
def provider(site) -> Iterator[NodeProvider]:
    require_node()
    found = NodeProvider(KEY, redirects=[f"{site.url}/auth/with/oidc/callback"]).start()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def has_accounts() -> bool:
    """Whether the site has accounts of its own."""
    return True


@pytest.fixture
def app(has_accounts, site, provider) -> Iterator[Flask]:
    """A site whose people sign in at the provider."""
    with site.serve(
        attach,
        LICET_ACCOUNTS=has_accounts,
        LICET_OIDC_ISSUER=provider.issuer,
        LICET_OIDC_CLIENT_ID="the site",
        LICET_OIDC_CLIENT_SECRET="site %+: secret",
        LICET_OIDC_ALGORITHMS="ES256",
        LICET_OIDC_SCOPES="openid email",
        LICET_OIDC_LABEL="The Lab",
    ) as found:
        yield found


def attach(app):
    """One page that says who is there."""

    @app.get("/lab")
    @public
    def lab():
        found = current_identity._get_current_object()
        return f"<h1>{found.subject or 'nobody'}</h1>{' '.join(sorted(found.principals))}"


def sign_in_there(page, name="ann"):
    """Fill in the provider's own forms: any name and password will do."""
    page.fill('input[name="login"]', name)
    page.fill('input[name="password"]', "x")
    page.click('button[type="submit"]')
    page.click('button[type="submit"]:has-text("Continue")')


def begin(page, site, path="/lab"):
    """Follow the link of the sign-in page."""
    page.goto(f"{site.url}/auth/sign-in?next={path}")
    page.click("text=Sign in with The Lab")


@pytest.mark.parametrize("has_accounts", [False, True], ids=["alone", "beside accounts"])
def test_a_person_signs_in_and_out(app, site, provider, any_page):
    """There and back to where they wanted to go; then a button ends it."""
    page = any_page
    begin(page, site)
    assert page.url.startswith(provider.issuer)
    sign_in_there(page)
    assert page.url == f"{site.url}/lab"
    assert page.inner_text("h1") == "ann"
    for principal in (
        identity_principal(provider.issuer, "ann"),
        group_principal("staff", issuer=provider.issuer),
    ):
        assert principal in page.content()
    cookies = {one["name"]: one for one in page.context.cookies(site.url)}
    cookie = cookies["__Host-licet_session"]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    page.goto(f"{site.url}/auth/you")
    assert "ann@idp.example" in page.inner_text("main")
    assert page.is_visible("text=Sign out at The Lab")
    page.click('button:text-is("Sign out")')
    assert page.inner_text('[role="status"]') == "You are signed out."
    page.goto(f"{site.url}/lab")
    assert page.inner_text("h1") == "nobody"


def test_who_is_signed_in_there_comes_straight_back(app, site, provider, page):
    """The provider remembers them; the site makes another session."""
    begin(page, site)
    sign_in_there(page)
    first = cookie_of(page, site)
    begin(page, site, "/lab?again=1")
    assert page.url == f"{site.url}/lab?again=1"
    assert cookie_of(page, site) != first


def cookie_of(page, site):
    """The value of the session's cookie."""
    return {c["name"]: c["value"] for c in page.context.cookies(site.url)}["__Host-licet_session"]


def test_a_person_changes_their_mind(app, site, provider, page):
    """Their refusal is a page that leads back to the sign-in page."""
    begin(page, site)
    page.click("text=[ Cancel ]")
    assert page.url.startswith(f"{site.url}/auth/with/oidc/callback?error=access_denied")
    assert "You were not signed in" in page.inner_text('[role="alert"]')
    page.click("text=Go to sign in")
    assert page.is_visible("text=Sign in with The Lab")


def test_the_way_back_is_for_one_browser_and_once(app, site, provider, page, chromium):
    """Neither another browser nor the same one can use the address again."""
    came_back = []
    page.on("request", lambda request: came_back.append(request.url))
    begin(page, site)
    sign_in_there(page)
    (address,) = [url for url in came_back if re.search(r"/callback\?.*code=", url)]
    with opened(chromium) as other:
        assert other.goto(address).status == 400
        other.goto(f"{site.url}/lab")
        assert other.inner_text("h1") == "nobody"
    assert page.goto(address).status == 400
    page.goto(f"{site.url}/lab")
    assert page.inner_text("h1") == "ann"


def test_another_site_cannot_sign_a_person_out(app, site, provider, page):
    """A form of another origin comes without the token, and so does one that has no cookie."""
    begin(page, site)
    sign_in_there(page)
    page.set_content(
        f'<form method="post" action="{site.url}/auth/you/sign-out"><button>Win</button></form>'
    )
    with page.expect_navigation() as navigation:
        page.click("text=Win")
    assert navigation.value.status == 403
    page.goto(f"{site.url}/lab")
    assert page.inner_text("h1") == "ann"


def test_the_provider_is_away(app, site, provider, page):
    """The person is told to try again; when it is back, they can."""
    provider.stop()
    page.goto(f"{site.url}/auth/sign-in")
    with page.expect_navigation() as navigation:
        page.click("text=Sign in with The Lab")
    assert navigation.value.status == 503
    assert navigation.value.headers["retry-after"] == "5"
    assert "does not answer" in page.inner_text('[role="alert"]')


def test_the_providers_keys_rotate_between_two_people(app, site, provider, page, chromium):
    """A new key that was published before it signs is fetched when its first token comes."""
    began = time.monotonic()
    keys = keys_of_provider(app, provider.issuer)
    keys._clock = lambda: (time.monotonic() - began) * 300  # their lifespan passes in a second
    begin(page, site)
    sign_in_there(page)
    assert page.inner_text("h1") == "ann"
    provider.sign_with(KEY, NEW)
    provider.sign_with(NEW, KEY)
    with opened(chromium) as other:
        begin(other, site)
        sign_in_there(other, "bob")
        assert other.inner_text("h1") == "bob"
    assert "second" in keys.published()
    page.goto(f"{site.url}/lab")
    assert page.inner_text("h1") == "ann"


def test_the_provider_restarts_while_a_person_is_there(app, site, provider, page):
    """What it no longer knows is lost; beginning anew works, and sessions go on meanwhile."""
    begin(page, site)
    sign_in_there(page)
    provider.stop()
    page.goto(f"{site.url}/lab")
    assert page.inner_text("h1") == "ann"
    provider.start()
    page.goto(f"{site.url}/auth/you")
    page.click('button:text-is("Sign out")')
    begin(page, site)
    sign_in_there(page, "bob")
    assert page.inner_text("h1") == "bob"
