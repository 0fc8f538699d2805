"""Who asks an app's policies, and what a denial is: its line in the log, and the response."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask, current_app, has_request_context, request
from sqlalchemy.orm import Session

from licet.authn.callers import has_accounts, require_standing
from licet.authn.flask import current_identity
from licet.authn.identity import Identity
from licet.authz.callers.nobody import is_nobody, itself, refusal_of_nobody
from licet.authz.policies._in_words import Decision
from licet.authz.policies._models.remembered import was_flushed
from licet.authz.policies._models.sessions import unflushed
from licet.authz.policies.policy import Policy
from licet.authz.policies.roles import Role
from licet.authz.policies.verbs import ALL, CREATE, LIST, VIEW, Verb
from licet.errors import AccessDenied, ConfigurationError, ObjectNotFound, UsageError
from licet.errors.base import HTTPError
from licet.errors.names import suggestion
from licet.settings import Settings
from licet.settings.state import app_itself, app_state, request_state

__all__ = [
    "Registered",
    "authorize",
    "caller_beside",
    "current_caller",
    "current_session",
    "decision_about",
    "log_line",
    "policies_of",
    "principal_of",
    "refusal_for",
    "refusal_of",
    "registered_in",
    "request_id",
]

log = logging.getLogger("licet.authz.decisions")
_POLICIES: Final = "authz.policies"
_LOGGED: Final = "authz.logged"
_OF_THE_PRESENT: Final = (VIEW, LIST, CREATE)  # verbs that do not ask what the object was
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def _identity() -> Identity:
    """The caller himself, not the proxy: a bad token is told here, not inside of a decision."""
    return current_identity._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - the name that werkzeug gave it


@dataclass
class Registered:
    """The policies of an app, and how its objects and callers are found."""

    policies: list[Policy] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    session: Callable[[], Session] | None = None
    caller: Callable[[], Any] = _identity
    guards_writes: bool = False


def registered_in(app: Flask) -> Registered:
    """What was registered with an app."""
    return app_state(app).get_or_build(_POLICIES, lambda _settings: Registered())


def policies_of(app: Flask) -> list[Policy]:
    """The policies that were registered with the app, in their order."""
    return list(registered_in(app).policies)


def current_caller() -> Any:
    """Who asks, as the app's policies see them.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: their account is missing, or may not be
            used, and no `requires_auth` over the view admits that.
    """
    app = app_itself()
    if has_accounts(app):
        require_standing(_identity())
    return itself(registered_in(app).caller())


def current_session() -> Session:
    """The session that the app's policies load objects with.

    Raises:
        ConfigurationError: none was registered.
    """
    found = registered_in(current_app).session
    if found is None:
        raise ConfigurationError(
            "The app's policies have no session to load objects with: give one with "
            "register_policies(app, …, session=lambda: …)."
        )
    return found()


def authorize(policy: Policy, verb: Verb, owner: Any, *, identity: Any = None) -> None:
    """Let the current caller, or `identity`, do `verb` with the object, or raise.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: as `current_caller`; the first also
            where the token is good and the app's `caller` is nobody.
        ObjectNotFound: they may not know that it exists.
        MissingToken: nobody is signed in, and the object is visible to everybody.
        AccessDenied: they may see it, but not do this.
        UsageError: the object was changed and flushed already, in a session that nothing guards, so
            that it is not known any more what it was.
    """
    asking = caller_beside(owner) if identity is None else identity
    decision = decision_about(policy, verb, owner, asking)
    if decision:
        _require_known_past(verb, owner)
        if _are_allowed_logged(verb):
            _log_decision("allowed", policy, verb, owner, asking, decision)
        return
    refusal = refusal_for(asking, decision)
    _log_decision("denied", policy, verb, owner, asking, decision)
    raise refusal


def _require_known_past(verb: Verb, owner: Any) -> None:
    if verb not in _OF_THE_PRESENT and was_flushed(owner):
        raise UsageError(
            f"The {type(owner).__name__} was changed and flushed before the question, so that "
            "nothing tells what it was: ask before the change, change it by "
            "`with write(policy, UPDATE, object)`, or guard the app's sessions with "
            "register_policies(…, guard_writes=True)."
        )


def caller_beside(owner: Any) -> Any:
    """The current caller, asked for without flushing what was changed of the object."""
    with unflushed(owner, None):
        return current_caller()


def refusal_for(asking: Any, decision: Decision) -> HTTPError:
    """The answer to a caller whom a decision denies: 404, 401 or 403."""
    return refusal_of(asking, visible=decision.visible)


def refusal_of(asking: Any, *, visible: bool) -> HTTPError:
    """The answer to a caller who is denied something: 404, 401 or 403."""
    if not visible:
        return ObjectNotFound()
    return refusal_of_nobody(asking) if is_nobody(asking) else AccessDenied()


def decision_about(policy: Policy, verb: Verb, owner: Any, asking: Any) -> Decision:
    """What the policy says of the object, in the app's session if it has one."""
    known = registered_in(app_itself())
    session = known.session() if known.session is not None else None
    return policy.decide(asking, verb, owner, session=session)


