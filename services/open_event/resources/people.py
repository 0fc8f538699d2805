"""Users, their roles in events, and invitations to such roles."""

from __future__ import annotations

from licet.authz import DELETE, LIST, UPDATE, VIEW
from licet.rest.jsonapi import Resource, ToMany, ToOne
from services.open_event import policies
from services.open_event.models import OF_ACCOUNT, Account, Membership, Role, RoleInvite

users = Resource(
    Account,
    policies.users,
    name="user",
    attributes=[
        *("email", "first_name", "last_name", "details", "avatar_url", "facebook_url"),
        *("twitter_url", "instagram_url", "github_url", "is_admin", "is_super_admin"),
        *("is_verified", "created_at"),
    ],
    relationships=dict.fromkeys(OF_ACCOUNT, ToMany()),
    soft_delete="deleted_at",
    samples={"is_super_admin": False},
    verbs=LIST | VIEW | UPDATE | DELETE,
)
memberships = Resource(
    Membership,
    policies.memberships,
    name="users-events-roles",
    url="users-events-roles",
    attributes=["role"],
    relationships={"event": ToOne(), "user": ToOne()},
    samples={"role": "moderator"},
    verbs=LIST | VIEW | UPDATE | DELETE,
)
role_invites = Resource(
    RoleInvite,
    policies.role_invites,
    name="role-invite",
    attributes=["email", "role_name", "status", "created_at", "expires_at"],
    relationships={"event": ToOne(required=True, parameter="event_id"), "role": ToOne()},
    samples={"role_name": "registrar"},
)
roles = Resource(
    Role,
    policies.roles,
    name="role",
    attributes=["name", "title_name"],
    verbs=LIST | VIEW,
    samples={"name": "registrar", "title_name": "Registrar"},
)
