"""``permission``: a check as a condition or a block."""

from licet.authz.permission import Permission

__all__ = ["Permission"]
