"""Answers that are kept for those that repeat a request with its Idempotency-Key."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from flask import Flask, Response, current_app, request
from sqlalchemy.orm import Session

from licet.authz import VIEW, Policy
from licet.authz.flask import authorize, current_caller, policies_of
from licet.db.flask import database_of
from licet.db.sweeps import on_sweep
from licet.errors import (
    AccessDenied,
    ConfigurationError,
    KeyInUse,
    ObjectNotFound,
    PreconditionFailed,
    StoreUnavailable,
)
from licet.rest.endpoints.requests import principal_or_none, session_of_app
from licet.rest.idempotency import HEADER, Answer, parse_key, request_digest
from licet.rest.paging import read_value, write_value
from licet.rest.store.keys import Keys
from licet.settings import Settings
from licet.settings.state import app_itself, app_state, request_state

__all__ = [
    "answered_once",
    "answers_once",
    "is_shown_again",
    "later_unless_repeated",
    "note_others",
    "note_shown",
    "once",
    "purge_keys_of",
]

log = logging.getLogger(__name__)
_KEYS: Final = "rest.keys"
_SHOWN: Final = "rest.shown"
_OTHERS: Final = "rest.others"
_LATER: Final = "rest.later"
_ONCE: Final = "_licet_answers_once"
_KEPT_HEADERS: Final = ("Content-Type", "Location", "ETag", "Content-Location", "Link")
_UNKNOWN: Final = (
    "The request with this Idempotency-Key failed after it had written something. Read what is "
    "there now, and use a new key for what is missing."
)
_NOT_KEPT: Final = (
    "The request with this Idempotency-Key was done. Its answer was too long to be kept, was no "
    "text, or showed several objects, and is not repeated: read what it made."
)


def once(view: Any) -> Any:
    """The view, marked as one that answers through `answered_once`."""
    setattr(view, _ONCE, True)
    return view


def answers_once(view: Any) -> bool:
    """Whether the view, or one that it wraps, answers through `answered_once`."""
    return bool(getattr(view, _ONCE, False))


@contextmanager
def later_unless_repeated() -> Iterator[None]:
    """Keep a tag that does not match until it is known whether the request is a repeated one.

    The first request with the key has changed the version that both name. Without a key the error
    is raised at once.
    """
    try:
        yield
    except PreconditionFailed as error:
        if request.method != "POST" or HEADER not in request.headers:
            raise
        request_state()[_LATER] = error


def answered_once(
    raw: bytes,
    answer: Callable[[], Any],
    *,
    ask_again: Callable[[Answer], Response | None] | None = None,
) -> Any:
    """What `answer` gives; or, of a request that is repeated, what it gave the first time.

    Only a POST with the header counts, of somebody who is signed in. An answer of 400 or more is
    not kept, and neither is one of a view that raises: the key is free again, unless the view has
    committed something by then.

    `ask_again` is given a first answer that shows an object, and raises when the caller may not see
    that any more; or it gives what is answered instead. Else the policy and its mask are asked.

    Raises:
        MalformedRequest: the header is no key.
        KeyReused: the key came with another request before.
        KeyInUse: the first request is being answered still, or its answer is not repeated.
        PreconditionFailed: of `later_unless_repeated`.
        ObjectNotFound, AccessDenied: the caller may not see any more what the first answer shows.
    """
    key = parse_key(request.headers.get(HEADER)) if request.method == "POST" else None
    principal = None if key is None else principal_or_none()
    if key is None or principal is None:
        return _answer(answer)
    digest = request_digest(
        request.method,
        request.root_path + request.path,
        request.query_string,
        request.headers.get("Content-Type"),
        raw,
    )
    keys = _keys_of(app_itself())
    found = keys.begin(principal, key, digest)
    if isinstance(found, Answer):
        return _repeated(found, ask_again or _ask_again)
    kept = None
    with _commits_are_counted() as commits:
        try:
            response = current_app.make_response(_answer(answer))
            kept = _kept(response) if response.status_code < 400 else None
        finally:
            if kept is None and commits:
                kept = Answer(status=0, body=None)
            if kept is None:
                _quietly(lambda: keys.give_up(principal, key, found))
            else:
                _finish(keys, principal, key, found, kept)
    return response


def _answer(answer: Callable[[], Any]) -> Any:
    error = request_state().pop(_LATER, None)
    if error is not None:
        raise error
    return answer()


def _finish(keys: Keys, principal: str, key: str, taken_at: int, kept: Answer) -> None:
    _quietly(lambda: keys.finish(principal, key, taken_at, kept))


@contextmanager
def _commits_are_counted() -> Iterator[list[Session]]:
    """The commits of the app's session in a block, one element each."""
    commits: list[Session] = []
    try:
        session = session_of_app()
    except ConfigurationError:  # the app keeps its rows elsewhere
        yield commits
        return

    def note(_session: Session) -> None:
        if not session.in_nested_transaction():
            commits.append(session)

    sa.event.listen(session, "after_commit", note)
    try:
        yield commits
    finally:
        sa.event.remove(session, "after_commit", note)


