"""Every Python block of the guides runs, in order, and prints what stands below it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "```python" in path.read_text("utf-8")
)
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run(page):
    """A reader who types a page's code in order gets what the page says."""
    run(page)


def test_links_and_forms_of_the_pages_have_a_view():
    """A link is a GET, a form a POST: neither leads to 404 or 405."""
    page = next(page for page in PAGES if page.name == "with-your-flask-app.md")
    adapter = run(page)["app"].url_map.bind("localhost")
    text = "".join(block for block, _ in BLOCK.findall(page.read_text("utf-8")))
    asked = [("GET", path) for path in re.findall(r'href="(/[^"]*)"', text)]
    asked += [("POST", path) for path in re.findall(r'action="(/[^"]*)"', text)]
    assert len(asked) > 1
    for method, path in asked:
        adapter.match(re.sub(r"{{.*?}}", "1", path), method)


def test_the_packages_of_a_guide_are_installed_by_its_first_command():
    """What the guide imports, and the extensions that it is about, are in the pip line."""
    text = (ROOT / "docs/guides/with-your-flask-app.md").read_text("utf-8")
    (installed,) = re.findall(r"^    pip install licet (.*)$", text, re.MULTILINE)
    imported = set(re.findall(r"^from (flask_\w+) import", text, re.MULTILINE))
    assert imported | {"flask_migrate"} == {name.replace("-", "_") for name in installed.split()}


def run(page):
    """What the page's code made; each block prints what stands below it."""
    namespace = {"__name__": "guide"}
    for block, output in BLOCK.findall(page.read_text("utf-8")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, str(page), "exec"), namespace)
        if output:
            assert printed.getvalue() == output
    return namespace
