"""Whether a session's writes are guarded now: by a block, by the app, or for an object of a view.

Sessions outside of requests are left alone, unless a block is about them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from flask import Flask, has_request_context
from flask.globals import request_ctx
from sqlalchemy.orm import Session

from licet.authz.callers.asking import current_caller, registered_in
from licet.authz.policies._models.remembered import forget, forget_flushed, remember
from licet.authz.policies.policy import Policy
from licet.authz.writes._guard import Guard
from licet.authz.writes._touched import Main
from licet.authz.writes._watch import Watch
from licet.errors import UsageError
from licet.settings.state import app_itself, app_state, request_itself, request_state

__all__ = [
    "Scope",
    "begin_watch",
    "block",
    "drop_watch",
    "guard_for",
    "is_kept",
    "keep_object",
    "later",
    "leave_scope",
    "scope_of",
    "statements_scope",
    "watch_of",
]

_WATCH: Final = "licet.watch"
_SCOPE: Final = "licet.later_scope"
_OBJECTS: Final = "authz.guarded_objects"
_GUARDS: Final = "authz.guards"


@dataclass(eq=False)
class Scope:
    """What guards a session: the policies, who asks, and the objects that it is about."""

    guard: Guard
    find_caller: Callable[[], Any]
    session: Session | None = None
    mains: list[Main] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)  # whose fields are asked at the block's end
    endings: list[Callable[[], None]] = field(default_factory=list)  # called when all is decided
    is_narrow: bool = False
    identity: Any = None  # who asks instead of the current caller
    request: Any = None  # one that is over


later: ContextVar[Scope | None] = ContextVar("licet_later_writes", default=None)
block: ContextVar[Scope | None] = ContextVar("licet_write_block", default=None)


def guard_for(*policies: Policy) -> Guard:
    """What is watched for the app's policies, and for these."""
    app = _guarded_app()
    wanted = tuple(dict.fromkeys((*registered_in(app).policies, *policies)))
    guards: dict[Any, Guard] = app_state(app).get_or_build(_GUARDS, lambda _settings: {})
    if wanted not in guards:
        guards[wanted] = Guard(wanted)
    return guards[wanted]


def _guarded_app() -> Flask:
    """The request's app, whatever app's context a view has pushed in between."""
    return request_ctx.app if has_request_context() else app_itself()


def _caller_of_request() -> Any:
    if app_itself() is (app := _guarded_app()):
        return current_caller()
    with app.app_context():
        return current_caller()


def _narrow_guard(policies: tuple[Policy, ...]) -> Guard:
    guards: dict[Any, Guard] = app_state(_guarded_app()).get_or_build(_GUARDS, lambda _settings: {})
    return guards.setdefault(("narrow", *policies), Guard(policies, is_narrow=True))


def scope_of(session: Session) -> Scope | None:
    """What guards the writes of a session now; None of one that is left alone."""
    inner = block.get()
    if inner is not None and inner.session is session:
        return inner
    found = statements_scope() if inner is None else _app_scope()
    if found is None and has_request_context():
        mains = request_state().get(_OBJECTS)
        if mains:
            guard = _narrow_guard(tuple(dict.fromkeys(main.policy for main in mains)))
            return Scope(guard, _caller_of_request, mains=mains, is_narrow=True)
    if found is None and not has_request_context():
        found = session.info.get(_SCOPE)
    return found


def leave_scope(session: Session, scope: Scope) -> None:
    """Let a scope guard the rest of the session's transaction, after its request."""
    session.info[_SCOPE] = scope


def statements_scope() -> Scope | None:
    """What guards the statements of any connection now."""
    return block.get() or _app_scope()


def _app_scope() -> Scope | None:
    if not has_request_context():
        return later.get()
    if not registered_in(_guarded_app()).guards_writes:
        return None
    return Scope(guard_for(), _caller_of_request)


def keep_object(policy: Policy, verb: Any, owner: Any) -> None:
    """Guard what the rest of the request writes of an object that a view was given."""
    request_state().setdefault(_OBJECTS, []).append(Main(policy, verb, owner))


def is_kept(policy: Policy, verb: Any, owner: Any) -> bool:
    """Whether the request was allowed the verb when its view was given the object."""
    kept = request_state().get(_OBJECTS, ()) if has_request_context() else ()
    return any(one.owner is owner and one.policy is policy and one.verb == verb for one in kept)


def watch_of(session: Session) -> Watch | None:
    """What watches the session's transaction, if something does."""
    found: Watch | None = session.info.get(_WATCH)
    return found


def begin_watch(session: Session, scope: Scope) -> Watch:
    """What watches the session's transaction, from now on at the latest.

    Raises:
        UsageError: another request's changes wait in the session.
    """
    found = watch_of(session)
    request = request_itself() if has_request_context() else scope.request
    if found is None or (found.request is not request and not found.is_in_use):
        found = session.info[_WATCH] = Watch(
            session,
            scope.guard,
            scope.find_caller(),
            request=request,
            mains=scope.mains,
            is_narrow=scope.is_narrow,
        )
        remember(session.hash_key, found)
    elif found.request is not request:
        raise UsageError(
            "The session holds changes of another request, which were neither committed nor rolled "
            "back. Give each request a session of its own, or end the transaction with the request."
        )
    return found


def drop_watch(session: Session) -> None:
    """The transaction has ended."""
    if session.info.pop(_WATCH, None) is not None:
        forget(session.hash_key)
    session.info.pop(_SCOPE, None)
    forget_flushed(session)
