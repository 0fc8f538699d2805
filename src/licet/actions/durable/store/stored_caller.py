"""What a durable action remembers of who submitted it: names and groups, never a token."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

from licet.authn.auth_state import AuthState
from licet.authn.identity import Identity, names_a_group
from licet.errors import ConfigurationError

__all__ = ["StoredAuthState", "caller_json", "stored_caller"]


class StoredAuthState(AuthState):
    """The caller of a durable action, as known when it was submitted.

    `had_session` says that the token was one of a session, as local accounts have.
    """

    def __init__(self, identity: Identity, *, had_session: bool) -> None:
        super().__init__(identity)
        self.had_session = had_session

    def get_authorizer_for_scope(
        self,
        scope: str,
        *,
        bypass_dependent_token_cache: bool = False,
        required_authorizer_expiration_time: int = 60,
    ) -> Any:
        """Not to be had: no token is stored with an action.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            f"There is no dependent token for {scope!r}: an action is stored without its caller's "
            "token. Use the service's own credentials in the handler."
        )


def caller_json(auth: AuthState, runnable_by: list[str]) -> str:
    """What is kept of a caller.

    Groups that another service must be asked for are kept only where `runnable_by` names a group,
    so that they are known already.
    """
    identity = getattr(auth, "identity", None)
    groups: frozenset[str] = getattr(identity, "groups", frozenset())
    if names_a_group(runnable_by):
        groups = auth.groups
    return _rendered(
        getattr(identity, "issuer", ""),
        getattr(identity, "subject", ""),
        auth.effective_identity,
        frozenset(auth.identities),
        frozenset(groups),
        frozenset(getattr(identity, "roles", ())),
        "sid" in getattr(identity, "claims", ()),
    )


@lru_cache(maxsize=256)
def _rendered(
    issuer: str,
    subject: str,
    principal: str,
    identities: frozenset[str],
    groups: frozenset[str],
    roles: frozenset[str],
    has_session: bool,  # noqa: FBT001 - this module's own
) -> str:
    """One who submits often is written down once."""
    text: bytes = to_json(
        {
            "issuer": issuer,
            "subject": subject,
            "principal": principal,
            "principals": sorted(identities | groups),
            "roles": sorted(roles),
            "session": has_session,
        }
    )
    return text.decode()


def stored_caller(text: str) -> StoredAuthState:
    """The caller that `caller_json` wrote down."""
    identity, had_session = _parsed(text)
    return StoredAuthState(identity, had_session=had_session)


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Identity, bool]:
    """The identity, and whether it is a local account's; one who submits often is read once."""
    kept = from_json(text)
    identity = Identity(
        issuer=kept["issuer"],
        subject=kept["subject"],
        principal=kept["principal"],
        principals=frozenset(kept["principals"]),
        roles=frozenset(kept["roles"]),
    )
    return identity, bool(kept["session"])
