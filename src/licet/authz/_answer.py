"""What counts as a requirement's answer, and what is told of one that gave none.

An answer is read by `bool`, so None is False and 1 is True. What only looks true is *invalid*: a
coroutine, generator or other iterator, a class, a function, another requirement, a response, an
exception, whether returned or raised. Neither log nor error quotes the identity: of an exception
they tell the kind and the place, not the text.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import partial
from pathlib import PurePath
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.sansio.response import Response

from licet.authz._signature import describe
from licet.errors import InvalidRequirement

__all__ = ["COMPILE", "Check", "answering", "asking", "log_invalid", "truth_of"]

Check = Callable[[Any, Any], bool]
COMPILE = "__licet_node__"

log = logging.getLogger("licet.authz")
_PASSED_ON = (HTTPException, InvalidRequirement)
_PLAIN = frozenset({type(None), int, str, float, tuple, list, dict, set, frozenset})
_NO_ANSWERS = (
    *(type, partial, property, Awaitable, Iterator, AsyncIterator),
    *(BaseException, Response, type(NotImplemented)),
)


def asking(requirement: Any, *, through_fulfill: bool, with_request: bool) -> Check:
    """A check that calls the requirement, or its ``fulfill``, and answers True or False.

    ``fulfill`` is looked up at each check, so that tests can put mocks in its place. The common
    ways are written out, because a call between would take as long as a requirement.
    """
    if with_request and through_fulfill:
        return answering(requirement, lambda user, given: requirement.fulfill(user, given))  # noqa: PLW0108 - looked up late
    if with_request:
        return answering(requirement, requirement)
    return _asking_fulfill(requirement) if through_fulfill else _asking_itself(requirement)


def answering(requirement: object, call: Callable[[Any, Any], object]) -> Check:
    """A check that calls `call` with identity and request.

    It raises `InvalidRequirement` when there is no answer, and lets HTTP exceptions pass.
    """

    def check(user: Any, given: Any) -> bool:
        try:
            result = call(user, given)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def _asking_itself(requirement: Callable[[Any], object]) -> Check:
    def check(user: Any, _given: Any) -> bool:
        try:
            result = requirement(user)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def _asking_fulfill(requirement: Any) -> Check:
    def check(user: Any, _given: Any) -> bool:
        try:
            result = requirement.fulfill(user)
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _no_answer(requirement, error) from error
        return result if result is True or result is False else truth_of(result, requirement)

    return check


def truth_of(result: object, requirement: object) -> bool:
    """The answer that `result` is.

    Raises:
        InvalidRequirement: it only looks like one.
    """
    try:
        if type(result) is LocalProxy:  # its class has all methods, whatever it stands for
            result = result._get_current_object()  # noqa: SLF001 - werkzeug's
        if type(result) in _PLAIN or not _only_looks_true(result):
            return bool(result)
        if isinstance(result, Coroutine):
            result.close()  # else Python warns that nobody awaited it
    except _PASSED_ON:
        raise
    except Exception as error:
        raise _no_answer(requirement, error) from error
    raise InvalidRequirement(describe(requirement), f"returned a {type(result).__name__}")


def _only_looks_true(result: object) -> bool:
    return (
        isinstance(result, _NO_ANSWERS)
        or inspect.isroutine(result)
        or hasattr(type(result), COMPILE)
    )


def log_invalid(error: Exception, checked: Iterable[object]) -> None:
    """One line in the log for a check of these that was denied because it got no answer."""
    if isinstance(error, InvalidRequirement):
        name, reason = error.requirement, error.reason
    else:
        name, reason = ", ".join(map(describe, checked)), _told(error)
    log.error("Requirement %s %s; access is denied", name, reason)


def _no_answer(requirement: object, error: Exception) -> InvalidRequirement:
    return InvalidRequirement(describe(requirement), _told(error))


def _told(error: Exception) -> str:
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return f"raised {type(error).__name__}"
    file = PurePath(last.tb_frame.f_code.co_filename).name
    return f"raised {type(error).__name__} in {file}, line {last.tb_lineno}"
