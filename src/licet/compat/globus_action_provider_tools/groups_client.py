"""``groups_client``: the Globus SDK's client, with the one method that it had in 0.10 to 0.12.

Its address follows ``GLOBUS_SDK_ENVIRONMENT``, as in the SDK. Extra: ``licet[globus]``.
"""

from collections.abc import Set as AbstractSet
from typing import Any

from licet.authn.globus import GROUPS_SCOPE
from licet.errors import ConfigurationError

try:
    import globus_sdk
except ImportError as error:
    raise ConfigurationError(
        "The Groups client needs the globus extra: pip install 'licet[globus]'."
    ) from error

__all__ = ["GROUPS_SCOPE", "GroupsClient"]

_ROLES = frozenset({"member", "admin", "manager"})


class GroupsClient(globus_sdk.GroupsClient):
    """Lists the groups of whoever the authorizer speaks for."""

    def list_groups(self, roles: AbstractSet[str] = _ROLES) -> list[dict[str, Any]]:
        """The groups in which the caller has one of the roles."""
        return [
            group
            for group in self.get_my_groups()
            if any(membership.get("role") in roles for membership in group["my_memberships"])
        ]
