"""For the tests of programs that use licet: fixtures, callers made of nothing, and clients.

The fixtures are there as soon as licet is installed (a pytest plugin); `mock_authstate` and
`mock_tokenchecker` stand in for a caller and for what recognises one. `verify_matrix` proves the
access matrix of an app by requests, `assert_policy_consistent` the decisions of a policy by lists.
`Contract` replays the examples of an app's OpenAPI document against the live app.
`FakeIntrospection`, and the fixture ``fake_introspection``, stand in for the issuer of opaque
tokens. `run_pending` runs an app's durable actions here and now, and `replay` breaks a handler of
one off behind each of its steps and sees that it asks for the same ones again.
"""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.testing.browsing import form_to, signed_in
    from licet.testing.clients import protected_client
    from licet.testing.contract import Case, Contract, ContractBroken, Given
    from licet.testing.durable import run_pending
    from licet.testing.introspection import FakeIntrospection
    from licet.testing.matrix import (
        MatrixCases,
        MatrixReport,
        list_request,
        request_to,
        verify_matrix,
    )
    from licet.testing.mocks import mock_authstate, mock_tokenchecker
    from licet.testing.policies import assert_policy_consistent
    from licet.testing.replaying import Replayed, ReplayMismatch, replay
    from licet.testing.serving import served
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.testing.browsing": "form_to signed_in",
            "licet.testing.clients": "protected_client",
            "licet.testing.contract": "Case Contract ContractBroken Given",
            "licet.testing.durable": "run_pending",
            "licet.testing.introspection": "FakeIntrospection",
            "licet.testing.matrix": (
                "MatrixCases MatrixReport list_request request_to verify_matrix"
            ),
            "licet.testing.mocks": "mock_authstate mock_tokenchecker",
            "licet.testing.policies": "assert_policy_consistent",
            "licet.testing.replaying": "Replayed ReplayMismatch replay",
            "licet.testing.serving": "served",
        },
    )

__all__ = [
    "Case",
    "Contract",
    "ContractBroken",
    "FakeIntrospection",
    "Given",
    "MatrixCases",
    "MatrixReport",
    "ReplayMismatch",
    "Replayed",
    "assert_policy_consistent",
    "form_to",
    "list_request",
    "mock_authstate",
    "mock_tokenchecker",
    "protected_client",
    "replay",
    "request_to",
    "run_pending",
    "served",
    "signed_in",
    "verify_matrix",
]
