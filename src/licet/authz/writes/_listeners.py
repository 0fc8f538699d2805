"""What SQLAlchemy is asked to tell: flushes, written rows, statements, and ends of transactions.

The listeners are for all sessions, mappers and engines of the process, as a request may use any of
them. Where nothing is guarded each returns at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NoReturn

import sqlalchemy as sa
from flask import Response, after_this_request, has_request_context
from sqlalchemy import Engine, event
from sqlalchemy.orm import Mapper, Session

from licet.authz.callers.asking import log_line, refusal_of
from licet.authz.policies._in_sql._changes import FILTERED
from licet.authz.policies._models.remembered import remember_flushed
from licet.authz.policies.verbs import DELETE, UPDATE
from licet.authz.writes._afterwards import note_session
from licet.authz.writes._before import BARE
from licet.authz.writes._constraints import denial_outside_of_blocks, look_at_error
from licet.authz.writes._flushes import (
    begin_before_savepoint,
    current_flush,
    enter_flush,
    flush_of,
    forget_connection,
    leave_flush,
    note_connection,
    refuse_undecided,
)
from licet.authz.writes._scope import (
    begin_watch,
    block,
    drop_watch,
    scope_of,
    statements_scope,
    watch_of,
)
from licet.authz.writes._statements import (
    closed_table,
    is_permitted,
    note_filtered,
    permit_or_refuse,
    permitted,
    written_by,
)
from licet.authz.writes._verdict import first_refusal
from licet.authz.writes._watch import Watch

__all__ = ["all_or_none", "install", "may_commit", "settle"]

_COMMITTING: Final = "licet.committing"
_BARE: Final = f"{BARE}."
_FLUSHES: Final = 100
_lock = threading.Lock()
_installed: list[bool] = []


def install() -> None:
    """Listen, once in a process."""
    with _lock:
        if _installed:
            return
        _installed.append(True)
        for name, listener in _of_sessions.items():
            event.listen(Session, name, listener)
        for name, function in _of_mappers.items():
            event.listen(Mapper, name, function)
        event.listen(Engine, "before_execute", _before_execute)
        event.listen(Engine, "handle_error", look_at_error)
        event.listen(Engine, "commit", refuse_undecided)
        event.listen(Engine, "rollback", forget_connection)
        event.listen(Engine, "savepoint", begin_before_savepoint)
        event.listen(Engine, "before_cursor_execute", _before_cursor_execute, retval=True)


def may_commit(session: Session) -> bool:
    """Whether nothing around commits the session: no savepoint, and no ``with session.begin()``."""
    return not session.in_nested_transaction() and session._trans_context_manager is None


@contextmanager
def all_or_none(owner: Any) -> Iterator[None]:
    """Give an object its former values back if the block fails."""
    state = sa.inspect(owner)
    values, committed = dict(state.dict), dict(state.committed_state)
    try:
        yield
    except BaseException:
        for found, former in ((state.dict, values), (state.committed_state, committed)):
            found.clear()
            found.update(former)
        raise


def settle(watch: Watch) -> None:
    """Decide about all that was touched.

    Raises:
        ObjectNotFound, MissingToken, NotRegistered, AccessDenied: something of it is denied.
    """
    if watch.is_settled:
        return
    watch.note_mapped_links()
    refusal = first_refusal(watch)
    if refusal is None:
        watch.is_settled = True
        return
    watch.is_refused = True
    resource = f"{refusal.policy.name}:{','.join(map(str, refusal.key))}"
    error = refusal_of(watch.identity, visible=refusal.visible)
    is_visible, reason = refusal.visible, refusal.reason
    log_line("denied", watch.identity, refusal.verb, resource, visible=is_visible, reason=reason)
    raise error


# --- sessions ------------------------------------------------------------------------------------


def _before_flush(session: Session, flush_context: Any, _instances: Any) -> None:
    scope = scope_of(session)
    if scope is None:
        enter_flush(session, None)
        return
    watch = begin_watch(session, scope)
    watch.expect(flush_context)
    enter_flush(session, watch)


def _after_flush(session: Session, _flush_context: Any) -> None:
    watch = leave_flush(session)
    if watch is not None:
        watch.require_own_inserts()


def _after_flush_postexec(session: Session, _flush_context: Any) -> None:
    """A flush between `before_commit` and the commit, by another listener, is decided at once."""
    watch = watch_of(session)
    if watch is not None and session.info.get(_COMMITTING):
        _settle_or_roll_back(session, watch)


def _before_commit(session: Session) -> None:
    watch, scope = watch_of(session), scope_of(session)
    if session.in_nested_transaction() or (watch is None and scope is None):
        return
    session.info[_COMMITTING] = True
    for _ in range(_FLUSHES):  # SQLAlchemy refuses what needs more of them
        if session._is_clean():
            break
        session.flush()
    watch = watch_of(session)
    if watch is not None:
        _settle_or_roll_back(session, watch)


def _settle_or_roll_back(session: Session, watch: Watch) -> None:
    scope = block.get()
    changes = scope.changes if scope is not None and scope.session is session else []
    try:
        settle(watch)
        for change in changes:  # of a block that has not ended
            change.require_written()
    except Exception as error:  # noqa: BLE001 - raised again
        _roll_back(session, error)


def _roll_back(session: Session, error: Exception) -> NoReturn:
    """Roll back the transaction whose commit is under way, as a flush that fails does.

    `Session.rollback` cannot be called here. As after any failed flush, the session is used again
    after its `rollback`, which comes with the end of the request at the latest.
    """
    if has_request_context():
        after_this_request(partial(_make_usable, session))
    transaction = session._autobegin_t()._begin()
    try:
        raise error
    finally:
        transaction.rollback(_capture_exception=True)


def _make_usable(session: Session, response: Response) -> Response:
    """Roll back a session of which the program did not, so that the next request can use it."""
    if not session.is_active:
        session.rollback()
    return response


def _after_rollback(session: Session) -> None:
    watch = watch_of(session)
    if watch is not None and not session.in_nested_transaction():
        watch.is_settled = True


def _after_soft_rollback(session: Session, previous: Any) -> None:
    watch = watch_of(session)
    leave_flush(session)
    if watch is None:
        return
    if previous.nested:
        watch.take_back(previous)
    if previous.nested or session.in_nested_transaction():
        watch.proposed = []  # the program may try something else
        return
    inner = block.get()
    if watch.proposed and not (inner is not None and inner.session is session):
        denial = denial_outside_of_blocks(watch, sys.exc_info()[1])
        watch.proposed = []
        if denial is not None:
            raise denial


def _after_transaction_create(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        note_session(session)
    watch = watch_of(session)
    if watch is not None and transaction.nested:
        watch.mark(transaction)


def _after_transaction_end(session: Session, transaction: Any) -> None:
    if transaction.parent is None:
        session.info.pop(_COMMITTING, None)
        drop_watch(session)


# --- rows ----------------------------------------------------------------------------------------


def _before_update(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    watch = flush_of(target)
    if watch is not None:
        watch.written(mapper, target, UPDATE)


def _before_delete(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    watch = flush_of(target)
    if watch is not None:
        watch.written(mapper, target, DELETE)


def _before_insert(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    watch = flush_of(target)
    if watch is not None:
        watch.inserts(mapper)


def _after_insert(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    watch = flush_of(target)
    if watch is not None:
        watch.was_written(mapper, target)


def _after_update(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    """Of every object that is marked as changed, also where no UPDATE was needed."""
    watch, state = flush_of(target), sa.inspect(target)
    session = state.session if watch is None else watch.session
    if state.key is not None and not session.is_modified(target, include_collections=False):
        return
    if watch is None:
        remember_flushed(target)
    else:
        watch.was_written(mapper, target)


def _after_delete(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    watch = flush_of(target)
    if watch is not None:
        watch.was_deleted(mapper, sa.inspect(target))


# --- statements ----------------------------------------------------------------------------------


def _do_orm_execute(state: Any) -> Any:
    """A statement that a session is given: noted, let pass or refused, and then executed."""
    statement = written_by(state.statement)
    scope = None if statement is None else scope_of(state.session)
    if scope is None or scope.is_narrow:
        return None
    table = closed_table(scope.guard, statement)
    if table is None:
        return None
    if _is_filtered(scope, statement):
        note_filtered(state.session, scope, statement, state.parameters)
    else:
        permit_or_refuse(table, {**statement._execution_options, **state.execution_options})
    if state.session.autoflush:
        state.session.flush()  # what waits in the session is not permitted with it
    with permitted():
        return state.invoke_statement()


def _is_filtered(scope: Any, statement: Any) -> bool:
    """Whether a policy of the guard restricts it."""
    model = statement._execution_options.get(FILTERED)
    return any(policy.model is model for policy in scope.guard.policies)


def _before_execute(
    connection: Any, statement: Any, many: Any, one: Any, options: Mapping[str, Any]
) -> None:
    statement = written_by(statement)
    if statement is None or is_permitted():
        return
    watch = current_flush()
    if watch is not None and _is_of_flush(watch, statement, many or [one], options):
        note_connection(connection, watch)
        return
    scope = statements_scope()
    table = None if scope is None else closed_table(scope.guard, statement, many or [one])
    if table is not None:
        permit_or_refuse(table, {**statement._execution_options, **options})


def _is_of_flush(
    watch: Watch, statement: Any, parameters: list[Any], options: Mapping[str, Any]
) -> bool:
    """Whether a flush makes the statement itself, and not a hook of the app during it."""
    cache = options.get("compiled_cache")
    mapper = None if cache is None else _flushed(watch, statement.table, cache)
    if mapper is not None:
        if isinstance(statement, sa.Update) and watch.guard.watches(mapper):
            watch.updates(mapper, statement.table, parameters)
        elif isinstance(statement, sa.Insert):
            watch.inserted[statement.table] += len(parameters)
        return True
    if statement.table in watch.guard.links and all(parameters):
        is_delete = isinstance(statement, sa.Delete)
        watch.note_links(statement.table, parameters, is_delete=is_delete)
        return True
    return False


def _flushed(watch: Watch, table: Any, cache: Any) -> Mapper[Any] | None:
    """The class whose flush writes the table with this cache of statements, if one does."""
    known = watch.guard.flushed.get(table)
    if known is not None and cache is known.base_mapper._compiled_cache:
        return known
    for mapper in _mappers_of(watch, table):
        if cache is mapper.base_mapper._compiled_cache:
            watch.guard.flushed[table] = mapper
            return mapper
    return None


def _mappers_of(watch: Watch, table: Any) -> list[Mapper[Any]]:
    """The classes with rows in the table, the one whose own it is first."""
    registries = {sa.inspect(policy.model).registry for policy in watch.guard.policies}
    found = (one for registry in registries for one in registry.mappers if table in one.tables)
    return sorted(found, key=lambda one: (one.local_table is not table, one.single))


def _before_cursor_execute(
    _connection: Any, _cursor: Any, text: str, parameters: Any, context: Any, _many: Any
) -> tuple[str, Any]:
    """A SELECT can write, in PostgreSQL, by a common table expression."""
    found = getattr(getattr(context, "compiled", None), "ctes", None)
    if found and not is_permitted():
        scope = statements_scope()
        for one in found:
            table = None if scope is None else closed_table(scope.guard, one.element)
            if table is not None:
                permit_or_refuse(table, context.execution_options)
    if found and _BARE in text:
        text = text.replace(_BARE, "")
    return text, parameters


_of_sessions: dict[str, Callable[..., Any]] = {
    "before_flush": _before_flush,
    "after_flush": _after_flush,
    "after_flush_postexec": _after_flush_postexec,
    "before_commit": _before_commit,
    "after_rollback": _after_rollback,
    "after_soft_rollback": _after_soft_rollback,
    "after_transaction_create": _after_transaction_create,
    "after_transaction_end": _after_transaction_end,
    "do_orm_execute": _do_orm_execute,
}
_of_mappers: dict[str, Callable[..., Any]] = {
    "before_insert": _before_insert,
    "before_update": _before_update,
    "before_delete": _before_delete,
    "after_insert": _after_insert,
    "after_update": _after_update,
    "after_delete": _after_delete,
}
