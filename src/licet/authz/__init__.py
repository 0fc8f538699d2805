"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.marks import Access, AccessKind, access_of, mark, public

__all__ = ["Access", "AccessKind", "access_of", "mark", "public"]
