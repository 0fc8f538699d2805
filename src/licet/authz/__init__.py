"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.additional import Additional, AdditionalManager, current_additions
from licet.authz.allows import Allows, allows
from licet.authz.marks import Access, AccessKind, access_of, mark, public
from licet.authz.overrides import Override, OverrideManager, current_overrides
from licet.authz.permission import Permission
from licet.authz.requirements import (
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Requirement,
    wants_request,
)
from licet.authz.views import exempt_from_requirements, guard_entire, requirements_of, requires

__all__ = [
    "Access",
    "AccessKind",
    "Additional",
    "AdditionalManager",
    "Allows",
    "And",
    "C",
    "ConditionalRequirement",
    "Not",
    "Or",
    "Override",
    "OverrideManager",
    "Permission",
    "Requirement",
    "access_of",
    "allows",
    "current_additions",
    "current_overrides",
    "exempt_from_requirements",
    "guard_entire",
    "mark",
    "public",
    "requirements_of",
    "requires",
    "wants_request",
]
