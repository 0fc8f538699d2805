"""Providers refuse callers whose account is missing, or may not be used, in every operation."""

import pytest
from tests.api.providers import ROUTES, Site

from licet import Licet
from licet.actions.interface.flask import with_standing
from licet.authn import Standing
from licet.authn.tokens.issuer import subject_of
from licet.testing.mocks import mock_authstate

STANDINGS = {
    subject_of(name): standing
    for name, standing in [
        ("ann", Standing.ACTIVE),
        ("una", Standing.UNAPPROVED),
        ("dis", Standing.DISABLED),
    ]
}
REFUSED = {"eve": "NotRegistered", "una": "AccountNotApproved", "dis": "AccountDisabled"}


@pytest.fixture
def people(new_site) -> Site:
    """A provider in an app that knows a few people."""
    site = new_site({"LICET_PROTECT": False}, visible_to=["all_authenticated_users"])
    licet = Licet(site.app)
    licet.account_of(lambda identity: identity.subject if identity.subject in STANDINGS else None)
    licet.standing_of(STANDINGS.get)
    return site


@pytest.mark.parametrize("operation", ROUTES["old"])
def test_only_who_is_active_may_call(people, operation):
    """Each operation is refused with what is wrong, whether there is such an action or not."""
    for name, code in REFUSED.items():
        answer = people.call(operation, by=name)
        assert (answer.status_code, answer.json["code"]) == (403, code)
    assert people.call(operation, by="ann").status_code in {200, 400, 404, 501}


def test_who_is_disabled_loses_their_actions(people):
    """An action that was theirs is theirs again when they are active again."""
    action_id = people.started("ann")
    STANDINGS[subject_of("ann")] = Standing.DISABLED
    try:
        assert people.call("status", by="ann", action_id=action_id).status_code == 403
    finally:
        STANDINGS[subject_of("ann")] = Standing.ACTIVE
    assert people.call("status", by="ann", action_id=action_id).status_code == 200


def test_a_state_of_the_tests_own_making_passes(people):
    """What stands in for a caller in tests has no account that could be looked at."""
    with people.app.test_request_context():
        state = mock_authstate()
        assert with_standing(state) is state
