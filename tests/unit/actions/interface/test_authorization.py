"""Who may see and who may manage an action."""

import pytest
from tests.unit.actions.making import ALICE, BOB, TEAM, make_caller, make_status

from licet.actions.interface.authorization import (
    authorize_action_access_or_404,
    authorize_action_management_or_404,
    authorize_management,
    may_manage,
    may_see,
)
from licet.errors import ActionForbidden, ActionNotFound, AuthenticationError


@pytest.mark.parametrize(
    ("caller", "fields", "sees", "manages"),
    [
        ((ALICE,), {}, True, True),
        ((BOB,), {}, False, False),
        ((BOB,), {"monitor_by": [BOB]}, True, False),
        ((BOB,), {"manage_by": [BOB]}, False, True),
        ((BOB,), {"monitor_by": [BOB], "manage_by": [BOB]}, True, True),
        ((BOB, TEAM), {"monitor_by": [TEAM]}, True, False),
        ((BOB, TEAM), {"manage_by": [TEAM]}, False, True),
        ((BOB, ALICE), {}, True, True),
        ((ALICE,), {"monitor_by": None, "manage_by": None}, True, True),
        ((BOB,), {"monitor_by": None, "manage_by": None}, False, False),
        ((), {"monitor_by": [TEAM]}, False, False),
    ],
)
class TestWho:
    def test_may(self, caller, fields, sees: bool, manages: bool):
        """The creator may do all; others what the lists grant to them or their groups."""
        status, auth = make_status(**fields), make_caller(*caller)
        assert (may_see(status, auth), may_manage(status, auth)) == (sees, manages)

    @pytest.mark.parametrize("access", [True, False])
    def test_or_404(self, caller, fields, sees: bool, manages: bool, access: bool):
        """Who may not is told that there is no such action."""
        authorize = authorize_action_access_or_404 if access else authorize_action_management_or_404
        status, auth = make_status(**fields), make_caller(*caller)
        if sees if access else manages:
            assert authorize(status, auth) is None
            return
        with pytest.raises(ActionNotFound, match=f"No Action with id {status.action_id}") as caught:
            authorize(status, auth)
        assert caught.value.code == 404
        assert isinstance(caught.value, AuthenticationError)

    def test_or_403(self, caller, fields, sees: bool, manages: bool):
        """Where the toolkit decides, who may see but not manage is told so."""
        status, auth = make_status(**fields), make_caller(*caller)
        if manages:
            assert authorize_management(status, auth) is None
            return
        with pytest.raises(ActionForbidden if sees else ActionNotFound):
            authorize_management(status, auth)
