"""The page at ``/``: what a newcomer sees first."""

import re

import pytest
from flask.testing import FlaskClient
from services.home import ACCOUNTS
from services.open_event.seed import ACCOUNTS as SEEDED
from services.site import create_app

CHROME = (  # to the letter
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
BROWSER = {"Accept": CHROME}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    instance = tmp_path_factory.mktemp("site")
    return create_app(
        {"LICET_INSTANCE_PATH": str(instance), "LICET_WORKER_THREADS": 0}
    ).test_client()


def test_every_link_of_the_page_leads_somewhere(client):
    """Services, documents and the style sheet are served."""
    links = re.findall(r'href="([^"]+)"', client.get("/", headers=BROWSER).text)
    found = {}
    for link in links:
        with client.get(link) as answer:  # a file is closed with its answer
            found[link] = answer.status_code

    assert len(links) > 10
    assert found == dict.fromkeys(links, 200)


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
def test_programs_get_the_page_as_a_document(client, accept):
    """The document lists the same paths as the page."""
    answer = client.get("/", headers={"Accept": accept} if accept else {})
    page = client.get("/", headers=BROWSER).text

    paths = [*answer.json["documents"], *(one["path"] for one in answer.json["services"])]
    assert all(f'href="{path}"' in page for path in paths)
    assert "Accept" in answer.headers["Vary"]


def test_the_accounts_are_those_that_were_made(client):
    """Nobody is listed who has no account, and nobody is left out."""
    assert set(ACCOUNTS) == set(SEEDED)


def test_chrome_gets_the_page(client):
    """Its Accept header names HTML first, and everything else somewhere."""
    answer = client.get("/", headers=BROWSER)

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "<h1>licet: the reference site</h1>" in answer.text


def test_the_page_runs_no_script(client):
    """The browser is told to run none, whatever gets into the page."""
    answer = client.get("/", headers=BROWSER)

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in answer.text
