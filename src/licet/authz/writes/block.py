"""One guarded change of an object: created, changed or deleted, decided before and after.

with write(books, UPDATE, book) as change:
    change.apply(request.json)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import has_request_context
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.associationproxy import AssociationProxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Session, object_session, scoped_session

from licet.authz._places import invalid
from licet.authz.callers.asking import authorize, current_caller, current_session
from licet.authz.policies._models.values import as_held, may_be_null
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import CREATE, DELETE, LIST, VIEW, Verb, one_verb
from licet.authz.writes._constraints import denial_of_taken
from licet.authz.writes._listeners import all_or_none, install, may_commit, settle
from licet.authz.writes._scope import Scope, block, guard_for, is_kept, scope_of, watch_of
from licet.authz.writes._touched import Main
from licet.errors import InvalidRequest
from licet.errors.names import knows_its_options, with_article

__all__ = ["Change", "write"]


class Change:
    """What a block does to its object."""

    def __init__(
        self, policy: Policy, owner: Any, asking: Any, session: Session, scope: Scope
    ) -> None:
        self.object = owner
        self._policy, self._asking, self._session = policy, asking, session
        self._endings = scope.endings
        self._applied: set[str] = set()
        # before the block changes what the rules ask; of a draft, what might be written
        self._writable = self._find_writable(might=sa.inspect(owner).key is None)

    def _find_writable(self, *, might: bool = False) -> frozenset[str]:
        if might:
            with self._policy.at(None):
                return self._policy.written.sometimes_free(self._asking)
        return self._policy.writable_fields(self._asking, self.object, session=self._session)

    @property
    def writable(self) -> frozenset[str]:
        """What the caller may write of the object as it was before the block."""
        return self._writable

    def apply(self, fields: Mapping[str, Any]) -> None:
        """Set the object's fields to these values, all of them or none.

        A related object is set by the name of its relationship, never by a value of JSON, such as
        null or []. A validator of the object's class that raises leaves it as it was. What may
        be written is asked of the object before the block (not of a draft), and as it was written.

        Raises:
            InvalidRequest: this is no mapping, or names fields that the policy does not have, or
                that the caller may not write; the text names them.
        """
        if not isinstance(fields, Mapping):
            raise InvalidRequest("The fields to be set are a JSON object.")
        writable, known = self._writable, self._policy.shown.names
        refused = [name for name in fields if name in known and name not in writable]
        related = [name for name in fields if self._is_no_related(name, fields[name])]
        self._refuse(
            {
                "Unknown fields": [str(name) for name in fields if name not in known],
                "Fields that may not be written": refused,
                "Fields that are set by the key of the related object": related,
                "Fields that are computed": [name for name in fields if self._is_computed(name)],
            }
        )
        dialect = self._session.get_bind(sa.inspect(type(self.object))).dialect
        with all_or_none(self.object):
            unfit = [name for name, value in fields.items() if not self._set(name, value, dialect)]
            self._refuse({"Fields with values that they cannot have": unfit})
        self._applied.update(fields)

    def _refuse(self, found: Mapping[str, list[str]]) -> None:
        problems = [
            f"{text}: {', '.join(sorted(names))}." for text, names in found.items() if names
        ]
        if problems:
            raise InvalidRequest(" ".join(problems))

    def _set(self, name: str, value: Any, dialect: Dialect) -> bool:
        """Set a field; whether the columns can hold what it has become."""
        mapper, state = sa.inspect(type(self.object)), sa.inspect(self.object)
        made = getattr(mapper.attrs.get(name), "composite_class", None)
        if isinstance(made, type) and not isinstance(value, made | None):
            return False
        own = mapper.column_attrs.get(name)
        was = dict(state.dict) if own is None else {}
        setattr(self.object, name, value)
        for prop in mapper.column_attrs if own is None else (own,):
            if prop.key in state.dict and state.dict[prop.key] is not was.get(prop.key, was):
                try:
                    state.dict[prop.key] = self._held(prop, state.dict[prop.key], dialect)
                except ValueError:
                    return False
        return True

    def _held(self, prop: Any, value: Any, dialect: Dialect) -> Any:
        """The value as its columns hold it.

        Raises:
            ValueError: they cannot.
        """
        if isinstance(value, sa.ClauseElement) or hasattr(value, "__clause_element__"):
            return value
        state = sa.inspect(self.object)
        for column in prop.columns if isinstance(prop.columns[0], sa.Column) else ():
            if value is not None:
                value = as_held(column.type, value, dialect)
            elif not may_be_null(column, dialect, is_draft=state.key is None):
                relations = state.mapper.relationships
                if not any(
                    column in one.local_columns and state.dict.get(one.key) for one in relations
                ):
                    raise ValueError("null")
        return value

    def before_commit(self, function: Callable[[], None]) -> None:
        """Call a function at the block's end, when everything is flushed and decided.

        It sees what is going to be committed, so that it can make the answer of a request. Whatever
        it raises takes the whole change back. Of a block within another it is called at the end of
        the outermost one.
        """
        self._endings.append(function)

    def require_written(self) -> None:
        """Ask once more, of the flushed object, whether the applied fields might be written.

        Raises:
            InvalidRequest: some may not; the text names them.
        """
        if self._applied.isdisjoint(self._policy.written.masked):
            return
        if sa.inspect(self.object).persistent:
            self._session.expire(self.object)  # triggers and defaults count
        refused = self._applied - self._find_writable()
        self._refuse({"Fields that may not be written in the new state": list(refused)})

    def _is_no_related(self, name: str, value: Any) -> bool:
        """Whether related rows are to be set by something that is no object of a session."""
        mapper = sa.inspect(type(self.object))
        descriptor = mapper.all_orm_descriptors.get(name)
        if name not in mapper.relationships and not isinstance(descriptor, AssociationProxy):
            return False
        values = value if isinstance(value, list | tuple | set) else [value]
        return not values or any(sa.inspect(one, raiseerr=False) is None for one in values)

    def _is_computed(self, name: str) -> bool:
        """Whether an attribute has the value of an expression, or of a column that nobody sets."""
        mapper = sa.inspect(type(self.object))
        found = mapper.column_attrs.get(name)
        if found is None:
            descriptor = mapper.all_orm_descriptors.get(name)
            return isinstance(descriptor, hybrid_property) and descriptor.fset is None
        column = found.columns[0]
        if not isinstance(column, sa.Column):
            return True
        is_numbered = column.identity is not None and column.identity.always
        return column.computed is not None or bool(is_numbered)


@contextmanager
@knows_its_options
def write(
    policy: Policy,
    verb: Verb,
    owner: Any,
    *,
    identity: Any = None,
    commit: bool = True,
    keeps: bool = False,
) -> Iterator[Change]:
    """Guard what the block writes, and commit it.

    The caller must be allowed `verb` with the object when the block begins (CREATE: when it ends).
    At its end a draft is added to the session (CREATE) or the object deleted (DELETE), everything
    is flushed, and each row that was touched is decided about as it was and as it was written; then
    the session is committed. Any error, a refusal among them, rolls the session back.

    Args:
        policy: the policy of the object's class.
        verb: CREATE, UPDATE, DELETE, or a verb of the app's own, which then stands for UPDATE.
        owner: the object; a draft for CREATE.
        identity: who asks, when that is not the current caller.
        commit: False leaves the commit to the program. Within another block, a savepoint or
            ``with session.begin()`` it is left anyway: the block then ends with the decision.
        keeps: the object is changed, as soft deletion does, and not deleted; `verb`, DELETE for
            example, then stands for UPDATE.

    Raises:
        ObjectNotFound, MissingToken, NotRegistered, AccessDenied: as `authorize`, of the object or
            of another row that the block wrote.
        InvalidCondition: the verb only reads, or the object is stored for CREATE, or a draft for
            another verb, or stored and in no session.
        UntranslatableCondition: a policy decides about writes by a Python function.
        UsageError: as `authorize`.
    """
    install()
    name = one_verb(verb)
    _require_fitting(policy, name, owner)
    asking = current_caller() if identity is None else identity
    session = _session_of(owner)
    # what was decided for the view is decided once more when the row is touched, by SQL
    is_known = identity is None and watch_of(session) is None and is_kept(policy, verb, owner)
    if name != CREATE.name and not is_known:
        authorize(policy, verb, owner, identity=asking)
    main = Main(policy, verb, owner, keeps)
    outer = block.get()
    if outer is not None and outer.session is session:
        yield from _inner(outer, main, asking, identity)
        return
    scope = Scope(
        guard_for(policy), lambda: asking, session=session, mains=[main], identity=identity
    )
    yield from _outermost(scope, main, asking, commit=commit)


def _inner(outer: Scope, main: Main, asking: Any, identity: Any) -> Iterator[Change]:
    """A block within another, which decides it; at once where it decides otherwise."""
    session: Any = outer.session
    guard = outer.guard = guard_for(*outer.guard.policies, main.policy)
    is_alone = main.stands_for_update or identity is not outer.identity
    if not is_alone:
        outer.mains.append(main)
        if (watch := watch_of(session)) is not None:
            watch.enter(guard, watch.identity, outer.mains)
        yield _change_in(outer, main, asking, session)
        _finish(session, main)
        session.flush()
        return
    _decide_so_far(session, outer)
    scope = Scope(guard, lambda: asking, session=session, mains=[main], identity=identity)
    scope.changes, scope.endings = outer.changes, outer.endings
    with _alone(scope, asking):
        yield _change_in(scope, main, asking, session)
        _finish(session, main)
        _decide_so_far(session, scope)
    if (watch := watch_of(session)) is not None:
        watch.enter(guard, outer.find_caller(), outer.mains)


@contextmanager
def _alone(scope: Scope, asking: Any) -> Iterator[None]:
    session: Any = scope.session
    if (watch := watch_of(session)) is not None:
        watch.enter(scope.guard, asking, scope.mains)
    token = block.set(scope)
    try:
        yield
    finally:
        block.reset(token)


def _outermost(scope: Scope, main: Main, asking: Any, *, commit: bool) -> Iterator[Change]:
    session: Any = scope.session
    is_alone = main.stands_for_update or scope.identity is not None
    try:
        if is_alone:
            _decide_so_far(session, _scope_before(scope, asking))
        with _alone(scope, asking):
            yield _change_in(scope, main, asking, session)
            _finish(session, main)
            session.flush()
            if (watch := watch_of(session)) is not None:
                settle(watch)
            for change in scope.changes:
                change.require_written()
            for function in scope.endings:
                function()
            if commit and may_commit(session):
                session.commit()
            elif is_alone:
                _decide_so_far(session, scope)
        watch, after = watch_of(session), scope_of(session)
        if is_alone and watch is not None and after is not None:
            watch.enter(after.guard, after.find_caller(), after.mains)
            watch.is_narrow = after.is_narrow
    except BaseException as error:
        watch = watch_of(session)
        session.rollback()
        if (denial := denial_of_taken(watch, error, scope.changes)) is not None:
            raise denial from error
        raise


def _scope_before(scope: Scope, asking: Any) -> Scope:
    """What guards the changes that were made before a block of another caller or verb."""
    found = scope_of(scope.session) if scope.session is not None else None
    if found is not None and not found.is_narrow:
        return found
    is_asked = scope.identity is None or not has_request_context()
    find = (lambda: asking) if is_asked else current_caller
    return Scope(scope.guard, find, session=scope.session)


def _decide_so_far(session: Session, scope: Scope) -> None:
    """Decide what was written until now for itself, under this scope."""
    if session.new or session.dirty or session.deleted:
        token = block.set(scope)
        try:
            session.flush()
        finally:
            block.reset(token)
    if (watch := watch_of(session)) is not None:
        settle(watch)
        watch.set_aside()


def _change_in(scope: Scope, main: Main, asking: Any, session: Session) -> Change:
    change = Change(main.policy, main.owner, asking, session, scope)
    if main.verb.name != DELETE.name:
        scope.changes.append(change)
    return change


def _finish(session: Session, main: Main) -> None:
    if main.verb.name == CREATE.name:
        session.add(main.owner)
    elif main.verb.name == DELETE.name and not (main.keeps or sa.inspect(main.owner).deleted):
        session.delete(main.owner)  # unless the block itself did, with a flush


def _require_fitting(policy: Policy, name: str, owner: Any) -> None:
    if not isinstance(owner, policy.model):
        raise invalid(
            f"The policy {policy.name} decides about {policy.model.__name__}, and the block is "
            f"given {type(owner).__name__}."
        )
    if name in (LIST.name, VIEW.name):
        raise invalid(f"A block writes, and {name} only reads.")
    is_stored = sa.inspect(owner).key is not None
    if is_stored and object_session(owner) is None:
        raise invalid(
            f"The {type(owner).__name__} is in no session, which would write its changes: load it "
            "in the session of the request, or merge it into that."
        )
    if is_stored is (name == CREATE.name):
        state = "stored already" if is_stored else "a draft that is not stored"
        raise invalid(
            f"{name} cannot be done with {with_article(type(owner).__name__)} that is {state}."
        )


def _session_of(owner: Any) -> Session:
    found: Any = object_session(owner) or current_session()
    session: Session = found() if isinstance(found, scoped_session) else found
    return session
