"""`requires_auth`: views for whoever is signed in, registered and approved, perhaps in some role.

    @app.get("/trials")
    @requires_auth("trials", ["cidc-admin", "nci-biobank-user"])
    def list_trials(): ...

    @app.post("/users/self")
    @requires_auth("self", allow_unregistered=True)
    def register(): ...

Who is registered and approved, the app says with `@licet.account_of` and `@licet.standing_of`;
without them, everybody whose token is good counts as both.

Source: seed document 004 (the name, the resource, the roles); spec, "Who is refused, with what".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import current_app, request

from licet.authn.callers import admit, refusal_of
from licet.authn.flask import current_identity
from licet.authz._places import invalid, require_function
from licet.authz.declared.marks import Access, AccessKind, mark
from licet.authz.flask import request_id
from licet.errors import AccessDenied, LicetError, MissingToken
from licet.errors.names import knows_its_options

__all__ = ["requires_auth"]

log = logging.getLogger("licet.authz.decisions")
F = TypeVar("F", bound=Callable[..., Any])


@knows_its_options
def requires_auth(
    resource: str | None = None,
    allowed_roles: Iterable[str] = (),
    *,
    allow_unregistered: bool = False,
    allow_disabled: bool = False,
) -> Callable[[F], F]:
    """Let in who is signed in, registered, approved, and has one of `allowed_roles`, if any.

    Args:
        resource: the endpoint's name in the access matrix and the log; one for each rule.
        allowed_roles: any one is enough; none at all lets in everybody who is approved.
        allow_unregistered: also who has no account, to make one.
        allow_disabled: also who is not approved or was disabled, to read their own record.

    Whom it lets in, the app's policies let in too for the rest of the request.

    The view raises `MissingToken` or another `AuthenticationError` (401), `NotRegistered`,
    `AccountNotApproved`, `AccountDisabled` or `AccessDenied` (403) to all others.

    Raises:
        InvalidCondition: an argument is of the wrong kind, or it does not decorate a function.
    """
    if resource is not None and not (isinstance(resource, str) and resource.strip()):
        raise invalid(f"requires_auth takes the name of a resource first, not {resource!r}.")
    roles = _checked_roles(allowed_roles)
    needs = _Needs(resource, roles, allow_unregistered, allow_disabled)

    def decorate(view: F) -> F:
        require_function(view, "requires_auth")

        @wraps(view)
        def guarded(*args: Any, **view_args: Any) -> Any:
            needs.check()
            return current_app.ensure_sync(view)(*args, **view_args)

        access = Access(kind=AccessKind.AUTHENTICATED, text=needs.text, resource=resource)
        return mark(guarded, access)  # type: ignore[return-value]  # of the same signature

    return decorate


@dataclass(frozen=True)
class _Needs:
    """What one guard asks of the current request's caller."""

    resource: str | None
    roles: tuple[str, ...]
    allow_unregistered: bool
    allow_disabled: bool

    @property
    def text(self) -> str:
        """As the access matrix prints it."""
        who = "one of " + ", ".join(self.roles) if self.roles else "signed in"
        also = [", also unregistered"] * self.allow_unregistered
        return who + "".join(also + [", also disabled"] * self.allow_disabled)

    def check(self) -> None:
        """Pass, or raise and log why."""
        refusal = self._refusal()
        if refusal is not None:
            _log_denial(self.resource, refusal)
            raise refusal
        admit(unregistered=self.allow_unregistered, disabled=self.allow_disabled)

    def _refusal(self) -> LicetError | None:
        refusal: LicetError | None
        if not current_identity.is_authenticated:
            return MissingToken()
        refusal = refusal_of(
            current_identity,
            allow_unregistered=self.allow_unregistered,
            allow_disabled=self.allow_disabled,
        )
        if refusal is None and self.roles and current_identity.roles.isdisjoint(self.roles):
            return AccessDenied()
        return refusal


def _checked_roles(roles: Iterable[str]) -> tuple[str, ...]:
    listed = () if isinstance(roles, str) else tuple(roles)
    if isinstance(roles, str) or not all(isinstance(role, str) and role for role in listed):
        raise invalid(f"requires_auth takes a list of role names, not {roles!r}.")
    return listed


def _log_denial(resource: str | None, refusal: LicetError) -> None:
    """One line for each denial, as a policy's: no token, claim or value of the caller's."""
    facts = {
        "request_id": request_id(),
        "principal": current_identity.principal or "anonymous",
        "verb": request.method,
        "resource": resource or request.endpoint,
        "visible": True,
        "reason": refusal.code_name,
    }
    log.info("denied %s", json.dumps(facts), extra={"licet": facts})
