"""For the tests of programs that use licet: fixtures, callers made of nothing, and clients.

The fixtures are there as soon as licet is installed (a pytest plugin); `mock_authstate` and
`mock_tokenchecker` stand in for a caller and for what recognises one; `protected_client` is a
client of an app whose every endpoint says who may call it.
"""

from licet.testing.clients import protected_client
from licet.testing.mocks import mock_authstate, mock_tokenchecker

__all__ = ["mock_authstate", "mock_tokenchecker", "protected_client"]
