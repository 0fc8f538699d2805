"""What constraints of the database would tell of rows that the caller may not see.

A foreign key that leads nowhere is answered like that of a row which denies the change. A value
that is taken is told only to who may store it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import set_attribute

from licet.authz.callers.asking import log_line, refusal_of
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import CREATE, UPDATE, Verb
from licet.authz.writes._flushes import current_flush, watches_committed_by
from licet.authz.writes._plans import first_relations
from licet.authz.writes._watch import Watch
from licet.errors import InvalidRequest, UnloadedObject
from licet.errors.base import HTTPError

__all__ = ["denial_of_taken", "denial_outside_of_blocks", "look_at_error"]

log = logging.getLogger("licet.authz.decisions")
_ABSENT = ("23503", "FOREIGN KEY constraint failed")
_TAKEN = ("23505", "UNIQUE constraint failed")
_EXCLUDED = ("23P01", "EXCLUDE constraint failed")  # SQLite has none


def look_at_error(context: Any) -> None:
    """Answer a row that would refer to none, and keep what a flush wrote that a taken value ended.

    Raises:
        MissingToken, AccessDenied: a flush, or a commit, has written a row that refers to none.
    """
    error, running = context.original_exception, context.execution_context
    if running is None:
        if _is_of(error, _ABSENT):  # a constraint that is deferred to the commit
            for one in watches_committed_by(context.connection):
                _answer_absent(one, {mapper for mapper, _ in one.written_rows()}, CREATE)
        return
    watch, compiled = current_flush(), getattr(running, "compiled", None)
    if watch is None or compiled is None or not (compiled.isinsert or compiled.isupdate):
        return
    if _is_of(error, _ABSENT):
        verb = CREATE if compiled.isinsert else UPDATE
        mappers = {
            mapper
            for policy in watch.guard.policies
            for mapper in sa.inspect(policy.model).self_and_descendants
            if compiled.statement.table in mapper.tables
        }
        _answer_absent(watch, mappers, verb)
    elif _is_of(error, _TAKEN) or _is_of(error, _EXCLUDED):
        watch.proposed = [_proposal(watch, owner) for owner in watch.stored_objects()]


def _answer_absent(watch: Watch, mappers: set[Mapper[Any]], verb: Verb) -> None:
    for mapper in mappers:
        for policy in watch.guard.policies_of(mapper):
            referred = {key.column.table for table in mapper.tables for key in table.foreign_keys}
            if not referred.isdisjoint(watch.guard.asked[policy]):
                reason = "a row that it would refer to does not exist"
                log_line("denied", watch.identity, verb, policy.name, visible=True, reason=reason)
                raise refusal_of(watch.identity, visible=True)


def _is_of(error: BaseException, known: tuple[str, str]) -> bool:
    state, text = known
    return getattr(error, "sqlstate", None) == state or text in str(error)


def denial_of_taken(
    watch: Watch | None, error: BaseException, changes: Iterable[Any]
) -> HTTPError | None:
    """What answers a block that a taken value ended, if its changes would have been denied.

    Else who may not store a row learns by the conflict that there is another. The rows were not
    written, so that the objects are asked, in the session, which was rolled back before. Of drafts
    among the `changes` of the block, the rules of fields are asked as well.
    """
    if watch is None or not isinstance(error, IntegrityError):
        return None
    try:
        with _told_if_unknown():
            for proposal in watch.proposed:
                owner = proposal.owner
                if proposal.asked and sa.inspect(owner).persistent:
                    _propose(watch.session, owner, proposal.values)
                if (denial := _denial(watch, watch.session, owner, proposal)) is not None:
                    return denial
            for change in changes:
                if sa.inspect(change.object).transient:
                    change.require_written()
    except InvalidRequest as refused:
        return refused
    finally:
        watch.session.rollback()
    return None


def denial_outside_of_blocks(watch: Watch, error: BaseException | None) -> HTTPError | None:
    """The same of a flush in no block: copies are asked, as its session can do nothing now."""
    with _told_if_unknown():
        for proposal in watch.proposed if isinstance(error, IntegrityError) else ():
            if not proposal.asked:
                continue
            engine = watch.session.get_bind(sa.inspect(proposal.owner).mapper)
            connection = watch.session._transaction._connections[engine][0]  # type: ignore[union-attr]
            with Session(connection, autoflush=False) as session:
                copy = _copied(session, proposal)
                denial = None if copy is None else _denial(watch, session, copy, proposal)
            if denial is not None:
                return denial
    return None


@dataclass(frozen=True, eq=False)
class _Proposal:
    """An object that a flush was to store, and who asks what of it."""

    owner: Any
    values: dict[str, Any]  # of its columns
    asked: list[tuple[Policy, Verb, Any]]  # with what the policy asks of the caller


def _proposal(watch: Watch, owner: Any) -> _Proposal:
    """What is lost when the flush is rolled back; the caller may be an object of its session."""
    state = sa.inspect(owner)
    names = state.mapper.column_attrs.keys()
    asked = []
    for policy in watch.guard.policies_of(state.mapper):
        verb = CREATE if state.key is None else _verb(watch, policy, owner)
        asked.append((policy, verb, policy.check(verb).asked_of(watch.identity)))
    values = {name: state.dict[name] for name in names if name in state.dict}
    return _Proposal(owner, values, asked)


@contextmanager
def _told_if_unknown() -> Iterator[None]:
    """Tell the conflict where it cannot be known whether the change is denied."""
    try:
        yield
    except InvalidRequest:
        raise
    except UnloadedObject:  # as the database's default decides, or another draft
        return
    except Exception:
        log.exception("Whether the change that has a taken value is denied could not be asked.")


def _denial(watch: Watch, session: Session, owner: Any, proposal: _Proposal) -> HTTPError | None:
    is_copy = owner is not proposal.owner
    identity = _asking(session, watch.identity) if is_copy else watch.identity
    for policy, verb, told in proposal.asked:
        if not watch.created_tables().isdisjoint(watch.guard.asked[policy]):
            continue  # a right may come from a row that was rolled back, too
        if is_copy and verb is CREATE and _asks_many(policy):
            continue  # the copy of a draft has no collections
        if told is None or policy.check(verb).asked_of(identity) != told:
            continue  # the caller is not known any more
        decision = policy.decide(identity, verb, owner, session=session)
        if not decision:
            is_visible, reason = decision.visible, "the change is denied, and a value is taken"
            log_line("denied", identity, verb, policy.name, visible=is_visible, reason=reason)
            return refusal_of(identity, visible=is_visible)
    return None


def _asking(session: Session, identity: Any) -> Any:
    """The caller, who may be an object of the session that can do nothing now."""
    state = sa.inspect(identity, raiseerr=False)
    key = getattr(state, "identity_key", None)
    return identity if key is None else session.get(type(identity), key[1])


def _asks_many(policy: Policy) -> bool:
    return any(relation.is_many for relation in first_relations(policy.check(CREATE).plan))


def _propose(session: Session, owner: Any, values: dict[str, Any]) -> None:
    """Change the object once more as it was changed, without a flush."""
    with session.no_autoflush:
        session.refresh(owner)
        for name, value in values.items():
            if getattr(owner, name) != value:
                set_attribute(owner, name, value)


def _copied(session: Session, proposal: _Proposal) -> Any:
    """The object with its columns' values, of a row in the session or as a draft."""
    state = sa.inspect(proposal.owner)
    if state.key is not None:
        found = session.get(state.class_, state.key[1])
        if found is not None:
            _propose(session, found, proposal.values)
        return found
    draft = state.mapper.class_manager.new_instance()
    for name, value in proposal.values.items():
        set_attribute(draft, name, value)
    return draft


def _verb(watch: Watch, policy: Policy, owner: Any) -> Verb:
    for main in watch.mains:
        if main.owner is owner and main.policy is policy and main.is_change:
            return main.verb
    return UPDATE
