"""`can` and `allowed_verbs`: the answers of `decide` for templates, views and front ends."""

import json

import pytest
from flask import render_template_string
from tests.unit.authz.notes import Note, make_app

from licet import Licet
from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, Verb, can, policies_of
from licet.errors import UsageError

CALLERS = ("", "ann", "ben", "root")


@pytest.fixture
def attached():
    """An app with a policy for notes, and `Licet`."""
    found = make_app()
    Licet(found)
    return found


def request_of(app, name):
    return app.test_request_context(headers={"X-User": name} if name else {})


@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize("verb", [VIEW, UPDATE, DELETE, LIST, "UPDATE"])
def test_the_answer_is_that_of_decide(attached, name, verb):
    """In Python and in a template, the policy being that of the object's class."""
    (policy,) = policies_of(attached)
    with request_of(attached, name):
        from licet.authz.flask import current_caller

        wanted = Verb(verb) if isinstance(verb, str) else verb
        for note in attached.extensions["notes"].query(Note):
            expected = policy.decide(current_caller(), wanted, note).allowed
            assert can(verb, note) is expected
            page = render_template_string("{{ can(verb, note) }}", verb=verb, note=note)
            assert page == str(expected)


def test_another_may_be_asked_about(attached):
    """Instead of the caller."""

    class Root:
        is_admin = True

    note = attached.extensions["notes"].get(Note, 1)
    with request_of(attached, "ben"):
        assert not can(DELETE, note)
        assert can(DELETE, note, identity=Root())


@pytest.mark.parametrize(("name", "expected"), [("", False), ("ann", True)])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_policy_is_asked_where_there_is_no_object(attached, name, expected, by_name):
    """Whether there could be one: nobody creates notes, and somebody may, in an open folder."""
    (policy,) = policies_of(attached)
    with request_of(attached, name):
        assert can(CREATE, policy.name if by_name else policy) is expected
        page = render_template_string("{{ can('CREATE', 'notes') }}")
    assert page == str(expected)


def test_a_bad_token_may_nothing(app):
    """The page for a refused caller can be rendered by the template of all pages."""
    from licet.authz import Policy, everyone, register_policies

    Licet(app)
    register_policies(app, Policy(Note, name="notes").allow(everyone, LIST))
    with app.test_request_context(headers={"Authorization": "Bearer bad"}):
        assert not can(LIST, "notes")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("'UPDATE', 'note'", "no policy 'note': did you mean 'notes'[?]"),
        ("'UPDAT', note", "no verb 'UPDAT': did you mean 'UPDATE'[?]"),
        ("'UPDATE', 5", r"class that the app has a policy for \(Note\), a policy or its name, and"),
        ("'UPDATE', none", "was given a NoneType"),
    ],
)
def test_what_cannot_be_asked_is_an_error(attached, asked, told):
    """A slip in a template is neither yes nor no."""
    note = attached.extensions["notes"].get(Note, 1)
    with request_of(attached, "ann"), pytest.raises(UsageError, match=told):
        render_template_string(f"{{{{ can({asked}) }}}}", note=note)


def test_the_apps_own_name_goes_before(app):
    """A function of the app's that is called `can` stays what it is."""
    Licet(app)
    app.jinja_env.globals["can"] = lambda: "own"
    with app.test_request_context():
        assert render_template_string("{{ can() }}") == "own"


@pytest.mark.parametrize("name", CALLERS)
def test_allowed_verbs_are_those_that_decide_allows(attached, name):
    """As a list for JSON, in the order of the matrix."""
    (policy,) = policies_of(attached)
    with request_of(attached, name):
        from licet.authz.flask import current_caller

        asking = current_caller()
        for note in attached.extensions["notes"].query(Note):
            verbs = policy.allowed_verbs(asking, note)
            decided = [n for n in policy.verbs if policy.decide(asking, Verb(n), note)]
            assert json.loads(json.dumps(verbs)) == decided
