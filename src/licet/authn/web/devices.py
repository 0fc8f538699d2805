"""Where a request comes from, and the cookie by which a browser is known to accounts.

The cookie is no credential: it keeps the wrong passwords that others try from shutting out a
browser that signed in to the account before.
"""

from __future__ import annotations

import secrets
from typing import Final

from flask import Response, request

from licet.authn.accounts.parts import KNOWN_SECONDS, Place
from licet.authn.web.cookies import put_cookie, read_cookie

__all__ = ["place", "put_device_cookie"]

_DEVICE: Final = "licet_device"


def place(*, new_device: bool = False) -> Place:
    """The request's network address and device; with `new_device`, one is made if there is none."""
    device = read_cookie(_DEVICE) or (secrets.token_urlsafe(32) if new_device else None)
    return Place(request.remote_addr or "", device)


def put_device_cookie(response: Response, where: Place) -> None:
    """Give a browser the cookie by which it is known from now on."""
    if where.device:
        put_cookie(response, _DEVICE, where.device, KNOWN_SECONDS)
