"""Licet: may this caller do this, and will the allowed work really get done?"""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.authn import ANONYMOUS, Identity, current_identity
    from licet.authz import PUBLIC, declare, declare_decorator, declare_mount, protect, public
    from licet.errors import LicetError
    from licet.extension import Licet
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.authn": "ANONYMOUS Identity current_identity",
            "licet.authz": "PUBLIC declare declare_decorator declare_mount protect public",
            "licet.errors": "LicetError",
            "licet.extension": "Licet",
        },
        submodules="actions authn authz db errors extension rest settings testing",
    )

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
