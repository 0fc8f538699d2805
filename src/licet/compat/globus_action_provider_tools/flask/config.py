"""``flask.config``."""

from licet.actions.config import DEFAULT_CONFIG, ActionProviderConfig

__all__ = ["DEFAULT_CONFIG", "ActionProviderConfig"]
