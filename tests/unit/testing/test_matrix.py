"""`verify_matrix` passes a sound app, and finds each way in which one can be wrong."""

from dataclasses import replace

import pytest
from tests.unit.authn.callers import Names, by
from tests.unit.authz.notes import Note, fill, make_app, make_policy

from licet import Licet
from licet.authn import use_verifier
from licet.authz import CREATE, DELETE, LIST, UPDATE, VIEW, Verb, everyone, registered
from licet.testing import MatrixCases, list_request, request_to, verify_matrix


def draft(folder):
    return lambda: (Note(owner="x", folder_id=folder), {"folder_id": folder})


def cases(app, **changes):
    """The app's cases; a change to None leaves an option out."""
    from licet.authz import policies_of

    settings = {
        "policy": policies_of(app)[0],
        "callers": {name: {"X-User": name} if name else {} for name in ("", "ann", "ben", "root")},
        "objects": {"ann's, open": 1, "ann's, closed": 2, "ben's, open": 3, "ben's alone": 4},
        "drafts": {"in the open folder": draft(1), "in the closed one": draft(2)},
        "requests": {
            LIST: list_request("/notes"),
            VIEW: request_to("GET", "/notes/{key}"),
            CREATE: request_to("POST", "/notes"),
            UPDATE: request_to("PATCH", "/notes/{key}", {"text": "new"}),
            DELETE: request_to("DELETE", "/notes/{key}"),
        },
        "reset": lambda: fill(app.extensions["notes"]),
    }
    given = {name: option for name, option in (settings | changes).items() if option is not None}
    return [MatrixCases(**given)]


def test_a_sound_app_passes():
    """Every caller, verb and object is tried, and the outcomes are told."""
    app = make_app()
    report = verify_matrix(app, cases(app))

    assert report.requests == 4 * (4 * 4 + 2)
    assert report.outcomes["404"] > 10
    assert report.failures == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"list": "unfiltered"}, "notes:  LIST ann's, closed is in the list"),
        ({"update": VIEW}, "notes:  UPDATE ann's, open is answered 200 instead of 401"),
        ({"update": VIEW}, "notes: ben UPDATE ann's, open is answered 200 instead of 403"),
        ({"missing": "told"}, "is answered otherwise than an object that does not exist"),
    ],
)
def test_a_wrong_response_is_told(fault, told):
    """A list that is not filtered, a wrong verb and an oracle are each found."""
    app = make_app(**fault)
    with pytest.raises(AssertionError) as error:
        verify_matrix(app, cases(app))
    assert told in str(error.value)


def test_an_allowed_request_that_fails_is_told():
    """What the policy allows must be done."""
    app = make_app()
    requests = cases(app)[0].requests | {UPDATE: request_to("PATCH", "/notes/{key}", "no object")}
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with pytest.raises(AssertionError, match="ann UPDATE ann's, open is answered 500 though"):
        verify_matrix(app, cases(app, requests=requests))


def test_a_list_with_its_own_form_is_read():
    """What is in a list can be told by a function; a list that is refused holds nothing."""
    app = make_app()
    own = list_request("/notes", lambda response: {one["id"] for one in response.json})
    refused = list_request("/nowhere")
    verify_matrix(app, cases(app, requests=cases(app)[0].requests | {LIST: own}))
    with pytest.raises(AssertionError, match="is not in the list"):
        verify_matrix(app, cases(app, requests=cases(app)[0].requests | {LIST: refused}))


def test_a_table_that_disagrees_is_told():
    """A table of one's own is held against the policy."""
    app = make_app()
    with pytest.raises(AssertionError, match="ann DELETE ann's, open the policy says yes"):
        verify_matrix(app, cases(app, expected=lambda _caller, _name, verb: verb != DELETE))


def test_a_verb_without_requests_is_told():
    """An endpoint of the app that no case asks is a gap."""
    app = make_app()
    requests = dict(cases(app)[0].requests)
    del requests[DELETE]
    with pytest.raises(AssertionError, match="notes: DELETE is served by the app and had no req"):
        verify_matrix(app, cases(app, requests=requests))


def test_a_grant_and_a_denial_without_a_case_are_told():
    """Every grant must have been used, and every verb denied at least once."""
    app = make_app()
    with pytest.raises(AssertionError) as error:
        verify_matrix(app, cases(app, callers={"root": {"X-User": "root"}}))
    assert "VIEW by the grant `registered: DELETE | LIST | UPDATE | VIEW" in str(error.value)
    assert "notes: VIEW was never denied in any case" in str(error.value)


def test_a_policy_without_cases_is_told():
    """Every policy of the app is proved, or the proof fails."""
    with pytest.raises(AssertionError, match="notes: no cases"):
        verify_matrix(make_app(), [])


def test_a_case_without_its_object_is_told():
    """A key that is not there is a mistake of the cases."""
    app = make_app()
    with pytest.raises(AssertionError, match="there is no lost with the key 99"):
        verify_matrix(app, cases(app, objects={"lost": 99}))


def test_an_apps_own_verb_is_a_verb():
    """PUBLISH has its cases like the five usual verbs."""
    policy = make_policy()
    policy.allow(registered, Verb("PUBLISH"))
    app = make_app(policy)
    publish = {Verb("PUBLISH"): request_to("GET", "/notes/{key}")}
    given = cases(app)[0]
    callers = {name: one for name, one in given.callers.items() if one}
    requests = given.requests | publish
    with pytest.raises(AssertionError, match="PUBLISH was never denied"):
        verify_matrix(app, cases(app, callers=callers, requests=requests))


def test_a_verb_that_everybody_has_needs_no_denial():
    """As nobody is ever denied it."""
    policy = make_policy()
    policy.allow(everyone, Verb("PUBLISH"))
    app = make_app(policy)
    publish = {Verb("PUBLISH"): request_to("GET", "/notes")}
    verify_matrix(app, cases(app, requests=cases(app)[0].requests | publish))


def test_a_caller_without_standing_is_refused_everything():
    """The matrix expects 403 of whoever the app does not know, whatever the policy would say."""
    app = make_app(config={"LICET_PROTECT": False})
    use_verifier(app, Names())
    Licet(app).account_of(lambda _identity: None)
    (case,) = cases(app)
    strange = {"a stranger": {**by("stranger"), "X-User": "root"}}
    report = verify_matrix(app, [replace(case, callers={**case.callers, **strange})])
    assert report.failures == []


@pytest.mark.parametrize("resets", [True, False])
def test_callers_sign_in_again_after_each_reset(resets):
    """Without one they sign in once; an app without sessions has no messages to forget."""
    app, sent = make_app(), []

    def sign_in(client):
        sent.append(client)
        client.environ_base["HTTP_X_USER"] = "ann"

    changes = {} if resets else {"reset": None}
    update = {UPDATE: request_to("PATCH", "/notes/{key}", {"text": "new"})}
    with pytest.raises(AssertionError, match="LIST is served by the app and had no request"):
        verify_matrix(app, cases(app, callers={"ann": sign_in}, requests=update, **changes))
    assert not app.secret_key
    assert (len(sent) > 1) is resets
