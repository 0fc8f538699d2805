"""What Globus Auth and Globus Groups answer, read strictly.

An answer of another shape is no answer: it raises `AuthenticationUnavailable`, so that it neither
accepts nor refuses a caller.

Source: RFC 7662 section 2.2; the Globus Auth and Groups API references.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from licet.authn.tokens._introspected import AnswerTime
from licet.errors import AuthenticationUnavailable, ConfigurationError

__all__ = [
    "ClientFactory",
    "Introspected",
    "globus_sdk_or_error",
    "group_ids",
    "lasts",
    "read_introspection",
]


log = logging.getLogger(__name__)
_LEEWAY_SECONDS: Final = 60
_STRICT: Final = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)
if TYPE_CHECKING:
    import globus_sdk


class _Answer(BaseModel):
    model_config = _STRICT

    active: bool


class _ActiveAnswer(_Answer):
    sub: Any = None
    identity_set: list[str] | None = None
    scope: str | None = None
    exp: AnswerTime | None = None
    nbf: AnswerTime | None = None


class _Membership(BaseModel):
    model_config = _STRICT

    status: str = "active"


class _Group(BaseModel):
    model_config = _STRICT

    id: str
    my_memberships: list[_Membership] | None = None


_GROUPS: Final = TypeAdapter(list[_Group])


@dataclass(frozen=True, kw_only=True)
class Introspected:
    """A token, as Globus Auth sees it: of nobody when `subject` is empty."""

    subject: str
    identities: frozenset[str]
    scopes: frozenset[str]


_OF_NOBODY: Final = Introspected(subject="", identities=frozenset(), scopes=frozenset())


def read_introspection(answer: Any) -> Introspected:
    """What an introspection says now.

    Of a token that is inactive, out of its time or without a subject it says nothing.

    Raises:
        AuthenticationUnavailable: it does not say whether the token is active, or says something
            else in another form than documented.
    """
    try:
        found = answer if isinstance(answer, dict) else getattr(answer, "data", None)
        if not _Answer.model_validate(found).active:
            return _OF_NOBODY
        read = _ActiveAnswer.model_validate(found)
    except (ValueError, RecursionError) as error:
        log.warning("Globus Auth's introspection cannot be read")
        raise AuthenticationUnavailable from error
    now = time.time()
    is_over = read.exp is not None and read.exp <= now
    is_early = read.nbf is not None and read.nbf > now + _LEEWAY_SECONDS
    if is_over or is_early or not isinstance(read.sub, str):
        return _OF_NOBODY
    return Introspected(
        subject=read.sub,
        identities=frozenset((read.sub, *(read.identity_set or ()))),
        scopes=frozenset((read.scope or "").split()),
    )


def group_ids(listed: Any) -> frozenset[str]:
    """The groups of a list of the caller's, without those that they are only invited to, or left.

    Raises:
        AuthenticationUnavailable: it is no list of groups.
    """
    try:
        groups = _GROUPS.validate_python(list(listed))
    except (TypeError, ValueError, RecursionError) as error:
        log.warning("The Groups API's answer cannot be read")
        raise AuthenticationUnavailable from error
    return frozenset(group.id for group in groups if _is_member(group))


def _is_member(group: _Group) -> bool:
    return not group.my_memberships or any(m.status == "active" for m in group.my_memberships)


def lasts(token: dict[str, Any] | None, seconds: int) -> bool:
    """Whether a dependent token is there, and for so long."""
    expiry = None if token is None else token.get("expires_at_seconds")
    return token is not None and not (
        isinstance(expiry, int | float) and expiry <= time.time() + seconds
    )


def globus_sdk_or_error() -> Any:
    """The SDK's module.

    Raises:
        ConfigurationError: it is not installed; says which extra it comes with.
    """
    try:
        import globus_sdk  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise ConfigurationError(
            "Globus Auth needs the globus extra: pip install 'licet[globus]', or leave CLIENT_ID "
            "and CLIENT_SECRET blank to use the app's own tokens."
        ) from error
    return globus_sdk


class ClientFactory:
    """Makes the Globus SDK clients; replace it to change time-outs or addresses."""

    DEFAULT_AUTH_TRANSPORT_PARAMS: tuple[tuple[str, Any], ...] = (
        ("http_timeout", 30),
        ("max_retries", 1),
        ("max_sleep", 5),
    )
    DEFAULT_GROUPS_TRANSPORT_PARAMS: tuple[tuple[str, Any], ...] = DEFAULT_AUTH_TRANSPORT_PARAMS

    def make_confidential_app_auth_client(
        self, client_id: Any, client_secret: str
    ) -> globus_sdk.ConfidentialAppAuthClient:
        """The client that introspects tokens and asks for dependent ones."""
        sdk = globus_sdk_or_error()
        client: globus_sdk.ConfidentialAppAuthClient = sdk.ConfidentialAppAuthClient(
            client_id=client_id, client_secret=client_secret
        )
        _tune(client, dict(self.DEFAULT_AUTH_TRANSPORT_PARAMS))
        return client

    def make_groups_client(self, authorizer: Any) -> globus_sdk.GroupsClient:
        """The client that lists a caller's groups."""
        client: globus_sdk.GroupsClient = globus_sdk_or_error().GroupsClient(authorizer=authorizer)
        _tune(client, dict(self.DEFAULT_GROUPS_TRANSPORT_PARAMS))
        return client


def _tune(client: Any, params: dict[str, Any]) -> None:
    """Set the transport's time-out and the retry limits, which globus-sdk 3 keeps there, too."""
    client.transport.http_timeout = params["http_timeout"]
    retries = getattr(client, "retry_config", client.transport)
    retries.max_retries = params["max_retries"]
    retries.max_sleep = params["max_sleep"]
