"""``testing.mocks``."""

from licet.testing.mocks import mock_authstate, mock_tokenchecker

__all__ = ["mock_authstate", "mock_tokenchecker"]
