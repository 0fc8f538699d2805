"""Licet: may this caller do this, and will the allowed work really get done?"""

from licet.authn import ANONYMOUS, Identity, current_identity
from licet.authz import PUBLIC, declare, declare_decorator, declare_mount, protect, public
from licet.errors import LicetError
from licet.extension import Licet

__all__ = [
    "ANONYMOUS",
    "PUBLIC",
    "Identity",
    "Licet",
    "LicetError",
    "__version__",
    "current_identity",
    "declare",
    "declare_decorator",
    "declare_mount",
    "protect",
    "public",
]

__version__ = "0.1.0"
