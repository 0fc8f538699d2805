"""`allowed`, in templates and views, with and without `Allows`."""

import logging

import pytest
from flask import render_template_string
from jinja2 import UndefinedError
from tests.unit.authz.notes import Note, make_app

from licet import Licet
from licet.authz import UPDATE, Allows, allowed, policies_of
from licet.errors import InvalidCondition, UsageError


def as_user(app, name, page, **given):
    """The page as a caller gets it."""
    with app.test_request_context(headers={"X-User": name} if name else {}):
        given["note"] = app.extensions["notes"].get(Note, 1)
        return render_template_string(page, **given)


@pytest.fixture(params=["licet", "licet and Allows", "Allows and licet"])
def attached(request):
    """An app with a policy and `Licet`, and with or without an `Allows`, in either order."""
    found = make_app()
    parts = {"licet": Licet, "Allows": lambda app: Allows(app, identity_loader=lambda: Nobody)}
    for part in request.param.split(" and "):
        parts[part](found)
    return found


class Nobody:
    """Whom an Allows of the app's loads: a moderator of another kind than the policies' callers."""

    is_moderator = True


@pytest.mark.parametrize(("name", "text"), [("ann", "edit"), ("ben", ""), ("", "")])
@pytest.mark.parametrize("policy", ["'notes'", "policy"])
@pytest.mark.parametrize("verb", ["'UPDATE'", "verb"])
def test_templates_ask_a_policy(attached, name, text, policy, verb):
    """By itself or by its name, the caller being whom the policies ask about."""
    page = f"{{% if allowed({policy}, {verb}, note) %}}edit{{% endif %}}"
    assert as_user(attached, name, page, policy=policies_of(attached)[0], verb=UPDATE) == text


def test_templates_ask_requirements(attached):
    """The app's Allows is asked if there is one, else the policies' caller."""
    page = "{{ allowed(asked) }}"
    with_allows = "allows" in attached.extensions
    assert as_user(attached, "ann", page, asked=lambda user: user.name == "ann") == str(
        not with_allows
    )
    assert as_user(attached, "ann", page, asked=lambda user: user.is_moderator) == str(with_allows)


def test_another_may_be_asked_about(attached):
    """Instead of the caller."""

    class Root:
        is_admin = True

    page = "{{ allowed('notes', 'DELETE', note, identity=root) }}"
    assert as_user(attached, "ben", page, root=Root()) == "True"


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ("'note', 'UPDATE', note", UsageError, "no policy 'note': did you mean 'notes'[?]$"),
        ("'notes', 'UPDAT', note", UsageError, "no verb 'UPDAT': did you mean 'UPDATE'[?]$"),
        ("'notes', 'update', note", UsageError, "did you mean 'UPDATE'"),
        ("'notes', 'UPDATE'", UsageError, "needs a policy, a verb and an object"),
        ("", UsageError, "asked nothing"),
        ("'notes', 'UPDATE', none", InvalidCondition, "was given a NoneType"),
        ("'notes', 'UPDATE', nothing.there", UndefinedError, "nothing"),
        ("is_amdin", UndefinedError, "is_amdin"),
        ("note", TypeError, "requirement"),
    ],
)
def test_what_cannot_be_asked_is_an_error(attached, asked, error, told):
    """A slip in a template is neither yes nor no."""
    with pytest.raises(error, match=told):
        as_user(attached, "ann", f"{{{{ allowed({asked}) }}}}")


def test_a_bad_token_may_nothing(app):
    """The page for a refused caller can be rendered by the template of all pages."""
    Licet(app)

    @app.errorhandler(404)
    def page(_error):
        return render_template_string("{{ allowed(asked) }}", asked=lambda _user: True), 404

    response = app.test_client().get("/nowhere", headers={"Authorization": "Bearer bad"})
    assert (response.status_code, response.text) == (404, "False")


def test_asking_logs_no_denial(attached, caplog):
    """A button that is not shown is no event."""
    with caplog.at_level(logging.INFO), attached.test_request_context(headers={"X-User": "ben"}):
        assert not allowed("notes", "UPDATE", attached.extensions["notes"].get(Note, 1))
    assert caplog.records == []


@pytest.mark.parametrize("after", [True, False])
def test_the_apps_own_name_goes_before(app, after):
    """A global, a context processor of the app's, before or after, and what a view hands on."""
    own = {"allowed": lambda: "own"}
    processors = [lambda: app.context_processor(lambda: own), lambda: Licet(app)]
    for attach in reversed(processors) if after else processors:
        attach()
    with app.test_request_context():
        assert render_template_string("{{ allowed() }}") == "own"
        assert render_template_string("{{ allowed }}", allowed="given") == "given"


def test_a_global_of_the_apps_goes_before(app):
    """Also one that is set later."""
    Licet(app)
    assert "jinja_env" not in vars(app)
    app.jinja_env.globals["allowed"] = lambda: "own"
    with app.test_request_context():
        assert render_template_string("{{ allowed() }}") == "own"
