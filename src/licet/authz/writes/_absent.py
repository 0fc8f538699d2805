"""Foreign keys that lead nowhere, which are answered like those of rows that deny a change."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from licet.authz.callers.asking import log_line, refusal_of
from licet.authz.policies.verbs import CREATE, UPDATE
from licet.authz.writes._flushes import current_flush

__all__ = ["answer_absent"]


def answer_absent(context: Any) -> None:
    """A row that would refer to none is answered as one whose related row denies it.

    The difference would tell which rows there are that the caller may not see.

    Raises:
        MissingToken, AccessDenied: a flush has written such a row.
    """
    watch, compiled = current_flush(), getattr(context.execution_context, "compiled", None)
    if watch is None or compiled is None or not _is_of_absent(context):
        return
    table = compiled.statement.table
    for policy in watch.guard.policies:
        if table in sa.inspect(policy.model).tables:
            referred = {one.column.table for one in table.foreign_keys}
            if not referred.isdisjoint(watch.guard.asked[policy]):
                verb = CREATE if compiled.isinsert else UPDATE
                reason = "a row that it would refer to does not exist"
                log_line("denied", watch.identity, verb, policy.name, visible=True, reason=reason)
                raise refusal_of(watch.identity, visible=True)


def _is_of_absent(context: Any) -> bool:
    """Whether an INSERT or UPDATE has failed as a foreign key leads nowhere."""
    error, compiled = context.original_exception, context.execution_context.compiled
    if not (compiled.isinsert or compiled.isupdate):
        return False
    is_foreign = getattr(error, "sqlstate", None) == "23503"  # of PostgreSQL
    return is_foreign or "FOREIGN KEY constraint failed" in str(error)
