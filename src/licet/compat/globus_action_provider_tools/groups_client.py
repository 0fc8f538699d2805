"""``groups_client``: the Globus SDK's client, with the one method that it had in 0.10 to 0.12.

Its address follows ``GLOBUS_SDK_ENVIRONMENT``, as in the SDK. The class needs the extra
``licet[globus]``, and is made when it is first asked for; the module needs none.
"""

from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from licet.authn.globus import GROUPS_SCOPE
from licet.authn.globus._answers import globus_sdk_or_error

__all__ = ["GROUPS_SCOPE", "GroupsClient"]

GroupsClient: Any
_ROLES = frozenset({"member", "admin", "manager"})


@cache
def _groups_client() -> Any:
    base: Any = globus_sdk_or_error().GroupsClient

    class GroupsClient(base):  # type: ignore[misc]  # the SDK may be missing
        """Lists the groups of whoever the authorizer speaks for."""

        def list_groups(self, roles: AbstractSet[str] = _ROLES) -> list[dict[str, Any]]:
            """The groups in which the caller has one of the roles."""
            return [
                group
                for group in self.get_my_groups()
                if any(membership.get("role") in roles for membership in group["my_memberships"])
            ]

    GroupsClient.__module__, GroupsClient.__qualname__ = __name__, GroupsClient.__name__
    return GroupsClient


def __getattr__(name: str) -> Any:
    """The class, at its first use.

    Raises:
        ConfigurationError: the Globus SDK is not installed; says which extra it comes with.
    """
    if name != "GroupsClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _groups_client()
