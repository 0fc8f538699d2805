"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.audit import SharedResourceWarning, protect
from licet.authz.declarations import PUBLIC, Declaration, declarations, declare, declare_mount
from licet.authz.marks import Access, AccessKind, access_of, mark, public

__all__ = [
    "PUBLIC",
    "Access",
    "AccessKind",
    "Declaration",
    "SharedResourceWarning",
    "access_of",
    "declarations",
    "declare",
    "declare_mount",
    "mark",
    "protect",
    "public",
]
