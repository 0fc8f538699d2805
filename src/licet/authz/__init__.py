"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from licet.authz.conditions import Condition, attr, caller, predicate
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
from licet.authz.policy import Policy
from licet.authz.requires_auth import requires_auth
from licet.authz.roles import Role, everyone, registered
from licet.authz.verbs import ALL, CREATE, DELETE, LIST, UPDATE, VIEW, Verb

__all__ = [
    "ALL",
    "CREATE",
    "DELETE",
    "LIST",
    "UPDATE",
    "VIEW",
    "Access",
    "AccessKind",
    "Condition",
    "Listed",
    "Policy",
    "Role",
    "Verb",
    "access_of",
    "attr",
    "authorize",
    "caller",
    "everyone",
    "find_object",
    "guarded_by",
    "list_objects",
    "mark",
    "policies_of",
    "predicate",
    "public",
    "register_policies",
    "registered",
    "requires_auth",
    "with_object",
]
