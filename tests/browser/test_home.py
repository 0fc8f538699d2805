"""The reference site's first page, on a narrow and on a wide window."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from services.site import create_app
from tests.unit.actions.serving import served

OVERFLOWING = """
[...document.querySelectorAll("html, pre, table")]
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => one.tagName)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[str]:
    """Where the site is."""
    config = {"LICET_INSTANCE_PATH": str(tmp_path), "LICET_WORKER_THREADS": 0}
    with served(create_app(config)) as url:
        yield url


@pytest.mark.parametrize("width", [375, 900])
def test_nothing_runs_out_of_its_box(page: Page, home: str, width: int):
    """Each line can be read, and the command copied, without scrolling sideways."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(home)
    assert page.inner_text("h1") == "licet: the reference site"
    assert page.evaluate(OVERFLOWING) == []
