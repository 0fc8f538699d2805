"""Conditions that grants fulfil, and the verbs by which policies say who may give them."""

from __future__ import annotations

import re
from typing import Final

from licet.authz._places import declared_at, invalid
from licet.authz.grants._links import GrantLink
from licet.authz.policies._models.links import Linked
from licet.authz.policies.conditions import CallerPath, Condition, caller, path_of
from licet.authz.policies.verbs import Verb
from licet.errors.names import knows_its_options

__all__ = ["grant_verb", "granted", "require_role"]

_ROLE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}[a-z0-9]")


@knows_its_options
def granted(
    role: str,
    *,
    via: str | None = None,
    to: CallerPath | None = None,
    to_any: CallerPath | None = None,
) -> Condition:
    """The caller has a grant of `role` on the object, neither expired nor revoked.

    Args:
        role: the name of the role, as `give` has it.
        via: a dotted path of to-one relationships; the grant is on what it leads to.
        to: the caller's attribute that is the grantee; ``caller.principal`` when not given.
        to_any: a collection of the caller's of which one is the grantee, such as
            ``caller.principals``, which has their groups as well.

    Raises:
        InvalidCondition: an argument is of the wrong kind.
    """
    require_role(role)
    if to is not None and to_any is not None:
        raise invalid("granted takes to or to_any, not both.")
    grantee = to_any if to_any is not None else caller.principal if to is None else to
    if not isinstance(grantee, CallerPath):
        raise invalid(f"granted takes an attribute of the caller, such as caller.principal: {to!r}")
    path = () if via is None else tuple(via.split("."))
    if not all(part.isidentifier() for part in path):
        raise invalid(f"via takes a dotted path such as 'trial', not {via!r}.")
    return Linked(
        declared_at(),
        None,
        path,
        GrantLink(role),
        path_of(grantee),
        is_collection=to_any is not None,
    )


def grant_verb(role: str) -> Verb:
    """The verb of giving `role` on an object, and of taking it back: ``GRANT_CURATOR``."""
    require_role(role)
    return Verb(f"GRANT_{role.upper()}")


def require_role(role: object) -> None:
    """Refuse what is no name of a role that can be granted."""
    if not isinstance(role, str) or not _ROLE.fullmatch(role):
        raise invalid(
            f"A role that is granted has a name of small letters, digits and _, such as 'curator', "
            f"not {role!r}."
        )
