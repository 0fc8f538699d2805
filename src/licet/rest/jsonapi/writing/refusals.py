"""What models and databases refuse, as answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import CircularDependencyError, IntegrityError, StatementError
from sqlalchemy.orm.exc import FlushError, StaleDataError

from licet.errors import AccessDenied, ConflictingValues, ObjectNotFound
from licet.rest.jsonapi.errors import Problem, Refused
from licet.rest.jsonapi.resource import Bound
from licet.rest.lookup import is_of_null, refusal_of, told_by_validator

__all__ = ["Attempt", "told"]

_CONFLICT: Final = "The change conflicts with what is stored, or with what refers to it."


class Attempt:
    """A write; `is_made` when only the decision about the written rows is left."""

    is_made = False


@contextmanager
def told(bound: Bound, *, is_delete: bool = False) -> Iterator[Attempt]:
    """Answer what the policies, the database or a validator of a model refuse in the block.

    Raises:
        Refused: 409 for conflicts, 422 for values.
        AccessDenied: the write changes another row, which its caller does not see. 404 would say
            that the resource is gone.
    """
    attempt = Attempt()
    try:
        yield attempt
    except ObjectNotFound as error:
        if attempt.is_made:
            raise AccessDenied from error
        raise
    except (CircularDependencyError, FlushError) as error:
        detail = "The change has objects depend on each other that one change cannot store."
        raise _conflict(detail) from error
    except StaleDataError as error:
        detail = "The resource was changed or deleted by somebody else at the same time."
        raise _conflict(detail) from error
    except (StatementError, OverflowError) as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        is_of_others = isinstance(error, IntegrityError) and (is_delete or _orphans(error))
        if is_of_others or isinstance(refusal, ConflictingValues):
            raise _conflict(_CONFLICT) from error
        raise _wrong(str(refusal.description)) from error
    except ValueError as error:
        models = {bound.model, *(link.target.model for link in bound.links.values())}
        text = told_by_validator(error, models)
        if text is None:
            raise
        raise _wrong(text) from error


def _orphans(error: IntegrityError) -> bool:
    """Whether another row was to lose the owner that it has to have, as of a one-to-one."""
    return is_of_null(error) and (error.statement or "").startswith("UPDATE")


def _conflict(detail: str) -> Refused:
    return Refused(Problem(status=409, code="conflict", detail=detail))


def _wrong(detail: str) -> Refused:
    return Refused(Problem(status=422, code="invalid_field", detail=detail, pointer="/data"))
