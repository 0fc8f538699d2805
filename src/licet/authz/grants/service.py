"""Giving, taking back and listing grants, for whom the object's policy allows it.

The rows are written with the session of the app's policies; the app commits them, with whatever
else it changes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from licet.authz._clock import decision_moment
from licet.authz._places import invalid
from licet.authz.callers.asking import log_line
from licet.authz.flask import (
    authorize,
    current_caller,
    current_session,
    decision_about,
    principal_of,
)
from licet.authz.grants._links import grants_that_last, key_text, object_type, unfit_key
from licet.authz.grants.conditions import grant_verb
from licet.authz.grants.tables import PRINCIPAL_LENGTH, grant
from licet.authz.policies.policy import Policy
from licet.authz.writes._family import BY_SERVICE
from licet.errors import AccessDenied, ObjectNotFound, UsageError
from licet.errors.names import knows_its_options, suggestion
from licet.wire.text import is_storable

__all__ = ["Grant", "give", "list_grants", "revoke"]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One grant; moments are aware and in UTC. It is live unless it expired or was revoked."""

    id: str
    grantee: str
    role: str
    object_type: str
    object_id: str
    giver: str
    given_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    reason: str | None


@knows_its_options
def give(
    policy: Policy,
    owner: Any,
    role: str,
    *,
    to: str,
    expires_at: datetime | None = None,
    reason: str | None = None,
    identity: Any = None,
) -> Grant:
    """Give somebody a role on an object, if the caller may; the app commits.

    Args:
        policy: the policy of the object, some line of which allows ``grant_verb(role)``.
        owner: a stored object.
        role: the name of the role.
        to: the principal who gets it.
        expires_at: an aware moment in the future; never, when not given.
        reason: for those who look at the grant later.
        identity: who gives, instead of the current caller.

    Where the giver's own right comes of a grant, what they give expires with that at the latest.

    Raises:
        AccessDenied, MissingToken, ObjectNotFound: as `authorize`, of ``grant_verb(role)``.
        AccessDenied: the giver's right comes of a grant that expires before.
        UsageError: the policy has no such role to give, or an argument is of no use.
    """
    _require_given(policy, role)
    giver = current_caller() if identity is None else identity
    authorize(policy, grant_verb(role), owner, identity=giver)
    now = datetime.now(UTC)
    _require_useful(owner, to, expires_at, reason, now)
    _require_lasting(policy, owner, role, expires_at, giver)
    given = Grant(
        id=str(uuid.uuid4()),
        grantee=to,
        role=role,
        object_type=object_type(policy.model),
        object_id=key_text(sa.inspect(owner).identity[0]),
        giver=principal_of(giver)[:PRINCIPAL_LENGTH],
        given_at=now,
        expires_at=None if expires_at is None else expires_at.astimezone(UTC),
        revoked_at=None,
        reason=reason,
    )
    _execute(policy, sa.insert(grant).values(vars(given)))
    return given


@knows_its_options
def revoke(policy: Policy, owner: Any, grant_id: str, *, identity: Any = None) -> Grant:
    """Take a grant on an object back, if the caller may give it; the app commits.

    A grant that was taken back before stays as it is.

    Raises:
        AccessDenied, MissingToken: as `authorize`.
        ObjectNotFound: the object has no such grant, or the caller may not know of the object.
    """
    found = next((one for one in _grants_on(policy, owner) if one.id == grant_id), None)
    if found is None:
        raise ObjectNotFound
    giver = current_caller() if identity is None else identity
    authorize(policy, grant_verb(found.role), owner, identity=giver)
    is_it = (grant.c.id == grant_id) & grant.c.revoked_at.is_(None)
    _execute(policy, sa.update(grant).where(is_it).values(revoked_at=datetime.now(UTC)))
    return next(one for one in _grants_on(policy, owner) if one.id == grant_id)


@knows_its_options
def list_grants(
    policy: Policy, owner: Any, *, with_former: bool = False, identity: Any = None
) -> list[Grant]:
    """The grants on an object of the roles that the caller may give, the oldest first.

    `with_former` adds those that expired or were revoked.
    """
    asking = current_caller() if identity is None else identity
    now = decision_moment()
    may: dict[str, bool] = {}
    found = []
    for one in _grants_on(policy, owner):
        if one.role not in may:
            may[one.role] = bool(decision_about(policy, grant_verb(one.role), owner, asking))
        is_live = one.revoked_at is None and (one.expires_at is None or one.expires_at > now)
        if may[one.role] and (is_live or with_former):
            found.append(one)
    return found


def _grants_on(policy: Policy, owner: Any) -> Iterator[Grant]:
    identity = sa.inspect(owner).identity
    if identity is None:
        return
    chosen = (
        sa.select(grant)
        .where(grant.c.object_type == object_type(policy.model))
        .where(grant.c.object_id == key_text(identity[0]))
        .order_by(grant.c.given_at, grant.c.id)
    )
    for row in _execute(policy, chosen):
        yield Grant(**row._mapping)  # noqa: SLF001 - the name that SQLAlchemy gave it


def _execute(policy: Policy, statement: Any) -> Any:
    """In the database of the policy's objects."""
    mapper = sa.inspect(policy.model)
    made = statement.execution_options(**{BY_SERVICE: True})
    return current_session().execute(made, bind_arguments={"mapper": mapper})


def _require_lasting(
    policy: Policy, owner: Any, role: str, expires_at: datetime | None, giver: Any
) -> None:
    """Refuse what would last longer than the grant by which its giver may give it."""
    verb = grant_verb(role)
    with grants_that_last(expires_at):
        is_lasting = bool(decision_about(policy, verb, owner, giver))
    if not is_lasting:
        resource = f"{policy.name}:{key_text(sa.inspect(owner).identity[0])}"
        reason = "the grant by which the giver may give it expires before"
        log_line("denied", giver, verb, resource, visible=True, reason=reason)
        raise AccessDenied


def _require_given(policy: Policy, role: str) -> None:
    verb = grant_verb(role).name
    if verb not in policy.verbs:
        known = {name for name in policy.verbs if name.startswith("GRANT_")}
        raise UsageError(
            f"The policy {policy.name} does not say who may give {role!r}: "
            f"{suggestion(verb, known)} Allow somebody grant_verb({role!r})."
        )


def _require_useful(
    owner: Any, to: object, expires_at: object, reason: object, now: datetime
) -> None:
    if sa.inspect(owner).identity is None:
        raise UsageError("A grant is on a stored object: flush the session before.")
    if (unfit := unfit_key(type(owner))) is not None:
        raise UsageError(f"A grant cannot be kept: {unfit}.")
    if reason is not None and not (isinstance(reason, str) and is_storable(reason)):
        raise UsageError(f"The reason of a grant is some text, not {reason!r}.")
    if not isinstance(to, str) or not 0 < len(to) <= PRINCIPAL_LENGTH or not is_storable(to):
        raise UsageError(f"A grant is given to a principal, some text, not to {to!r}.")
    if expires_at is None:
        return
    if not isinstance(expires_at, datetime) or expires_at.utcoffset() is None:
        raise invalid(f"expires_at is an aware datetime, not {expires_at!r}.")
    try:
        expires_at.astimezone(UTC)
    except OverflowError:
        raise invalid(f"expires_at is too late for a moment in UTC: {expires_at!r}.") from None
    if expires_at <= now:
        raise UsageError(f"A grant that expires at {expires_at} has expired already.")
