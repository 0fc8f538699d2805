"""For the tests of programs that use licet: fixtures, callers made of nothing, and clients.

The fixtures are there as soon as licet is installed (a pytest plugin); `mock_authstate` and
`mock_tokenchecker` stand in for a caller and for what recognises one. `verify_matrix` proves the
access matrix of an app by requests, `assert_policy_consistent` the decisions of a policy by lists.
"""

from licet.testing.clients import protected_client
from licet.testing.matrix import MatrixCases, MatrixReport, list_request, request_to, verify_matrix
from licet.testing.mocks import mock_authstate, mock_tokenchecker
from licet.testing.policies import assert_policy_consistent

__all__ = [
    "MatrixCases",
    "MatrixReport",
    "assert_policy_consistent",
    "list_request",
    "mock_authstate",
    "mock_tokenchecker",
    "protected_client",
    "request_to",
    "verify_matrix",
]
