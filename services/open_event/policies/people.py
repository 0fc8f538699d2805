"""Who may do what with users, their roles in events, and invitations to such roles."""

from __future__ import annotations

from licet.authz import (
    CREATE,
    DELETE,
    LIST,
    UPDATE,
    VIEW,
    Policy,
    attr,
    caller,
    everyone,
    registered,
)
from services.open_event.models import (
    OF_ACCOUNT,
    Account,
    EventRole,
    InviteStatus,
    Membership,
    Role,
    RoleInvite,
)

from .roles import (
    BELOW,
    COORGANIZER,
    EVENT_ACCESS,
    ORGANIZER,
    OWNER,
    in_event,
    is_live,
    member,
    organizer_of,
    staff,
    super_admin,
)

RANKS = {
    OWNER: "owner of the event",
    ORGANIZER: "rank of organizer in the event",
    COORGANIZER: "rank of coorganizer in the event",
}


def user_policy() -> Policy:
    itself = (attr("id") == caller.account_id).named("Only themselves")
    shared = attr("memberships").any(member("event.memberships", *EVENT_ACCESS) & is_live())
    shared = shared.named("Only with a role in an event of their own")
    above = attr("is_super_admin").is_true().named("Only super admins")
    users = Policy(Account, name="users")
    users.allow(staff, LIST | VIEW | UPDATE | DELETE)
    users.forbid(everyone, UPDATE | DELETE, when=above, unless=[super_admin])
    users.allow(registered, LIST | VIEW | UPDATE, when=itself)
    users.allow(registered, LIST | VIEW, when=shared)
    users.hide("subject", "email_key")
    users.hide(
        *("email", "details", "is_admin", "is_super_admin", "is_verified", "created_at"),
        *OF_ACCOUNT,
        "memberships",
        unless=[staff, itself],
    )
    users.readonly("id", "subject", "email", "email_key", "created_at", "deleted_at")
    users.readonly("memberships", *OF_ACCOUNT)
    users.readonly("is_admin", "is_super_admin", "is_verified", unless=[staff])
    return users


def membership_policy() -> Policy:
    own = ((attr("account_id") == caller.account_id) & is_live()).named("Only their own")
    is_owner = (attr("role") == OWNER).named("the role is owner")
    memberships = Policy(Membership, name="users-events-roles")
    memberships.allow(staff, LIST | VIEW | UPDATE | DELETE)
    memberships.allow(organizer_of(), LIST | VIEW)
    memberships.allow(in_event("registrar of the event", EventRole.REGISTRAR), LIST | VIEW)
    for rank, name in RANKS.items():
        below = attr("role").in_(BELOW[rank]).named(f"Only ranks below {rank}")
        memberships.allow(in_event(name, rank), UPDATE | DELETE, when=below)
    memberships.allow(registered, LIST | VIEW | DELETE, when=own)
    memberships.forbid(everyone, UPDATE | DELETE, when=is_owner)
    memberships.readonly("id", "event_id", "account_id")
    return memberships


def role_invite_policy() -> Policy:
    pending = (attr("status") == InviteStatus.PENDING).named("Only while pending")
    addressed = (attr("invitee.id") == caller.account_id) & caller.is_verified.is_true()
    addressed = (addressed & is_live()).named("Only to their own, verified address")
    invites = Policy(RoleInvite, name="role-invites")
    invites.allow(staff, LIST | VIEW | CREATE)
    invites.allow(staff, UPDATE | DELETE, when=pending)
    invites.allow(organizer_of(), LIST | VIEW)
    for rank, name in RANKS.items():
        ranks = [OWNER, *BELOW[OWNER]] if rank is OWNER else BELOW[rank]
        below = attr("role_name").in_(ranks)
        below = below.named(f"Only to the ranks that the {rank} may give")
        role = in_event(name, rank)
        invites.allow(role, CREATE | UPDATE | DELETE, when=below & pending)
    invites.allow(registered, LIST | VIEW | UPDATE, when=addressed)
    invites.hide("token_hash", "email_key")
    invites.readonly("id", "email_key", "token_hash", "created_at", "expires_at", "invitee")
    return invites


def role_policy() -> Policy:
    return Policy(Role, name="roles").allow(registered, LIST | VIEW)


users, memberships = user_policy(), membership_policy()
role_invites, roles = role_invite_policy(), role_policy()