def _are_allowed_logged(verb: Verb) -> bool:
    """Whether ``LICET_LOG_ALLOWED`` names the verb."""
    logged = app_state(app_itself()).get_or_build(_LOGGED, _logged_verbs)
    return bool(logged) and (verb.name in logged or ALL.names <= logged)


def _logged_verbs(settings: Settings) -> frozenset[str]:
    """The verbs that ``LICET_LOG_ALLOWED`` names; those that no policy has are told, once."""
    known = {name for policy in policies_of(app_itself()) for name in policy.verbs} | ALL.names
    for name in sorted(settings.log_allowed - known):
        log.warning(
            "LICET_LOG_ALLOWED names %r, a verb that no policy of the app has: %s",
            name,
            suggestion(name, known),
        )
    return settings.log_allowed


def _log_decision(
    outcome: str, policy: Policy, verb: Verb, owner: Any, asking: Any, decision: Decision
) -> None:
    if log.isEnabledFor(logging.INFO):  # the reason can cost more than the decision
        resource, reason = f"{policy.name}:{_key_of(owner)}", _reason(decision)
        log_line(outcome, asking, verb, resource, visible=decision.visible, reason=reason)


def log_line(
    outcome: str, asking: Any, verb: Verb, resource: str, *, visible: bool, reason: str
) -> None:
    """One line for each decision, for the log alone; no token, claim or value of the caller's."""
    facts = {
        "request_id": request_id(),
        "principal": principal_of(asking),
        "verb": verb.name,
        "resource": resource,
        "visible": visible,
        "reason": reason,
    }
    log.info("%s %s", outcome, json.dumps(facts, default=str), extra={"licet": facts})


def _reason(decision: Decision) -> str:
    """Why it was denied; working that out asks more than deciding did, and can fail alone."""
    try:
        return decision.reason
    except Exception:
        log.exception("The reason of a denial could not be worked out.")
        return "unknown"


def principal_of(asking: Any) -> str:
    """Who asks, as the log names them: licet's principal, or the app's user by primary key."""
    if is_nobody(asking):
        return "anonymous"
    principal = getattr(asking, "principal", None)
    if principal is None:
        state = sa.inspect(asking, raiseerr=False)
        key = _key_of(asking) if hasattr(state, "identity") else getattr(asking, "id", "?")
        principal = f"{type(asking).__name__}:{key}"
    return str(principal)


def _key_of(owner: Any) -> str:
    identity = sa.inspect(owner).identity
    return "new" if identity is None else ",".join(map(str, identity))


def request_id() -> str | None:
    """The request's own id, as its sender gave it when that is harmless."""
    if not has_request_context():
        return None
    given = request.headers.get("X-Request-Id", "")
    state = request_state()
    if "request_id" not in state:
        state["request_id"] = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    return str(state["request_id"])
