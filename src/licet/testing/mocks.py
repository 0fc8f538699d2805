"""Callers for tests: no client id, secret, token or network is needed.

Source: seed document 001 ("a patch that is useful for testing").
"""

from __future__ import annotations

from typing import Any, Final
from unittest.mock import Mock

from licet.authn.globus import AuthState, TokenChecker

__all__ = ["MOCK_IDENTITY", "mock_authstate", "mock_tokenchecker"]

MOCK_IDENTITY: Final = "urn:globus:auth:identity:00000000-0000-0000-0000-000000000000"


def mock_authstate(*_args: Any, **_kwargs: Any) -> Any:
    """A caller whom every list admits: a Mock with the attributes of `AuthState`.

    Change what it answers as with any Mock, for example
    ``state.check_authorization.return_value = False``.
    """
    state = Mock(spec=AuthState, name="MockedAuthState")
    state.bearer_token = "MOCK_BEARER_TOKEN"  # noqa: S105 - no secret
    state.errors = []
    state.effective_identity = MOCK_IDENTITY
    state.identities = frozenset({MOCK_IDENTITY})
    state.groups = frozenset()
    state.principals = frozenset({MOCK_IDENTITY})
    state.check_authorization.return_value = True
    state.introspect_token.return_value = None
    return state


def mock_tokenchecker(*_args: Any, **_kwargs: Any) -> Any:
    """What recognises every request as coming from `mock_authstate`'s caller."""
    checker = Mock(spec=TokenChecker, name="MockedTokenChecker")
    state = mock_authstate()
    checker.check_token.return_value = state
    checker.build.return_value = state
    checker.build_from_request.return_value = state
    return checker
