"""``flask.config``."""

from licet.actions.interface.config import DEFAULT_CONFIG, ActionProviderConfig

__all__ = ["DEFAULT_CONFIG", "ActionProviderConfig"]
