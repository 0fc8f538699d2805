"""The rules of invitations to roles, and what accepting one does.

The token is in the mail alone, is good once and for a day, and is kept as its digest. Whoever
accepts must be signed in with the address that was invited, and have it verified.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from flask import current_app

from licet.authn.accounts.documents import check_address
from licet.authn.accounts.flask import accounts_of
from licet.authn.throttle import Limit, throttle_key
from licet.authz.flask import current_caller, current_session
from services.open_event.access import has_event_access
from services.open_event.models import EventRole, InviteStatus, Membership, Role, RoleInvite
from services.open_event.resources.people import role_invites

from .letters import post_after_commit
from .parts import event_of
from .refusals import Denied, attribute, conflict, invalid, is_changed, refuse, relationship, was
from .turns import take_turn

LASTS = timedelta(hours=24)
MAILS = Limit(attempts=100, seconds=24 * 3600)  # of one caller, whoever they are to
PENDING, ACCEPTED = InviteStatus.PENDING, InviteStatus.ACCEPTED
UNGUARDED = {"licet_unguarded": "an invitation is accepted by the one who was invited"}


class InviteExpired(Denied):
    """The invitation is older than a day."""

    code = 410

    def __init__(self) -> None:
        super().__init__("This invitation has expired: ask for another one.", "invite_expired")


# --- made, changed and sent ----------------------------------------------------------------------


@role_invites.before_create
def prepare(invite: RoleInvite) -> None:
    if invite.status not in (None, PENDING):
        raise Denied("A new invitation is pending.", "status_not_allowed")
    _check(invite)
    event = event_of(invite)
    if event is not None and has_event_access(event.id):  # others are refused in a moment
        _require_only_owner_invite(invite, event.id)
        renew(invite)


@role_invites.before_update
def change(invite: RoleInvite) -> None:
    fields = is_changed(invite, "email", "role_name", "role", "role_id", "event", "event_id")
    if is_changed(invite, "status"):
        _answer(invite, beside=fields)
        return
    if not fields:
        return
    if not has_event_access(was(invite, "event_id")):
        raise Denied("You can only change the status of your invitation.", "only_status")
    _check(invite)
    renew(invite)


def _check(invite: RoleInvite) -> None:
    try:
        invite.email = check_address(invite.email or "")
    except ValueError as error:
        refuse(invalid("email", f"email: {error}."))
    _match_role(invite)


def _match_role(invite: RoleInvite) -> None:
    """A role may be given by its name, by its resource, or by both."""
    with current_session().no_autoflush:
        role = invite.role
        if role is not None and invite.role_name not in (None, role.name):
            if not is_changed(invite, "role"):
                role = None
            elif is_changed(invite, "role_name"):
                detail = f"The role is {role.name}, and role-name {invite.role_name}."
                refuse(invalid("role", detail, place=relationship("role")))
        if role is not None:
            invite.role_name = role.name
        elif invite.role_name is not None:
            found = sa.select(Role).where(Role.name == invite.role_name)
            invite.role = current_session().scalar(found)


def _require_only_owner_invite(invite: RoleInvite, event_id: int) -> None:
    """One pending invitation of a new owner at a time; the unique key decides in a race."""
    if invite.role_name is not EventRole.OWNER:
        return
    others = sa.select(RoleInvite.id).where(
        RoleInvite.event_id == event_id,
        RoleInvite.role_name == EventRole.OWNER,
        RoleInvite.status == PENDING,
    )
    with current_session().no_autoflush:
        if current_session().scalar(others) is not None:
            detail = "An invitation of a new owner is pending: delete it before you send another."
            raise conflict(detail, code="owner_invite_pending", pointer=attribute("role_name"))


def renew(invite: RoleInvite) -> None:
    """Give the invitation a new token and another day, and send the mail once this is stored.

    Raises:
        TooManyAttempts: too many invitations to this address, or of this caller.
    """
    parts = accounts_of(current_app)
    sender, to = f"{current_caller().account_id}", invite.email_key
    parts.store.count_attempt(throttle_key("inviter", sender), MAILS, parts.now())
    parts.store.count_attempt(throttle_key("invite", to), parts.limits.mails, parts.now())
    secret = parts.new_secret()
    invite.token_hash = secret.digest
    invite.expires_at = datetime.now(UTC) + LASTS
    event = event_of(invite)
    name = "an event" if event is None else event.name
    post_after_commit(invite.email, name, str(invite.role_name), secret.text)


# --- answered ------------------------------------------------------------------------------------


def _answer(invite: RoleInvite, *, beside: bool) -> None:
    """Somebody sets the status: only the invited person may, and nothing else with it."""
    account = invite.invitee
    if account is None or account.id != current_caller().account_id:
        raise Denied("Only the invited person answers an invitation.", "not_invited")
    if beside:
        raise Denied("You can only change the status of your invitation.", "only_status")
    before, after = was(invite, "status"), invite.status
    if before is not PENDING or after is PENDING:
        raise _answered(before)
    if after is ACCEPTED:
        accept(invite, account.id)
    else:
        claim(invite, after)


def _answered(status: InviteStatus) -> Exception:
    return conflict(f"This invitation was {status} already.", code="invite_answered")


def claim(invite: RoleInvite, status: InviteStatus) -> None:
    """Answer an invitation, which is pending until then.

    Raises:
        Refused: 409; it was answered before.
        InviteExpired: 410.

    Concurrency: of many who answer at once, one does.
    """
    if invite.expires_at is not None and invite.expires_at <= datetime.now(UTC):
        raise InviteExpired
    answer = (
        sa.update(RoleInvite.__table__)
        .where(RoleInvite.id == invite.id, RoleInvite.status == PENDING)
        .values(status=status)
    )
    connection = current_session().connection()
    if not connection.execute(answer, execution_options=UNGUARDED).rowcount:
        raise _answered(ACCEPTED)


def accept(invite: RoleInvite, account_id: int) -> None:
    """Answer it, and give the role: all in the transaction of the session.

    An invitation of a new owner makes the one before an organizer.
    """
    claim(invite, ACCEPTED)
    take_turn(invite.event_id)
    if invite.role_name is EventRole.OWNER:
        _step_down(invite.event_id, account_id)
    _give(invite.event_id, account_id, invite.role_name)


def _memberships(event_id: int, *terms: sa.ColumnElement[bool]) -> list[sa.Row[tuple[int, int]]]:
    statement = sa.select(Membership.id, Membership.account_id)
    connection = current_session().connection()
    return list(connection.execute(statement.where(Membership.event_id == event_id, *terms)))


def _write(statement: sa.Insert | sa.Update | sa.Delete) -> None:
    current_session().connection().execute(statement, execution_options=UNGUARDED)


def _step_down(event_id: int, account_id: int) -> None:
    """Make the owner an organizer, unless they are the new owner."""
    table = Membership.__table__
    for key, owner_id in _memberships(event_id, Membership.role == EventRole.OWNER):
        if owner_id == account_id:
            continue
        is_organizer = Membership.role == EventRole.ORGANIZER
        if _memberships(event_id, Membership.account_id == owner_id, is_organizer):
            _write(sa.delete(table).where(table.c.id == key))
        else:
            _write(sa.update(table).where(table.c.id == key).values(role=EventRole.ORGANIZER))


def _give(event_id: int, account_id: int, role: EventRole) -> None:
    is_theirs = (Membership.account_id == account_id) & (Membership.role == role)
    if not _memberships(event_id, is_theirs):
        row = {"event_id": event_id, "account_id": account_id, "role": role}
        _write(sa.insert(Membership.__table__).values(row))
