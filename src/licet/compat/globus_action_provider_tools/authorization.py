"""``authorization``.

The functions raise an error that is both `ActionNotFound` (0.10, answered with 404, as their names
say and as here) and `AuthenticationError` (0.12 and later, answered with 401).
"""

from licet.actions.interface.authorization import (
    authorize_action_access_or_404,
    authorize_action_management_or_404,
)

__all__ = ["authorize_action_access_or_404", "authorize_action_management_or_404"]
