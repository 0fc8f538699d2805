"""Licet: may this caller do this, and will the allowed work really get done?"""

from licet.authn import ANONYMOUS, Identity, current_identity
from licet.errors import LicetError
from licet.extension import Licet

__all__ = ["ANONYMOUS", "Identity", "Licet", "LicetError", "__version__", "current_identity"]

__version__ = "0.1.0"