def purge_keys_of(app: Flask) -> None:
    """Have the app's sweepers delete the keys that are older than a day."""
    on_sweep(app, _KEYS, lambda: _keys_of(app).purge())


def _keys_of(app: Flask) -> Keys:
    def make(_settings: Settings) -> Keys:
        purge_keys_of(app)
        return Keys(database_of(app))

    return app_state(app).get_or_build(_KEYS, make)


def _quietly(write: Callable[[], None]) -> None:
    """Write about the key; the request itself was answered, whether that can be noted or not."""
    try:
        write()
    except StoreUnavailable:
        log.exception("The answer to a request with an %s could not be kept.", HEADER)


def note_shown(policy: Policy, key: tuple[Any, ...], shown: Iterable[str]) -> None:
    """Remember of which object the answer to the current request is, and what it shows of it."""
    try:
        written = tuple(map(write_value, key))
    except TypeError:  # a key of an app's own type, by which the object could not be asked about
        note_others()
        return
    request_state()[_SHOWN] = (policy.name, written, _mask(shown))


def is_shown_again(answer: Answer) -> bool:
    """Whether what was noted of the current request is what a first answer shows.

    Raises:
        ObjectNotFound: nothing was noted, so that the caller sees nothing of it.
    """
    noted = request_state().get(_SHOWN)
    if noted is None:
        raise ObjectNotFound
    return bool(noted[2] == answer.mask)


def note_others() -> None:
    """Remember that the answer shows objects that are not asked about when it is repeated."""
    request_state()[_OTHERS] = True


def _mask(fields: Iterable[str]) -> str:
    return hashlib.sha256("\x1f".join(sorted(fields)).encode()).hexdigest()[:16]


def _kept(response: Response) -> Answer:
    state = request_state()
    name, key, mask = state.get(_SHOWN, ("", (), ""))
    headers = {name: value for name in _KEPT_HEADERS if (value := response.headers.get(name))}
    return Answer(
        status=response.status_code,
        headers=headers,
        body=None if _OTHERS in state else _text(response),
        resource=name,
        object_key=key,
        mask=mask,
    )


def _text(response: Response) -> str | None:
    """The body, if it is a text that is not too long."""
    if response.is_streamed or response.direct_passthrough:
        return None
    raw = response.get_data()
    if len(raw) > app_state(app_itself()).settings.max_result_bytes:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _repeated(answer: Answer, ask_again: Callable[[Answer], Response | None]) -> Response:
    instead = ask_again(answer) if answer.resource else None
    if instead is not None:
        return instead
    if not answer.status:
        raise KeyInUse(_UNKNOWN)
    if answer.body is None:
        raise KeyInUse(_NOT_KEPT)
    return Response(answer.body, answer.status, dict(answer.headers))


def _ask_again(answer: Answer) -> Response | None:
    """Refuse the first answer to whoever may not see any more what it shows."""
    policy = next((p for p in policies_of(app_itself()) if p.name == answer.resource), None)
    owner = None if policy is None else _find(policy, answer.object_key)
    if policy is None or owner is None:
        raise ObjectNotFound
    authorize(policy, VIEW, owner)
    session = session_of_app()
    if _mask(policy.visible_fields(current_caller(), owner, session=session)) != answer.mask:
        raise AccessDenied("You may not see any more what the first answer to this request shows.")
    return None


def _find(policy: Policy, key: tuple[Any, ...]) -> Any:
    columns = sa.inspect(policy.model).primary_key
    typed = tuple(_typed(column.type, part) for column, part in zip(columns, key, strict=True))
    return session_of_app().get(policy.model, typed if len(typed) > 1 else typed[0])


def _typed(column_type: Any, part: Any) -> Any:
    """A part of a key that was stored as JSON, as its column has it."""
    value = read_value(part)
    enum = getattr(column_type, "enum_class", None)
    return value if enum is None else enum[value]
