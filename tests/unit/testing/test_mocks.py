"""Callers made of nothing."""

from __future__ import annotations

import pytest

from licet.actions import AuthState
from licet.authn.globus import AuthState as GlobusAuthState
from licet.authn.identity import is_principal
from licet.testing import mock_authstate, mock_tokenchecker
from licet.testing.mocks import MOCK_IDENTITY


def test_every_list_admits_the_caller():
    """The state answers as a caller with one identity and no group."""
    state = mock_authstate()

    assert state.check_authorization([])
    assert is_principal(MOCK_IDENTITY)
    assert state.effective_identity == MOCK_IDENTITY
    assert state.identities == state.principals == {MOCK_IDENTITY}
    assert state.groups == frozenset()
    assert state.errors == []
    assert state.introspect_token() is None


def test_it_passes_for_an_auth_state():
    """Code that checks the type is content, and misspelt names are told."""
    state = mock_authstate()

    assert isinstance(state, AuthState)
    assert isinstance(state, GlobusAuthState)
    with pytest.raises(AttributeError):
        _ = state.no_such_name


def test_answers_can_be_changed():
    """It is a Mock: a test decides what it says."""
    state = mock_authstate()
    state.check_authorization.return_value = False

    assert not state.check_authorization(["x"])
    assert mock_authstate().check_authorization(["x"])


def test_arguments_are_taken_and_ignored():
    """Both can stand wherever the real ones are called."""
    assert mock_authstate("client", expected_scopes=()).bearer_token
    assert mock_tokenchecker("id", "secret", expected_scopes=())


def test_a_checker_recognises_every_request():
    """Each of its ways gives the same caller."""
    checker = mock_tokenchecker()

    state = checker.build_from_request()

    assert state.effective_identity == MOCK_IDENTITY
    assert checker.check_token("x") is checker.build("x") is state
