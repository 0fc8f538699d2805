"""Policies in Flask: which belong to an app, who asks, and what a denial is as a response.

    register_policies(app, speakers, sessions, session=lambda: db.session)

    @app.get("/speakers/<int:speaker_id>")
    @with_object(speakers, VIEW, "speaker_id")
    def show(speaker): ...

A caller who may not know that an object exists is answered, byte for byte, like one who asks for an
object that does not exist. Why it was so is told to the log only.
"""

from __future__ import annotations

import inspect
import itertools
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app, has_request_context, request
from sqlalchemy.orm import Session

from licet.authn.callers import has_accounts, require_standing
from licet.authn.flask import current_identity
from licet.authn.identity import Identity
from licet.authz._nobody import is_nobody, itself, refusal_of_nobody
from licet.authz._places import invalid
from licet.authz.declared.declarations import declarations
from licet.authz.declared.marks import Access, AccessKind, mark, take_arguments
from licet.authz.matrix import EndpointRow, Matrix, tabulate
from licet.authz.policies._in_words import Decision
from licet.authz.policies._models.mapping import can_hold, key_names
from licet.authz.policies._models.sessions import unflushed
from licet.authz.policies.policy import Policy
from licet.authz.policies.roles import Role, refuse_unnamed
from licet.authz.policies.verbs import ALL, VIEW, Verb, one_verb
from licet.errors import AccessDenied, ConfigurationError, ObjectNotFound
from licet.errors.base import HTTPError
from licet.errors.names import knows_its_options, suggestion
from licet.settings import Settings
from licet.settings.state import app_itself, app_state, request_state

__all__ = [
    "authorize",
    "current_caller",
    "decision_about",
    "find_object",
    "guarded_by",
    "matrix_of",
    "policies_of",
    "principal_of",
    "refusal_for",
    "register_policies",
    "request_id",
    "with_object",
]

log = logging.getLogger("licet.authz.decisions")
F = TypeVar("F", bound=Callable[..., Any])
_POLICIES: Final = "authz.policies"
_LOGGED: Final = "authz.logged"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def _identity() -> Identity:
    """The caller himself, not the proxy: a bad token is told here, not inside of a decision."""
    return current_identity._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - the name that werkzeug gave it


@dataclass
class _Registered:
    """The policies of an app, and how its objects and callers are found."""

    policies: list[Policy] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    session: Callable[[], Session] | None = None
    caller: Callable[[], Any] = _identity


@knows_its_options
def register_policies(
    app: Flask,
    *policies: Policy,
    session: Callable[[], Session] | None = None,
    caller: Callable[[], Any] | None = None,
    roles: Iterable[Role] = (),
) -> None:
    """Make policies the app's own: built now, printed by its matrix, proved by its tests.

    Args:
        app: the app.
        policies: one for each model at most.
        session: gives the SQLAlchemy session of the current request.
        caller: gives who asks, when that is not `current_identity` itself, such as Flask-Login's
            ``lambda: current_user``. None, or whoever's `is_authenticated` is False, is nobody.
        roles: those that no policy names, and that imply one which a policy does, or are implied.

    Raises:
        InvalidCondition: a policy is declared wrongly, or is the second for its model; two roles
            have one name; a role is implied that nothing names; or a policy was built before this,
            with other roles than count in the app.
    """
    known = _registered(app)
    registered = _with_more(known.policies, policies)
    more = [*known.roles, *roles]
    if strange := [role for role in more if not isinstance(role, Role)]:
        raise invalid(f"register_policies takes roles as roles=[…], not {strange[0]!r}.")
    named = itertools.chain.from_iterable(policy.named_roles for policy in registered)
    in_app = list(dict.fromkeys([*more, *named]))
    refuse_unnamed(in_app)
    for policy in registered:
        policy.build(roles=in_app)
    known.policies, known.roles = registered, more
    known.session = session or known.session
    known.caller = caller or known.caller


def _with_more(policies: list[Policy], more: Iterable[Policy]) -> list[Policy]:
    joined = list(policies)
    for policy in more:
        if not isinstance(policy, Policy):
            raise invalid(f"register_policies takes policies, not {policy!r}.")
        if any(policy.model is other.model or policy.name == other.name for other in joined):
            raise invalid(f"The app has a policy for {policy.name} already.")
        joined.append(policy)
    return joined


def _registered(app: Flask) -> _Registered:
    return app_state(app).get_or_build(_POLICIES, lambda _settings: _Registered())


def policies_of(app: Flask) -> list[Policy]:
    """The policies that were registered with the app, in their order."""
    return list(_registered(app).policies)


def matrix_of(app: Flask) -> Matrix:
    """The access matrix of an app: its policies, and each endpoint and method."""
    rows = (
        EndpointRow(
            rule=one.rule,
            method=method,
            endpoint=one.endpoint,
            access="; ".join(access.text for access in one.access) or "undeclared",
        )
        for one in declarations(app)
        for method in one.methods
    )
    return tabulate(policies_of(app), rows)


def current_caller() -> Any:
    """Who asks, as the app's policies see them.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: their account is missing, or may not be
            used, and no `requires_auth` over the view admits that.
    """
    app = app_itself()
    if has_accounts(app):
        require_standing(_identity())
    return itself(_registered(app).caller())


