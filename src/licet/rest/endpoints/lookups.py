"""`with_lookup`: the view gets an object instead of its key.

    @bp.patch("/users/<int:user>")
    @requires_auth("users_item", ["admin"])
    @with_lookup(Users, "user", check_etag=True)
    @unmarshal_request(user_changes, "changes", load_sqla=False)
    @marshal_response(user_schema)
    def update_user(user, changes): ...

Source: seed document 004; RFC 6585 section 3 (428); RFC 9110 section 13.1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session, object_session

from licet.authz import DELETE, VIEW, Policy, Verb
from licet.authz._places import invalid, require_function
from licet.authz.declared.marks import take_arguments
from licet.authz.flask import authorize, caller_beside, current_caller
from licet.authz.policies.verbs import one_verb
from licet.errors import ConfigurationError, ObjectNotFound
from licet.errors.names import knows_its_options
from licet.rest.endpoints.notes import LookupNote
from licet.rest.endpoints.repeats import answers_once, later_unless_repeated
from licet.rest.endpoints.requests import (
    Level,
    as_endpoint,
    begin,
    call_view,
    has_body,
    policy_for,
    require_as_written,
    session_of_app,
)
from licet.rest.etag import Tags, require_match, required_tags
from licet.rest.lookup import (
    checked_as_written,
    find_row,
    guarded_by_version,
    is_versioned,
    verb_of_method,
    version_of,
)
from licet.rest.written import WrittenFields, written_fields_are_noted
from licet.settings.state import request_state

__all__ = ["all_looked_up", "looked_up", "was_viewed", "with_lookup"]

F = TypeVar("F", bound=Callable[..., Any])
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FOUND: Final = "rest.found"
_VIEWED: Final = "rest.viewed"


@knows_its_options
def with_lookup(
    model: type[Any],
    url_param: str,
    check_etag: bool = False,  # noqa: FBT001, FBT002 - seed document 004's signature
    find_func: Callable[[Any], Any] | None = None,
    *,
    find: Callable[[Any], Any] | None = None,
    verb: Verb | None = None,
    sets: Iterable[str] = (),
) -> Callable[[F], F]:
    """Give the view the object instead of its key, if there is one that the caller may know of.

    Where the app has a policy for the class, the caller must be allowed to VIEW the object with
    GET, to DELETE it with DELETE, and to UPDATE it with every other method. An UPDATE is decided
    once more when the view commits, on the object as it was written: a change that takes the
    caller's right away is refused, with the session rolled back. With a version, a write of the
    view that comes too late is answered 412, and nothing of it stays.

    Args:
        model: the mapped class.
        url_param: the view's argument that has the key; it becomes the object.
        check_etag: the request must name the version it knows, in ``If-Match``. Without this the
            header is not demanded, and is heeded when it comes.
        find_func: gives the object of a key, or None; by default the primary key is asked.
        find: another name of `find_func`.
        verb: what the caller must be allowed, when the method does not say it: VIEW of an object
            above the one that is changed, whose version ``If-Match`` then is not about.
        sets: fields that the view sets by itself, whether the caller may write them or not. Any
            other field that a request with a body changes is one that the caller may write,
            before the change and after it.

    The view raises, in this order: `AuthenticationError` (401), `PreconditionRequired` (428),
    `ObjectNotFound` (404), `AccessDenied` (403), `PreconditionFailed` (412), and `InvalidRequest`
    (422) of a field that the caller may not write.

    Raises:
        InvalidCondition: the class has no version and `check_etag` is set, or a key of several
            columns and no `find_func`; or it does not decorate a function.
    """
    if check_etag and not is_versioned(model):
        raise invalid(
            f"with_lookup(…, check_etag=True) needs a version of {model.__name__}, which each "
            "UPDATE counts up: give it `version: Mapped[int] = mapped_column()` and "
            '`__mapper_args__ = {"version_id_col": version}`.'
        )
    if find is None and find_func is None and len(sa.inspect(model).primary_key) > 1:
        raise invalid(
            f"with_lookup finds no {model.__name__} by {url_param!r} alone, since its primary key "
            "has several columns: give find_func, or use licet.authz.with_object."
        )
    if verb is not None:
        one_verb(verb)
    lookup = _Lookup(model, url_param, check_etag, find or find_func, verb, frozenset(sets))
    note = LookupNote(model, url_param, needs_tag=check_etag, verb=verb)

    def decorate(view: F) -> F:
        require_function(view, "with_lookup")

        is_once = answers_once(view)

        @wraps(view)
        def found(*args: Any, **view_args: Any) -> Any:
            owner = lookup.find(view_args, is_once=is_once)
            view_args[url_param] = owner
            request_state().setdefault(_FOUND, []).append(owner)
            with lookup.guard(owner):
                return call_view(view, *args, **view_args)

        take_arguments(found, (url_param,))
        return as_endpoint("with_lookup", Level.ARGUMENTS, view, found, note)  # type: ignore[no-any-return]

    return decorate


def all_looked_up() -> list[Any]:
    """The objects that the URL of the current request names, from the outermost lookup."""
    return list(request_state().get(_FOUND, ()))


def looked_up(model: type[Any] | None) -> Any | None:
    """The object of this class that the URL of the current request names; the innermost of some."""
    if model is None:
        return None
    return next((owner for owner in reversed(all_looked_up()) if isinstance(owner, model)), None)


def was_viewed(owner: Any) -> bool:
    """Whether a lookup of the current request, which only reads, has decided VIEW of the object."""
    return any(owner is one for one in request_state().get(_VIEWED, ()))


class _Lookup:
    """What one decorator asks."""

    def __init__(
        self,
        model: type[Any],
        url_param: str,
        check_etag: bool,  # noqa: FBT001 - of one caller
        find: Callable[[Any], Any] | None,
        verb: Verb | None,
        sets: frozenset[str],
    ) -> None:
        self._model, self._url_param, self._check_etag = model, url_param, check_etag
        self._find, self._verb, self._sets = find, verb, sets

    def find(self, view_args: dict[str, Any], *, is_once: bool) -> Any:
        """The object; see `with_lookup` for what is raised.

        `is_once`: the view knows requests that are repeated, whose tag their first one has used up.
        """
        begin()
        policy = policy_for(self._model)
        if policy is not None:
            current_caller()  # a caller without an account is told so before all else
        tags = self._tags()
        owner = self._found(view_args)
        if owner is None:
            raise ObjectNotFound
        policy = policy_for(type(owner))
        if policy is not None:
            verb = self._verb or verb_of_method(request.method)
            authorize(policy, verb, owner)
            if verb == VIEW and request.method in _SAFE:
                request_state().setdefault(_VIEWED, []).append(owner)
        if tags is not None:
            if_none_match = request.headers.get("If-None-Match")
            with later_unless_repeated() if is_once else nullcontext():
                require_match(tags, version_of(owner), if_none_match=if_none_match)
        return owner

    @contextmanager
    def guard(self, owner: Any) -> Iterator[None]:
        """A block for the view: what it writes loses no other's change, and is decided again."""
        policy, verb = policy_for(type(owner)), self._verb or verb_of_method(request.method)
        is_decided = policy is not None and verb not in (VIEW, DELETE)
        if request.method in _SAFE or not (is_decided or is_versioned(self._model)):
            yield
            return
        session = object_session(owner) or session_of_app()
        with ExitStack() as stack:
            tags = self._tags()
            has_version = tags is not None and not tags.is_any
            stack.enter_context(guarded_by_version(session, owner, has_version=has_version))
            if policy is not None and is_decided:
                self._decide_again(stack, session, policy, verb, owner)
            yield
            if owner in session.dirty or owner in session.deleted:
                session.flush()  # what a commit after the view would find too late

    def _decide_again(
        self, stack: ExitStack, session: Session, policy: Policy, verb: Verb, owner: Any
    ) -> None:
        fields = None
        if policy.written.masked:
            asking, known = caller_beside(owner), policy.written.masked - self._sets
            find = partial(policy.writable_fields, asking, owner, session=session)
            fields = WrittenFields(owner, find, known)
            stack.enter_context(written_fields_are_noted(session, owner, fields))

        def check() -> None:
            if not sa.inspect(owner).persistent:
                return
            require_as_written(policy, verb, owner)
            if fields is not None and has_body():
                fields.require_writable()

        stack.enter_context(checked_as_written(session, check))

    def _tags(self) -> Tags | None:
        given = request.headers.get("If-Match")
        verb = self._verb or verb_of_method(request.method)
        is_heeded = verb != VIEW and request.method not in _SAFE and is_versioned(self._model)
        if self._check_etag or (given and is_heeded):
            return required_tags(given)
        return None

    def _found(self, view_args: dict[str, Any]) -> Any:
        if self._url_param not in view_args:
            raise ConfigurationError(
                f"A view looks up its object by {self._url_param!r}, and is called with the "
                f"arguments: {', '.join(sorted(view_args)) or 'none'}. Name one of them in "
                "with_lookup."
            )
        key = view_args[self._url_param]
        if self._find is not None:
            return self._find(key)
        return find_row(session_of_app(), self._model, key)
