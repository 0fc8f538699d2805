"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.declared.audit import SharedResourceWarning, protect
from licet.authz.declared.declarations import (
    PUBLIC,
    Declaration,
    declarations,
    declare,
    declare_decorator,
    declare_mount,
)
from licet.authz.declared.marks import Access, AccessKind, access_of, mark, public
from licet.authz.flask import (
    authorize,
    find_object,
    guarded_by,
    policies_of,
    register_policies,
    with_object,
)
from licet.authz.policies.conditions import Condition, attr, caller, predicate
from licet.authz.policies.lists import Listed, list_objects
from licet.authz.policies.policy import Policy
from licet.authz.policies.roles import Role, everyone, registered
from licet.authz.policies.verbs import ALL, CREATE, DELETE, LIST, UPDATE, VIEW, Verb
from licet.authz.requirements.allows import Allows, Permission, allows
from licet.authz.requirements.changes import (
    Additional,
    AdditionalManager,
    Override,
    OverrideManager,
    current_additions,
    current_overrides,
)
from licet.authz.requirements.combinators import (
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Requirement,
    wants_request,
)
from licet.authz.requirements.views import (
    exempt_from_requirements,
    guard_entire,
    requirements_of,
    requires,
)
from licet.authz.requires_auth import requires_auth
from licet.authz.templates import allowed

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
    "allowed",
    "allows",
    "attr",
    "authorize",
    "caller",
    "current_additions",
    "current_overrides",
    "declarations",
    "declare",
    "declare_decorator",
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
