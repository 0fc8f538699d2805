"""For the tests of programs that use licet: fixtures, and callers made of nothing.

The fixtures are there as soon as licet is installed (a pytest plugin); `mock_authstate` and
`mock_tokenchecker` stand in for a caller and for what recognises one.
"""

from licet.testing.mocks import mock_authstate, mock_tokenchecker

__all__ = ["mock_authstate", "mock_tokenchecker"]
