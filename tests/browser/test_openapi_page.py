"""The page at ``/docs``, in a browser that reaches no other host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect
from services.open_event.app import create_app
from tests.unit.actions.serving import served


@pytest.fixture
def conference(tmp_path: Path) -> Iterator[str]:
    with served(create_app({"LICET_INSTANCE_PATH": str(tmp_path), "LICET_WORKER_THREADS": 0})) as u:
        yield u


@pytest.fixture
def asked(page: Page, conference: str) -> list[str]:
    """The URLs that the page asked for; those of other hosts are not answered."""
    found: list[str] = []
    own = urlsplit(conference).netloc

    def watch(route: Route) -> None:
        found.append(route.request.url)
        if urlsplit(route.request.url).netloc == own:
            route.continue_()
        else:
            route.abort()

    page.route("**/*", watch)
    return found


def test_it_shows_the_operations_and_sends_a_request(page: Page, conference: str, asked: list[str]):
    """Rendered, with one request made from it, nothing asked of another host, nothing refused."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": 1200, "height": 1000})
    page.goto(f"{conference}/docs")
    # 428 operations, which take the page some seconds to read
    expect(page.locator(".info .title")).to_contain_text("The conference", timeout=30_000)
    operation = page.locator("#operations-event-list_events")
    page.locator("#operations-tag-event").click()
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text("Bench to Bedside")
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
    assert hosts == {urlsplit(conference).netloc}
    assert said == []
