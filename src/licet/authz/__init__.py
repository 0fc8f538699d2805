"""May they: requirements on a caller, policies on objects, and what both say about themselves."""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.authz._moment import now
    from licet.authz._requires_auth import requires_auth
    from licet.authz.accounts import register_accounts
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
    from licet.authz.templates import allowed, can
    from licet.authz.writes.block import Change, write
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.authz.accounts": "register_accounts",
            "licet.authz.declared.audit": "SharedResourceWarning protect",
            "licet.authz.declared.declarations": (
                "PUBLIC Declaration declarations declare declare_decorator declare_mount"
            ),
            "licet.authz.declared.marks": "Access AccessKind access_of mark public",
            "licet.authz.flask": (
                "authorize find_object guarded_by policies_of register_policies with_object"
            ),
            "licet.authz.policies.conditions": "Condition attr caller predicate",
            "licet.authz.policies.lists": "Listed list_objects",
            "licet.authz.policies.policy": "Policy",
            "licet.authz.policies.roles": "Role everyone registered",
            "licet.authz.policies.verbs": "ALL CREATE DELETE LIST UPDATE VIEW Verb",
            "licet.authz.requirements.allows": "Allows Permission allows",
            "licet.authz.requirements.changes": (
                "Additional AdditionalManager Override OverrideManager "
                "current_additions current_overrides"
            ),
            "licet.authz.requirements.combinators": (
                "And C ConditionalRequirement Not Or Requirement wants_request"
            ),
            "licet.authz.requirements.views": (
                "exempt_from_requirements guard_entire requirements_of requires"
            ),
            "licet.authz._moment": "now",
            "licet.authz._requires_auth": "requires_auth",
            "licet.authz.templates": "allowed can",
            "licet.authz.writes.block": "Change write",
        },
    )

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
    "Change",
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
    "can",
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
    "now",
    "policies_of",
    "predicate",
    "protect",
    "public",
    "register_accounts",
    "register_policies",
    "registered",
    "requirements_of",
    "requires",
    "requires_auth",
    "wants_request",
    "with_object",
    "write",
]
