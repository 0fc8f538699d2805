"""The matrix holds what was declared, in all three forms."""

import json
from html.parser import HTMLParser

from flask import Flask
from tests.unit.authz.notes import Note, make_policy

from licet.authz import LIST, VIEW, Policy, Role, Verb, attr, caller, everyone, public
from licet.authz.flask import matrix_of, register_policies
from licet.authz.matrix import EndpointRow, as_html, as_json, as_markdown, tabulate

ENDPOINT = EndpointRow(rule="/a|b", method="GET", endpoint="index", access="notes LIST")


def test_markdown_is_the_handbooks_table():
    """Roles down, verbs across, numbered footnotes, and the rules of fields below."""
    page = as_markdown(tabulate([make_policy()], [ENDPOINT]))

    assert page == (
        "# Access matrix\n\n## notes\n\n"
        "|  | LIST | VIEW | CREATE | UPDATE | DELETE |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| admin | ✓ | ✓ | ✓ | ✓ | ✓ |\n"
        "| registered | ✓ [1] | ✓ [1] | ✓ [2] | ✓ [1] | ✓ [1] |\n"
        "| everyone | ✓ [2] | ✓ [2] | – | – | – |\n\n"
        "1. Only own notes\n2. Only in open folders\n\n"
        "- admin also has what registered, everyone has\n"
        "- registered also has what everyone has\n"
        "- hidden unless admin / Only own notes: secret\n"
        "- read-only: id, owner\n\n"
        "## Endpoints\n\n"
        "| rule | method | endpoint | access |\n| --- | --- | --- | --- |\n"
        "| `/a\\|b` | GET | index | notes LIST |\n"
    )


def test_alternatives_own_verbs_and_unnamed_conditions():
    """Alternatives stand side by side, ✓ alone wins, and a condition without a name speaks."""
    notes = Policy(Note)
    reader = Role("reader", caller.reads.is_true())
    named = (attr("owner") == "x").named("Only x's")
    notes.allow(reader, LIST | VIEW, when=named & (attr("text") != "y"))
    notes.allow(reader, LIST | VIEW, when=named)
    notes.allow(reader, VIEW)
    notes.allow(everyone, Verb("PRINT"), when=named)
    notes.writable_only("text", unless=reader)
    notes.writable_only("text", unless=attr("owner") == "me")

    (table,) = tabulate([notes]).policies
    page = as_markdown(tabulate([notes]))

    assert table.verbs == ("LIST", "VIEW", "CREATE", "UPDATE", "DELETE", "PRINT")
    assert "| reader | ✓ [1] [2] or ✓ [1] | ✓ | – | – | – | – |" in page
    assert "2. text != 'y'" in page
    assert "- the only ones written unless reader: text" in page
    assert "- the only ones written unless owner == 'me': text" in page


def test_grants_that_hold_on_missing_data_are_told():
    """!= , ~ and all are True where something is missing; the page says so."""
    notes = Policy(Note)
    notes.allow(everyone, VIEW, when=attr("secret") != "x")
    notes.allow(everyone, VIEW, when=~(attr("folder.is_open").is_true()))
    notes.allow(everyone, VIEW, when=attr("owner") != "x")
    notes.allow(everyone, VIEW, when=(attr("text") == "y") | attr("folder").is_null())
    notes.allow(everyone, VIEW, when=caller.name.is_null())

    (table,) = tabulate([notes]).policies

    assert table.on_missing_data == (
        "everyone: VIEW when secret != 'x'",
        "everyone: VIEW when not folder.is_open == True",
        "everyone: VIEW when (text == 'y' or folder is null)",
    )
    assert "holds also where data is missing: everyone: VIEW when secret" in as_markdown(
        tabulate([notes])
    )


def test_json_is_for_programs():
    """Every cell as a list of alternatives, each a list of footnote numbers."""
    found = json.loads(as_json(tabulate([make_policy()], [ENDPOINT])))

    assert found["policies"][0]["cells"][1] == [[[1]], [[1]], [[2]], [[1]], [[1]]]
    assert found["endpoints"] == [
        {"rule": "/a|b", "method": "GET", "endpoint": "index", "access": "notes LIST"}
    ]


def test_html_is_a_whole_page_and_escapes():
    """The page needs nothing from elsewhere, and a name is never markup."""
    notes = Policy(Note, name="<b>notes</b>")
    notes.allow(everyone, VIEW, when=(attr("owner") == "x").named("a < b"))
    page = as_html(tabulate([notes, make_policy()], [ENDPOINT]))

    seen = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.add(tag)

    Tags().feed(page)
    assert {"html", "table", "ol", "ul"} <= seen
    assert not {"script", "link", "img", "b"} & seen
    assert "&lt;b&gt;notes&lt;/b&gt;" in page
    assert "<li>a &lt; b</li>" in page


def test_a_matrix_without_endpoints_has_no_table_of_them():
    """Policies can be printed without an app."""
    assert "Endpoints" not in as_html(tabulate([make_policy()]))
    assert "Endpoints" in as_html(tabulate([make_policy()], [ENDPOINT]))


def test_the_matrix_of_an_app_has_its_policies_and_endpoints():
    """Each method is a row; who declared nothing is told so."""
    app = Flask("app", static_folder=None)
    policy = make_policy()
    register_policies(app, policy, caller=lambda: None)
    app.add_url_rule("/open", "open", public(lambda: ""), methods=["GET", "POST"])
    app.add_url_rule("/forgotten", "forgotten", lambda: "")

    found = matrix_of(app)

    assert [table.name for table in found.policies] == [policy.name]
    assert [(row.endpoint, row.method, row.access) for row in found.endpoints] == [
        ("forgotten", "GET", "undeclared"),
        ("open", "GET", "public"),
        ("open", "POST", "public"),
    ]
