"""Policies: who may do what with the objects of one model, said once.

    speakers = Policy(Speaker)
    speakers.allow(staff, ALL)
    speakers.allow(registered, LIST | VIEW | UPDATE, when=own)
    speakers.forbid(everyone, DELETE, when=confirmed, unless=[staff])
    speakers.hide("email", unless=[staff, own])

Whatever no grant allows is denied, and what is forbidden is denied whatever allows it. From the one
declaration come the decision about an object, the filter of a list, the fields that are shown, and
the explanation; they always agree.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from licet.authz._clock import at_one_moment, decision_moment
from licet.authz._moment import known_moment, using_moment
from licet.authz._places import invalid
from licet.authz.policies._built import Built
from licet.authz.policies._check import FORMER, NOW, Check
from licet.authz.policies._declared import DeclaredPolicy, Denial, Grant
from licet.authz.policies._in_sql._changes import filtered
from licet.authz.policies._in_sql._entity import own_entity
from licet.authz.policies._in_sql._terms import as_where
from licet.authz.policies._in_sql._who.accounts import Accounts, accounts_of
from licet.authz.policies._in_sql._who.find import accounts_that_fulfil
from licet.authz.policies._in_words import ALLOWED, Decision, Explanation, denied_before
from licet.authz.policies._models.remembered import MEMORIES
from licet.authz.policies._models.sessions import unflushed, using_session
from licet.authz.policies._models.shape import Shape
from licet.authz.policies._reader import follow_changed_relations
from licet.authz.policies.conditions import Condition
from licet.authz.policies.fields import Fields
from licet.authz.policies.roles import Role
from licet.authz.policies.verbs import CREATE, LIST, VIEW, Verb, one_verb
from licet.errors import InvalidCondition
from licet.errors.names import knows_its_options, with_article
from licet.settings.state import app_itself

__all__ = ["Denial", "Grant", "Policy"]

T = TypeVar("T")
Statement = TypeVar("Statement", "sa.Select[Any]", sa.Update, sa.Delete)


class Policy(DeclaredPolicy):
    """The grants and field rules of one mapped class.

    Declare everything first; the policy is built at its first use, by `build`, or when an app
    registers it, and cannot change afterwards.

    Args:
        model: a class that SQLAlchemy maps.
        name: for the matrix and the log; the class's own name when not given.
        naive_as_utc: DateTime columns without time zone, of this class and of related ones, are
            kept in UTC. Else a condition on one is refused, unless ``attr(…, naive_as_utc=True)``
            says it.

    Every method that decides takes `now`, an aware datetime: what ``now()`` is in conditions. When
    it is not given, that is one moment for each request, or the time of the call.
    """

    @knows_its_options
    def __init__(
        self, model: type[Any], name: str | None = None, *, naive_as_utc: bool = False
    ) -> None:
        super().__init__(model, name, naive_as_utc=naive_as_utc)
        self._built: Built | None = None
        self._lock = threading.Lock()

    @knows_its_options
    def build(self, *, roles: Iterable[Role] | None = None) -> Policy:
        """Check everything that was declared, now instead of at first use.

        Args:
            roles: those that count beside the ones that the policy names, where they imply them.
                An app that registers the policy gives its own.

        Raises:
            InvalidCondition: the model is not mapped, a field or path does not exist, a type does
                not fit, two roles have one name, or SQL cannot say what a list would need; with the
                place of declaration. Or the policy was built before, and other roles count here.
        """
        given = None if roles is None else tuple(roles)
        built = self._ready(given or ())
        if given is not None:
            built.require_roles(given)
        return self

    def _ready(self, roles: tuple[Role, ...] = ()) -> Built:
        if self._built is None:
            with self._lock:
                if self._built is None:
                    self._built = Built(self, roles)
        return self._built

    # --- decisions -------------------------------------------------------------------------------

    def decide(
        self,
        identity: Any,
        verb: Verb,
        owner: Any,
        *,
        session: Session | None = None,
        now: datetime | None = None,
    ) -> Decision:
        """Whether the caller may do `verb` with the object, and may know that it exists.

        CREATE is decided on the proposed object; UPDATE, and all that does not just read, on the
        object before and after its unflushed changes and those of related objects (in a guarded
        session, flushed ones as well). What a draft refers to by key is found in its session, or
        in `session`.

        Raises:
            InvalidCondition: the object is of another class, or the verb is not one.
            UnloadedObject: a related object cannot be known.
        """
        built = self._built or self._ready()
        if now is not None or (built.asks_now and known_moment() is None):
            moment = decision_moment() if now is None else now
            return self._decide_at(moment, identity, verb, owner, session)
        try:
            check = built.checks.get(verb.name, built.otherwise)
        except AttributeError:  # for what is no verb; asking first would cost each decision
            one_verb(verb)
            raise
        if type(owner) is not self.model and not isinstance(owner, self.model):
            raise self._about_another(owner)
        if MEMORIES and verb is not VIEW and verb is not LIST:  # some session is guarded
            denied = denied_before(self, identity, verb, owner)
            if denied is not None:
                return denied
        state = owner._sa_instance_state
        if state.modified or state.key is None:
            is_changed = True
        elif check.asks_related and verb is not VIEW and verb is not LIST:
            objects = state._instance_dict()  # its session's; that itself takes 0.5 µs to find
            is_changed = objects is not None and objects._modified  # some, perhaps a related one
        else:  # what just reads goes by related objects as they are
            is_changed = False
        if is_changed:
            with using_session(session), unflushed(owner, session):
                return self._decide_changed(built, check, identity, verb, owner)
        if check.holds_as_stored(owner, identity):
            return ALLOWED
        return Decision(
            False,  # noqa: FBT003 - by position, as this is what most checks cost
            lambda: check.explain(owner, identity),
            lambda: built.check(VIEW.name).holds(owner, identity),
        )

    def _decide_at(
        self, moment: datetime, identity: Any, verb: Verb, owner: Any, session: Session | None
    ) -> Decision:
        """The decision of a moment, which stays that of its reason."""
        with using_moment(moment):
            decision = self.decide(identity, verb, owner, session=session)
        return replace(
            decision,
            explain=_later(moment, decision.explain),
            may_view=_later(moment, decision.may_view),
        )

    def _about_another(self, owner: object) -> InvalidCondition:
        return invalid(
            f"The policy {self.name} decides about {self.model.__name__}, "
            f"and was given {with_article(type(owner).__name__)}."
        )

    def _decide_changed(
        self, built: Built, check: Check, identity: Any, verb: Verb, owner: Any
    ) -> Decision:
        follow_changed_relations(owner, built.relations)
        is_draft = owner._sa_instance_state.key is None
        readers = (NOW,) if is_draft else (FORMER, NOW)
        for why in (check.explain(owner, identity, reader) for reader in readers):
            if not why.holds:
                break
        else:
            return ALLOWED
        view = built.check(VIEW.name)
        is_visible = verb == CREATE or (not is_draft and view.held(owner, identity))
        return Decision(allowed=False, explain=lambda: why, may_view=lambda: is_visible)

    def allowed_verbs(
        self,
        identity: Any,
        owner: Any,
        *,
        session: Session | None = None,
        now: datetime | None = None,
    ) -> list[str]:
        """The names of the verbs that the caller may do with the object, in the matrix's order.

        Each is decided as by `decide`; an app's own verbs count when some line names them. The list
        is for a front end, as JSON. Of an object that is stored, CREATE is whether one like it
        could be made.
        """
        with self.at(now):
            return [
                name
                for name in self.verbs
                if self.decide(identity, Verb(name), owner, session=session)
            ]

    def may_allow(self, identity: Any, verb: Verb) -> bool:
        """Whether the caller might do `verb` with some object; False when with none whatever."""
        return self.check(verb).may_hold(identity)

    def explain(
        self,
        identity: Any,
        verb: Verb,
        owner: Any,
        *,
        session: Session | None = None,
        now: datetime | None = None,
    ) -> Explanation:
        """Each grant of the verb on one object, part by part. For the log and for people."""
        check = self.check(verb)
        if session is None and now is None:
            return check.explain(owner, identity)
        with self.at(now), nullcontext() if session is None else using_session(session):
            return check.explain(owner, identity)

    # --- lists -----------------------------------------------------------------------------------

    def filter(
        self,
        statement: Statement,
        identity: Any,
        verb: Verb = LIST,
        *,
        now: datetime | None = None,
    ) -> Statement:
        """The statement, restricted to rows with which the caller may do `verb`.

        It must select the policy's class, a subclass or an alias of it. With an ORDER BY and a
        LIMIT the primary key is added as the last that it is ordered by, and the page is chosen so
        that an index can answer it: put your own conditions, order and limit into the statement
        before. An UPDATE or DELETE of the class is restricted by the verb that it stands for.

        Raises:
            InvalidCondition: it selects or writes something else, which nothing would restrict.
        """
        check = self.check(verb)
        with self.at(now):
            return filtered(statement, self.model, verb.name, partial(check.criterion, identity))

    def criterion(
        self,
        identity: Any,
        verb: Verb = LIST,
        entity: Any = None,
        *,
        now: datetime | None = None,
    ) -> sa.ColumnElement[bool]:
        """The same as a criterion for WHERE, on the class, a subclass or an alias of one."""
        with self.at(now):
            return as_where(self.check(verb).criterion(identity, own_entity(entity, self.model)))

    def who_can(
        self,
        verb: Verb,
        owner: Any,
        *,
        accounts: Accounts | None = None,
        now: datetime | None = None,
    ) -> sa.Select[Any]:
        """The accounts that may do `verb` with a stored object, as a SELECT of the app's accounts.

        Those that may not be used are left out. The object is asked for as the database has it.

        Args:
            verb: one verb.
            owner: an object without unflushed changes.
            accounts: those of the current app, when not given.
            now: what ``now()`` is.

        Raises:
            UntranslatableCondition: a Python function decides, or the policy asks of callers what
                the app's `register_accounts` does not say.
            InvalidCondition: the object is of another class, or not as the database has it.
            ConfigurationError: the app has no accounts.
        """
        check = self.check(verb)
        if not isinstance(owner, self.model):
            raise self._about_another(owner)
        known = accounts_of(app_itself()) if accounts is None else accounts
        with self.at(now):
            return accounts_that_fulfil(
                check.condition, self.shape, owner, known, naive_as_utc=self.naive_as_utc
            )

    # --- fields ----------------------------------------------------------------------------------

    def visible_fields(
        self,
        identity: Any,
        owner: Any,
        *,
        session: Session | None = None,
        now: datetime | None = None,
    ) -> frozenset[str]:
        """The names of the object's fields and relationships that the caller may see."""
        with self.at(now), using_session(session):
            return self._ready().shown.free(owner, identity)

    def writable_fields(
        self,
        identity: Any,
        owner: Any,
        *,
        session: Session | None = None,
        now: datetime | None = None,
    ) -> frozenset[str]:
        """The names of the object's fields and relationships that the caller may write."""
        with self.at(now), using_session(session):
            return self._ready().written.free(owner, identity)

    def queryable_fields(self, identity: Any, *, now: datetime | None = None) -> frozenset[str]:
        """What the caller may sort on, filter on or include: what is hidden from them nowhere."""
        with self.at(now):
            return self._ready().shown.always_free(identity)

    def at(self, now: datetime | None) -> AbstractContextManager[None]:
        """A block in which ``now()`` is that moment, or one that is found."""
        if now is None and not self._ready().asks_now:
            return nullcontext()
        return at_one_moment(now)

    @property
    def shown(self) -> Fields:
        """The rules of what is seen."""
        return self._ready().shown

    @property
    def written(self) -> Fields:
        """The rules of what is written."""
        return self._ready().written

    def grants_on_missing_data(self) -> list[str]:
        """The grants that can hold because something is missing: NULL, or no related object.

        ``!=``, ``not_in``, ``~`` and ``all`` do so. That may be meant; it should be looked at.
        """
        return [str(grant) for grant in self.grants if self.check_of(grant).holds_on_missing_data]

    def denials_lost_on_missing_data(self) -> list[str]:
        """The denials that do not hold where something is missing: NULL, or no related object."""
        built = self._ready()
        return [
            str(denial)
            for denial in self.denials
            if built.check_of(built.exemption(denial)).holds_on_missing_data
        ]

    def condition_of(self, line: Grant | Denial) -> Condition:
        """When a line holds: its role, or one that implies it, is held, and its condition."""
        return self._ready().condition(line)

    def check_of(self, line: Grant | Denial) -> Check:
        """What decides whether a line holds."""
        return self._ready().check_of(self.condition_of(line))

    @property
    def shape(self) -> Shape:
        """What the model has."""
        return self._ready().shape

    def check(self, verb: Verb) -> Check:
        """What decides about one verb."""
        return self._ready().check(one_verb(verb))

    def __repr__(self) -> str:
        return f"<Policy {self.name}>"


def _later(moment: datetime, function: Callable[[], T] | None) -> Callable[[], T] | None:
    """The function, for which ``now()`` is that moment whenever it is called."""
    if function is None:
        return None

    def call() -> T:
        with using_moment(moment):
            return function()

    return call
