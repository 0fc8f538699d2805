"""How a provider behaves beyond its description."""

from __future__ import annotations

from dataclasses import dataclass, field

from licet.authn.globus import ClientFactory
from licet.errors.names import knows_options_of

__all__ = ["DEFAULT_CONFIG", "ActionProviderConfig"]


@knows_options_of
@dataclass(frozen=True)
class ActionProviderConfig:
    """Options of a blueprint.

    `scrub_validation_errors` keeps what users sent out of the messages about it. `client_factory`
    makes the Globus clients.
    """

    scrub_validation_errors: bool = True
    client_factory: ClientFactory = field(default_factory=ClientFactory)


DEFAULT_CONFIG = ActionProviderConfig()
