"""The mail of an invitation, which leaves when what it tells of is committed."""

from __future__ import annotations

from urllib.parse import quote

import sqlalchemy as sa
from flask import current_app

from licet.authn.accounts.flask import accounts_of
from licet.authn.accounts.mail import Mail
from licet.authz.flask import current_session


def invitation(to: str, event: str, role: str, base_url: str, token: str) -> Mail:
    """What somebody reads who is invited."""
    return Mail(
        to=to,
        subject="You are invited to an event",
        text=(
            f"Somebody asks you to be {role} of “{event}” at {base_url}.\n\n"
            "To accept, sign in with this address and send, within 24 hours:\n\n"
            f"POST {base_url}/v1/role-invites/accept-invite\n"
            f'{{"data": {{"token": "{quote(token)}"}}}}\n\n'
            "If you do not want to, do nothing.\n"
        ),
    )


def post_after_commit(to: str, event: str, role: str, token: str) -> None:
    """Have the mail sent once the session's transaction is committed; never if it is not."""
    parts = accounts_of(current_app)
    one_line = " ".join(event.split())
    mail = invitation(to, one_line, role, parts.base_url, token)
    session = current_session()

    def post(_session: object) -> None:
        parts.post(mail)

    sa.event.listen(session, "after_commit", post, once=True)
