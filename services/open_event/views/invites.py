"""Invitations by their token, and those that are sent once more."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, Response

from licet.authn.secret import digest_of
from licet.authz import UPDATE, find_object, guarded_by, write
from licet.authz.flask import current_caller, current_session
from licet.errors import MissingToken, ObjectNotFound
from licet.rest.endpoints.requests import begin
from licet.rest.jsonapi import JsonApi
from licet.rest.jsonapi.errors import in_body
from licet.rest.openapi import Example, documented, shown_by
from services.open_event import policies
from services.open_event.models import Account, Event, InviteStatus, RoleInvite
from services.open_event.resources import role_invites
from services.open_event.rules.invites import accept, renew
from services.open_event.rules.refusals import Denied, conflict

from .bodies import read_data

TOKEN = {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]}
ACCEPTANCE = {"type": "object", "properties": {"data": TOKEN}, "required": ["data"]}


def make_invites(api: JsonApi) -> Blueprint:
    """The blueprint, for the resources of this API."""
    blueprint = Blueprint("open_event_invites", __name__)
    api.answer_errors_of(blueprint)

    @blueprint.post("/role-invites/accept-invite")
    @blueprint.post("/role_invites/accept-invite")
    @guarded_by(policies.role_invites, UPDATE)
    @documented(
        "Accept an invitation, as whoever was invited.",
        name="accept_role_invite",
        tag="role-invite",
        body=ACCEPTANCE,
        answer=shown_by(api, role_invites),
        refusals={
            400: "The body has no token.",
            409: "The invitation was answered already.",
            410: "The invitation has expired.",
        },
        examples=[
            Example(
                body={"data": {"token": "a-token-of-the-mail"}},
                answer={"data": {"type": "role-invite", "attributes": {"status": "accepted"}}},
            )
        ],
    )
    def accept_invite() -> Response:
        """Accept an invitation: whoever is signed in with its address, and has its token."""
        begin()
        invite = _find(read_data().get("token"))
        account_id = _require_invited(invite)
        if invite.status is not InviteStatus.PENDING:
            raise conflict(f"This invitation was {invite.status} already.", code="invite_answered")
        accept(invite, account_id)
        current_session().commit()
        return api.show(role_invites, invite.id)

    @blueprint.post("/role-invites/<int:key>/resend")
    @guarded_by(policies.role_invites, UPDATE)
    @documented(
        "Send a new token to the invited address.",
        name="resend_role_invite",
        tag="role-invite",
        answer=shown_by(api, role_invites),
        refusals={
            409: "The invitation was answered already.",
            429: "Too many invitations to this address.",
        },
        examples=[
            Example(
                path={"key": "7010"},
                answer={"data": {"type": "role-invite", "attributes": {"status": "pending"}}},
            )
        ],
    )
    def resend_invite(key: int) -> Response:
        """Send a new token to the invited address; the one before is good no more."""
        begin()
        invite = find_object(policies.role_invites, key, UPDATE)
        if invite.status is not InviteStatus.PENDING:
            raise conflict(f"This invitation was {invite.status} already.", code="invite_answered")
        if invite.invitee is not None and invite.invitee.id == current_caller().account_id:
            raise Denied("You can only change the status of your invitation.", "only_status")
        with write(policies.role_invites, UPDATE, invite):
            renew(invite)
        return api.show(role_invites, key)

    return blueprint


def _find(token: object) -> RoleInvite:
    """The invitation of a token, in an event that is not in the trash."""
    if not isinstance(token, str) or not token.isascii():
        raise in_body("/data/token", "token is the text from the mail.")
    statement = (
        sa.select(RoleInvite)
        .join(Event, Event.id == RoleInvite.event_id)
        .where(RoleInvite.token_hash == digest_of(token), Event.deleted_at.is_(None))
    )
    found = current_session().scalar(statement)
    if found is None:
        raise ObjectNotFound
    return found


def _require_invited(invite: RoleInvite) -> int:
    """The account of the caller, whose verified address was invited.

    Raises:
        MissingToken: nobody is signed in, and the invited address has an account.
        Denied: 403.
    """
    asking, account = current_caller(), invite.invitee
    hint = "Register with the address that was invited, and accept when you are signed in."
    if not asking.is_authenticated and account is not None:
        raise MissingToken
    if asking.account_id is None:
        raise Denied(hint, "not_registered")
    if account is None or account.id != asking.account_id:
        raise Denied("This invitation is for another address.", "not_invited")
    if not asking.is_verified:
        raise Denied("Confirm your address before you accept.", "address_not_verified")
    own = current_session().get(Account, asking.account_id)
    if own is None:
        raise Denied(hint, "not_registered")
    return own.id
