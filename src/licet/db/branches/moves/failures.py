"""What the operator is told when a database refuses a migration or a check."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from licet.db.branches.branch import Branch
from licet.errors import SchemaUnusable, StoreUnavailable

__all__ = ["INSUFFICIENT_PRIVILEGE", "failure", "revision_at"]

INSUFFICIENT_PRIVILEGE: Final = "42501"
_READ_ONLY: Final = "25006"
_LOCKED: Final = frozenset({"55P03", "40P01"})
_CANCELED: Final = "57014"
_UNSAFE_VALUE: Final = "55P04"
_UNREACHABLE: Final = ("unable to open", "not a database", "disk image is malformed", "disk I/O")


def failure(branch: Branch, error: DBAPIError) -> StoreUnavailable:
    """The error to raise instead of the driver's.

    One whose database cannot be reached or read at all is a plain `StoreUnavailable`.
    """
    reason = _first_line(error)
    if branch.is_sqlite:
        if any(text in reason for text in _UNREACHABLE):
            return StoreUnavailable()
    elif getattr(error.orig, "sqlstate", None) is None:
        return StoreUnavailable()
    revision = revision_at(error.__traceback__)
    if revision is None:
        return SchemaUnusable(told=f"{_explained(branch, error, reason)}")
    return SchemaUnusable(
        told=f"Migration {revision} of {branch.name} failed on {branch.place}, and nothing was "
        "changed. "
        f"{_explained(branch, error, reason)}"
    )


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0].rstrip(".")


def _explained(branch: Branch, error: DBAPIError, reason: str) -> str:
    state = getattr(error.orig, "sqlstate", None)
    if "database is locked" in reason or "table is locked" in reason:
        return (
            f"{branch.place} is locked by another program, which has held a transaction open for "
            "ten seconds: end that program or its transaction, then try again."
        )
    if "readonly" in reason or state == _READ_ONLY:
        return (
            f"{branch.place} takes no writes ({reason}): make the file and its folder writable for "
            "this user, or connect to a server that is no read-only replica."
        )
    if state == INSUFFICIENT_PRIVILEGE:
        return (
            f"The role {branch.url.username or 'of this connection'} lacks a right ({reason}): run "
            "the command as the tables' owner, or GRANT it (CREATE on the schema, for new tables)."
        )
    if "full" in reason and branch.is_sqlite:
        return f"There is no room left for {branch.place} ({reason}): free some, then try again."
    if state in _LOCKED:
        return (
            f"The tables were locked by others for too long ({reason}): end the transactions that "
            "others have open (pg_stat_activity), or try again later."
        )
    if state == _CANCELED:
        return (
            f"The server has ended a statement ({reason}): ALTER ROLE … SET statement_timeout = 0 "
            "for the role that migrates, if that is the reason, then try again."
        )
    if state == _UNSAFE_VALUE:
        return (
            f"A value of an enum type cannot be used in the transaction that adds it ({reason}): "
            "run `licet db upgrade` to the revision that adds it first, and then to the next."
        )
    return f"The database says: {reason}. `licet db check` compares its schema with the code."


def revision_at(traceback: TracebackType | None) -> str | None:
    """The revision whose script was running when an error was raised; None outside of any."""
    found = None
    while traceback is not None:
        names: dict[str, Any] = traceback.tb_frame.f_globals
        if "down_revision" in names and isinstance(names.get("revision"), str):
            found = names["revision"]
        traceback = traceback.tb_next
    return found
