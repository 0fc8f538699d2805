"""Policies in Flask: which belong to an app, who asks, and what a denial is as a response.

    register_policies(app, speakers, sessions, session=lambda: db.session)

    @app.get("/speakers/<int:speaker_id>")
    @with_object(speakers, VIEW, "speaker_id")
    def show(speaker): ...

A caller who may not know that an object exists is answered, byte for byte, like one who asks for an
object that does not exist. Why it was so is told to the log only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session

from licet.authz._places import invalid, require_function
from licet.authz.callers.asking import (
    authorize,
    caller_beside,
    current_caller,
    current_session,
    decision_about,
    policies_of,
    principal_of,
    refusal_for,
    registered_in,
    request_id,
)
from licet.authz.declared.declarations import declarations
from licet.authz.declared.marks import Access, AccessKind, mark, take_arguments
from licet.authz.matrix import EndpointRow, Matrix, tabulate
from licet.authz.policies._models.mapping import can_hold, key_names
from licet.authz.policies.policy import Policy
from licet.authz.policies.roles import Role, refuse_unnamed
from licet.authz.policies.verbs import UPDATE, VIEW, Verb, one_verb
from licet.authz.writes._afterwards import guard_afterwards
from licet.authz.writes._family import AT_REGISTRATION
from licet.authz.writes._guard import Guard
from licet.authz.writes._listeners import install
from licet.authz.writes._scope import keep_object
from licet.errors import ConfigurationError, ObjectNotFound
from licet.errors.names import knows_its_options

__all__ = [
    "authorize",
    "caller_beside",
    "current_caller",
    "current_session",
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

F = TypeVar("F", bound=Callable[..., Any])


@knows_its_options
def register_policies(
    app: Flask,
    *policies: Policy,
    session: Callable[[], Session] | None = None,
    caller: Callable[[], Any] | None = None,
    roles: Iterable[Role] = (),
    guard_writes: bool = False,
) -> None:
    """Make policies the app's own: built now, printed by its matrix, proved by its tests.

    Args:
        app: the app.
        policies: one for each model at most.
        session: gives the SQLAlchemy session of the current request.
        caller: gives who asks, when that is not `current_identity` itself, such as Flask-Login's
            ``lambda: current_user``. None, or whoever's `is_authenticated` is False, is nobody.
        roles: those that no policy names, and that imply one which a policy does, or are implied.
        guard_writes: decide about everything that any session writes during a request, as `write`
            does for its block.

    Raises:
        InvalidCondition: a policy is declared wrongly, or is the second for its model; two roles
            have one name; a role is implied that nothing names; or a policy was built before this,
            with other roles than count in the app.
        UntranslatableCondition: writes are guarded, and a policy decides about them by a Python
            function.
    """
    known = registered_in(app)
    registered = _with_more(known.policies, policies)
    more = [*known.roles, *roles]
    if strange := [role for role in more if not isinstance(role, Role)]:
        raise invalid(f"register_policies takes roles as roles=[…], not {strange[0]!r}.")
    named = itertools.chain.from_iterable(policy.named_roles for policy in registered)
    in_app = list(dict.fromkeys([*more, *named]))
    refuse_unnamed(in_app)
    for policy in registered:
        policy.build(roles=in_app)
    if guard_writes or known.guards_writes:
        Guard(registered)  # refuses what SQL cannot decide
        known.guards_writes = True
    known.policies, known.roles = registered, more
    known.session = session or known.session
    known.caller = caller or known.caller
    install()
    guard_afterwards(app)
    for function in AT_REGISTRATION:
        function(registered)


def _with_more(policies: list[Policy], more: Iterable[Policy]) -> list[Policy]:
    joined = list(policies)
    for policy in more:
        if not isinstance(policy, Policy):
            raise invalid(f"register_policies takes policies, not {policy!r}.")
        if any(policy.model is other.model or policy.name == other.name for other in joined):
            raise invalid(
                f"The app has a policy for {policy.model.__name__}, or one that is named "
                f"{policy.name!r}, already: a class has one, with all of its rules."
            )
        joined.append(policy)
    return joined


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
    as the view's first argument (after ``self``). With UPDATE, what the request then commits of the
    object is decided once more as it was written; see `write`.

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
        require_function(view, "with_object")

        @wraps(view)
        def guarded(*args: Any, **view_args: Any) -> Any:
            owner = find_object(policy, _taken_from(view_args, names), verb)
            if name == UPDATE.name:
                keep_object(policy, verb, owner)
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
