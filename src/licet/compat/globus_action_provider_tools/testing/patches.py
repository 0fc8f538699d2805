"""``testing.patches``: callers of any kind are let in by an app that is made while a patch is on.

Each is a patch of `unittest.mock`: a context manager, a decorator, or started and stopped. In the
original it had to stay on while requests were made as well; here it may.
"""

from unittest.mock import patch

from licet.testing.mocks import mock_tokenchecker

__all__ = ["flask_api_helpers_tokenchecker_patch", "flask_blueprint_tokenchecker_patch"]

flask_api_helpers_tokenchecker_patch = patch(
    "licet.actions.interface.helpers.make_state_builder", mock_tokenchecker
)
flask_blueprint_tokenchecker_patch = patch(
    "licet.actions.interface.blueprint.make_state_builder", mock_tokenchecker
)
