"""The Globus SDK's clients, with time-outs and limited retries. Extra: ``licet[globus]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from licet.errors import ConfigurationError

if TYPE_CHECKING:
    import globus_sdk

__all__ = ["ClientFactory", "globus_sdk_or_error"]


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
    """Set the transport's time-out and the retry limits, in globus-sdk 4's own places."""
    client.transport.http_timeout = params["http_timeout"]
    client.retry_config.max_retries = params["max_retries"]
    client.retry_config.max_sleep = params["max_sleep"]
