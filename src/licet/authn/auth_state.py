"""The caller as action providers see them: who they are, and whether a list admits them.

`AuthState` is made from an `Identity`; `licet.authn.globus` makes one from a Globus Auth token.

Source: seed documents 000 and 001 (the names); spec: groups are asked for only when a list
names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from licet.authn.identity import Identity, names_a_group
from licet.errors import ConfigurationError, InsufficientScope

__all__ = ["AuthState", "StateBuilder", "require_scope"]


class AuthState:
    """What is known of a caller.

    Everything else here follows from `effective_identity`, `identities` and `groups`, which a
    subclass may compute in its own way.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.errors: list[Exception] = []

    @property
    def effective_identity(self) -> str:
        """The URN that records made for this caller name."""
        return self.identity.principal

    @property
    def identities(self) -> frozenset[str]:
        """Every identity URN of the caller, without groups."""
        return self.identity.identities

    @property
    def groups(self) -> frozenset[str]:
        """The URNs of the caller's groups."""
        return self.identity.groups

    @property
    def principals(self) -> frozenset[str]:
        """Identities and groups together."""
        return self.identities | self.groups

    def check_authorization(
        self,
        allowed_principals: Iterable[str],
        allow_public: bool = False,  # noqa: FBT001, FBT002 - the seed's signature
        allow_all_authenticated_users: bool = False,  # noqa: FBT001, FBT002 - as above
    ) -> bool:
        """Whether the list admits the caller.

        ``public`` and ``all_authenticated_users`` in the list count only where the matching
        argument says so. Groups are looked up only when the list names one.
        """
        allowed = frozenset(allowed_principals)
        if allow_public and "public" in allowed:
            return True
        mine = self.identities
        if allow_all_authenticated_users and mine and "all_authenticated_users" in allowed:
            return True
        if allowed & mine:
            return True
        return names_a_group(allowed) and bool(allowed & self.groups)

    @staticmethod
    def group_in_principal_list(principal_list: Iterable[str]) -> bool:
        """Whether deciding about this list needs the caller's groups."""
        return names_a_group(principal_list)

    def get_authorizer_for_scope(
        self,
        scope: str,
        *,
        bypass_dependent_token_cache: bool = False,
        required_authorizer_expiration_time: int = 60,
    ) -> Any:
        """A Globus SDK authorizer for another service; only Globus tokens can give one.

        Raises:
            ConfigurationError: always, for a caller whom Globus Auth did not vouch for.
        """
        raise ConfigurationError(
            f"There is no dependent token for {scope!r}: this caller signed in with a token of "
            f"{self.identity.issuer!r}. Set CLIENT_ID and CLIENT_SECRET to use Globus Auth."
        )

    def get_dependent_tokens(self) -> Any:
        """The dependent tokens of a Globus token.

        Raises:
            ConfigurationError: always, for a caller whom Globus Auth did not vouch for.
        """
        return self.get_authorizer_for_scope("*")


@runtime_checkable
class StateBuilder(Protocol):
    """Makes the `AuthState` of a request's caller."""

    def build_from_request(self) -> AuthState:
        """The caller of the current request.

        Raises:
            AuthenticationError: there is no acceptable token.
        """
        ...


def require_scope(identity: Identity, accepted_scopes: Sequence[str]) -> None:
    """Refuse an identity whose token carries none of the accepted scopes; any one will do.

    Raises:
        InsufficientScope: with the first of them.
    """
    if identity.scopes.isdisjoint(accepted_scopes):
        raise InsufficientScope(accepted_scopes=tuple(accepted_scopes))
