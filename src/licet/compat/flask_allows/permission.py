"""``permission``: a check as a condition or a block."""

from licet.authz.requirements.allows import Permission

__all__ = ["Permission"]
