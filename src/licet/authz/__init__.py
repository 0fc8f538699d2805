"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.additional import Additional, AdditionalManager, current_additions
from licet.authz.allows import Allows, allows
from licet.authz.audit import SharedResourceWarning, protect
from licet.authz.conditions import Condition, attr, caller, predicate
from licet.authz.declarations import PUBLIC, Declaration, declarations, declare, declare_mount
from licet.authz.flask import (
    authorize,
    find_object,
    guarded_by,
    policies_of,
    register_policies,
    with_object,
)
from licet.authz.lists import Listed, list_objects
from licet.authz.marks import Access, AccessKind, access_of, mark, public
from licet.authz.overrides import Override, OverrideManager, current_overrides
from licet.authz.permission import Permission
from licet.authz.policy import Policy
from licet.authz.requirements import (
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Requirement,
    wants_request,
)
from licet.authz.requires_auth import requires_auth
from licet.authz.roles import Role, everyone, registered
from licet.authz.verbs import ALL, CREATE, DELETE, LIST, UPDATE, VIEW, Verb
from licet.authz.views import exempt_from_requirements, guard_entire, requirements_of, requires

__all__ = [
    "ALL",
    "CREATE",
    "DELETE",
    "LIST",
    "PUBLIC",
    "UPDATE",
    "VIEW",
    "Access",
    "AccessKind",
    "Additional",
    "AdditionalManager",
    "Allows",
    "And",
    "C",
    "Condition",
    "ConditionalRequirement",
    "Declaration",
    "Listed",
    "Not",
    "Or",
    "Override",
    "OverrideManager",
    "Permission",
    "Policy",
    "Requirement",
    "Role",
    "SharedResourceWarning",
    "Verb",
    "access_of",
    "allows",
    "attr",
    "authorize",
    "caller",
    "current_additions",
    "current_overrides",
    "declarations",
    "declare",
    "declare_mount",
    "everyone",
    "exempt_from_requirements",
    "find_object",
    "guard_entire",
    "guarded_by",
    "list_objects",
    "mark",
    "policies_of",
    "predicate",
    "protect",
    "public",
    "register_policies",
    "registered",
    "requirements_of",
    "requires",
    "requires_auth",
    "wants_request",
    "with_object",
]
