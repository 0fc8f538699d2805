"""The ``LICET_*`` settings, typed, with a section for each subject.

`app.config` wins over the environment, the environment over the default. Everything is read once,
when licet first touches the app; a malformed value is a `ConfigurationError` that names it, and so
is a name that starts with ``LICET_`` and is no setting.
"""

from licet.settings.accounts import AccountSettings
from licet.settings.app import DEFAULT_ISSUER, Settings, check_environment, known_settings
from licet.settings.providers import ProviderSettings
from licet.settings.rest import RestSettings

__all__ = [
    "DEFAULT_ISSUER",
    "AccountSettings",
    "ProviderSettings",
    "RestSettings",
    "Settings",
    "check_environment",
    "known_settings",
]
