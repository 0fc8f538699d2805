"""`licet matrix` prints and checks; `licet explain` says why."""

import json

import pytest
from services.open_event.app import create_app
from services.open_event.policies import POLICIES

APP = "services.open_event.app:create_app"


@pytest.fixture
def page(licet, tmp_path):
    """A page as printed."""
    kept = tmp_path / "matrix.md"
    kept.write_text(licet("matrix", APP).stdout, "utf-8")
    return kept


def test_the_matrix_is_printed_in_each_form(licet):
    """Markdown by default; HTML and JSON when asked for."""
    assert licet("matrix", APP).stdout.startswith("# Access matrix\n\n## events\n")
    assert licet("--app", APP, "matrix").stdout == licet("matrix", APP).stdout
    assert licet("matrix", APP, "--format", "html").stdout.startswith("<!doctype html>")
    assert [
        t["name"] for t in json.loads(licet("matrix", APP, "--format", "json").stdout)["policies"]
    ] == [policy.name for policy in POLICIES]


def test_a_page_that_holds_what_the_code_says_passes(licet, page):
    """Nothing is printed and the exit code is 0."""
    result = licet("matrix", APP, "--check", str(page))
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_page_that_differs_is_told(licet, page):
    """The difference is shown line by line, with exit code 1."""
    page.write_text(page.read_text("utf-8").replace("| staff | ✓", "| staff | –", 1), "utf-8")
    result = licet("matrix", APP, "--check", str(page))
    assert result.exit_code == 1
    assert "-| staff | – | ✓ | ✓ | ✓ | ✓ |" in result.stdout
    assert "is not what the code says" in result.stderr


def test_a_missing_page_differs(licet, tmp_path):
    """A page that nobody wrote yet is a difference like another; its suffix names the form."""
    result = licet("matrix", APP, "--check", str(tmp_path / "matrix.json"))
    assert result.exit_code == 1
    assert '+  "policies": [' in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "last"),
    [
        (("--as", "owner", "UPDATE", "speakers", "1"), 0, "owner UPDATE speakers 1: allowed"),
        (("--as", "bob", "update", "speakers", "4"), 1, "bob UPDATE speakers 4: denied, 403"),
        (("VIEW", "events", "3"), 1, "nobody VIEW events 3: denied, 404"),
        (("UPDATE", "events", "1"), 1, "nobody UPDATE events 1: denied, 401"),
        (("--as", "mallory", "UPDATE", "events", "1"), 1, "mallory UPDATE events 1: denied, 403"),
    ],
)
def test_explain_tells_why(licet, words, code, last):
    """The tree, the decision, and the exit code for scripts."""
    result = licet("--app", APP, "explain", *words)
    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[-1] == last
    assert result.stdout[0] in "✓✗"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("VIEW", "nothing", "1"), "The app has no policy 'nothing'; it has custom-forms"),
        (("VIEW", "events", "99"), "There is no events with the key '99'."),
        (("VIEW", "events", "x"), "The key 'x' is no INTEGER."),
    ],
)
def test_explain_names_what_is_not_there(licet, words, told):
    """An unknown policy, object or key is one line."""
    result = licet("--app", APP, "explain", *words)
    assert result.exit_code in (1, 2)
    assert told in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("Day", "2030-01-31"), 0, "nobody VIEW Day 2030-01-31: allowed"),
        (("Day", "2030-02-31"), 1, "The key '2030-02-31' is no DATE."),
        (("Stone", "(1,2)"), 0, "nobody VIEW Stone (1,2): allowed"),
    ],
)
def test_explain_takes_keys_of_any_type(licet, words, code, told):
    """A date is written as in ISO 8601; a key of a type that says nothing is taken as it is."""
    result = licet("--app", "tests.unit.cli.keyed:app", "explain", "VIEW", *words)
    assert result.exit_code == code, result.stderr
    assert told in result.stdout + result.stderr


def test_explain_tells_who_has_no_standing(licet):
    """Whoever the app refuses altogether may do nothing with any object."""
    result = licet(
        "--app", "tests.unit.cli.strangers:app", "explain", "--as", "bob", "VIEW", "events", "1"
    )
    assert result.exit_code == 1
    assert "bob may do nothing: You are not registered with this service." in result.stderr
    assert result.stdout == "bob VIEW events 1: denied, 403\n"


@pytest.mark.parametrize("user", [None, "mallory", "bob"])
@pytest.mark.parametrize("key", ["1", "3"])
def test_explain_says_what_http_answers(licet, tmp_path, user, key):
    """Nobody, an unknown user and a known one, of a visible and of a hidden object."""
    asked = () if user is None else ("--as", user)
    told = licet("--app", APP, "explain", *asked, "UPDATE", "events", key).stdout.splitlines()[-1]

    headers = {}
    if user is not None:
        headers["Authorization"] = f"Bearer {licet('--app', APP, 'token', user).stdout.strip()}"
    client = create_app({"LICET_INSTANCE_PATH": str(tmp_path / "instance")}).test_client()
    answer = client.patch(f"/v1/events/{key}", json={"name": "Mine"}, headers=headers)
    assert told.endswith(f": denied, {answer.status_code}")


def test_explain_when_the_apps_database_does_not_answer(licet):
    """The driver's reason in a line, and exit code 4."""
    result = licet("--app", "tests.unit.cli.keyed:without_tables", "explain", "VIEW", "Stone", "1")
    assert result.exit_code == 4
    assert result.stderr == (
        "licet: The database of the app's objects cannot be read: OperationalError: no such "
        "table: stone\n"
    )
