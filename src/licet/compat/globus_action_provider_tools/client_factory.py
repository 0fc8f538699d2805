"""``client_factory``."""

from licet.authn.globus import ClientFactory

__all__ = ["ClientFactory"]