def current_session() -> Session:
    """The session that the app's policies load objects with.

    Raises:
        ConfigurationError: none was registered.
    """
    found = _registered(current_app).session
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
    """
    asking = caller_beside(owner) if identity is None else identity
    decision = decision_about(policy, verb, owner, asking)
    if decision:
        if _are_allowed_logged(verb):
            _log_decision("allowed", policy, verb, owner, asking, decision)
        return
    refusal = refusal_for(asking, decision)
    _log_decision("denied", policy, verb, owner, asking, decision)
    raise refusal


def caller_beside(owner: Any) -> Any:
    """The current caller, asked for without flushing what was changed of the object."""
    with unflushed(owner, None):
        return current_caller()


def refusal_for(asking: Any, decision: Decision) -> HTTPError:
    """The answer to a caller whom a decision denies: 404, 401 or 403."""
    if not decision.visible:
        return ObjectNotFound()
    return refusal_of_nobody(asking) if is_nobody(asking) else AccessDenied()


def decision_about(policy: Policy, verb: Verb, owner: Any, asking: Any) -> Decision:
    """What the policy says of the object, in the app's session if it has one."""
    known = _registered(app_itself())
    session = known.session() if known.session is not None else None
    return policy.decide(asking, verb, owner, session=session)


def find_object(policy: Policy, key: Any, verb: Verb = VIEW, *, identity: Any = None) -> Any:
    """The object with this primary key, if the caller may do `verb` with it.

    Raises:
        NotRegistered, AccountNotApproved, AccountDisabled: as `current_caller`.
        ObjectNotFound: there is none, or they may not know of it.
        MissingToken: nobody is signed in, and the object is visible to everybody.
        AccessDenied: they may see it, but not do this.
    """
    # first of all, so that a bad token is told whether or not there is such an object
    asking = current_caller() if identity is None else identity
    owner = current_session().get(policy.model, key) if _can_be_key(policy.model, key) else None
    if owner is None:
        raise ObjectNotFound
    authorize(policy, verb, owner, identity=asking)
    return owner


def _can_be_key(model: type[Any], key: Any) -> bool:
    """Whether a database could hold the key at all, so that asking for it is no error."""
    columns = sa.inspect(model).primary_key
    keys = key if isinstance(key, tuple) else (key,)
    return len(keys) == len(columns) and all(
        can_hold(column.type, one) for column, one in zip(columns, keys, strict=True)
    )


@knows_its_options
def guarded_by(policy: Policy, verb: Verb) -> Callable[[F], F]:
    """Say of a view that it asks the policy itself, by `filter` or `authorize`.

    It asks them for `current_caller()`. Nothing is checked here; the audit and the
    matrix learn what the view promises.
    """
    name = one_verb(verb)

    def decorate(view: F) -> F:
        access = Access(kind=AccessKind.POLICY, text=f"{policy.name} {name}", resource=policy.name)
        return mark(view, access)

    return decorate


@knows_its_options
def with_object(policy: Policy, verb: Verb, key: str | tuple[str, ...]) -> Callable[[F], F]:
    """Give the view the object instead of its key, if the caller may do `verb` with it.

        @app.get("/seats/<int:row>/<int:number>")
        @with_object(seats, VIEW, ("row", "number"))
        def show(seat): ...

    `key` names the view argument that holds the primary key; of a composite key, it is a tuple
    with one name for each of its columns, in the model's order. The object takes their place
    as the view's first argument (after ``self``).

    Raises:
        InvalidCondition: when it does not decorate a function, or names as many arguments as the
            primary key has not.
    """
    name = one_verb(verb)
    names = (key,) if isinstance(key, str) else key
    if not isinstance(names, tuple) or not all(isinstance(part, str) for part in names):
        raise invalid(f"with_object takes the name of a view argument, or a tuple, not {key!r}.")
    if len(names) != (wanted := len(sa.inspect(policy.model).primary_key)):
        raise invalid(
            f"with_object is given {len(names)} name{'s' * (len(names) != 1)} for the primary key "
            f"of {policy.model.__name__}, which has {wanted}: {', '.join(key_names(policy.model))}."
        )

    def decorate(view: F) -> F:
        if not inspect.isfunction(view):
            raise invalid(f"with_object decorates view functions and methods, not {view!r}.")

        @wraps(view)
        def guarded(*args: Any, **view_args: Any) -> Any:
            owner = find_object(policy, _taken_from(view_args, names), verb)
            return current_app.ensure_sync(view)(*args, owner, **view_args)

        text = f"{policy.name} {name}"
        access = Access(kind=AccessKind.POLICY, text=text, resource=policy.name)
        take_arguments(guarded, names)
        return mark(guarded, access)  # type: ignore[return-value]  # with the object for its key

    return decorate


def _taken_from(view_args: dict[str, Any], key: tuple[str, ...]) -> Any:
    """The primary key, taken out of the view's arguments."""
    if missing := [name for name in key if name not in view_args]:
        raise ConfigurationError(
            f"A view finds its object by {', '.join(map(repr, missing))}, and is called with the "
            f"arguments: {', '.join(sorted(view_args)) or 'none'}. Name one of them in with_object."
        )
    parts = tuple(view_args.pop(name) for name in key)
    return parts if len(parts) > 1 else parts[0]


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
    """One line for each decision, for the log alone; no token, claim or value of the caller's."""
    if not log.isEnabledFor(logging.INFO):  # the reason can cost more than the decision
        return
    facts = {
        "request_id": request_id(),
        "principal": principal_of(asking),
        "verb": verb.name,
        "resource": f"{policy.name}:{_key_of(owner)}",
        "visible": decision.visible,
        "reason": _reason(decision),
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
