"""The query of the enumerate and log operations: what was asked for, generously read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from licet.actions.documents import ActionStatus, ActionStatusValue
from licet.errors import RequestValidationError
from licet.wire.text import readable

__all__ = [
    "ROLES",
    "EnumerationQuery",
    "LogQuery",
    "Page",
    "parse_enumeration",
    "parse_log_query",
    "parse_query_args",
    "query_args_to_enum",
]

ROLES: Final = frozenset({"creator_id", "monitor_by", "manage_by"})
DEFAULT_PAGE: Final = 100
DEFAULT_LOG_PAGE: Final = 10
MAX_PAGE: Final = 1000
_STATUS_NAMES: Final = frozenset(value.name.casefold() for value in ActionStatusValue)
_TRUE: Final = frozenset({"1", "true", "yes"})
E = TypeVar("E", bound=Enum)


class HasArgs(Protocol):
    """A request, as far as its query is concerned."""

    @property
    def args(self) -> Mapping[str, str]:
        """The query's values."""
        ...


@dataclass(frozen=True, kw_only=True)
class EnumerationQuery:
    """Which actions are asked for, and which page of them."""

    statuses: frozenset[ActionStatusValue]
    roles: frozenset[str]
    limit: int = DEFAULT_PAGE
    marker: str | None = None

    def as_params(self) -> dict[str, set[Any]]:
        """What an enumeration callback gets."""
        return {"statuses": set(self.statuses), "roles": set(self.roles)}


class Page(NamedTuple):
    """Actions, newest first, and where the next page begins (None: there is none)."""

    actions: list[ActionStatus]
    marker: str | None


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """Which log entries are asked for, and which page of them."""

    limit: int = DEFAULT_LOG_PAGE
    marker: str | None = None
    reverse_order: bool = False
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None


def parse_enumeration(request: HasArgs) -> EnumerationQuery:
    """Read ``status``, ``roles``, ``limit`` and ``marker``.

    Unknown statuses and roles are dropped; when none is left, ``active`` and ``creator_id`` stand.
    """
    names = parse_query_args(
        request, arg_name="status", default_value="active", valid_vals=_STATUS_NAMES
    )
    roles = parse_query_args(
        request, arg_name="roles", default_value="creator_id", valid_vals=ROLES
    )
    return EnumerationQuery(
        statuses=frozenset(query_args_to_enum(names, ActionStatusValue)),
        roles=frozenset(roles),
        limit=_limit(request.args, DEFAULT_PAGE),
        marker=request.args.get("marker") or None,
    )


def parse_log_query(request: HasArgs) -> LogQuery:
    """Read ``limit``, ``pagination_token`` or ``marker``, ``reverse_order`` and the filters.

    Raises:
        RequestValidationError: a limit that is no number, or a time that is none.
    """
    args = request.args
    return LogQuery(
        limit=_limit(args, DEFAULT_LOG_PAGE),
        marker=args.get("pagination_token") or args.get("marker") or None,
        reverse_order=args.get("reverse_order", "").casefold() in _TRUE,
        since=_time(args, "since"),
        until=_time(args, "until"),
        code=readable(args.get("code", "")) or None,
    )


def _limit(args: Mapping[str, str], default: int) -> int:
    text = args.get("limit", "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        raise RequestValidationError("Field 'limit': must be a whole number above 0")
    return min(int(text), MAX_PAGE)


def _time(args: Mapping[str, str], name: str) -> datetime | None:
    text = args.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RequestValidationError(f"Field '{name}': must be an ISO 8601 time") from error


def parse_query_args(
    request: HasArgs,
    *,
    arg_name: str,
    default_value: str = "",
    valid_vals: Iterable[str] | None = None,
) -> set[str]:
    """The comma-separated values of one query argument, case-folded, unknown ones dropped."""
    given = request.args.get(arg_name) or default_value
    values = set(given.split(","))
    if valid_vals is not None:
        valid = set(valid_vals)
        values = {value.strip().casefold() for value in values} & valid
    return values or {default_value}


def query_args_to_enum(args: Iterable[str], enum_class: type[E]) -> set[E]:
    """The members of `enum_class` that the names stand for, in either case; others are dropped."""
    members = enum_class.__members__
    found = (members.get(arg) or members.get(arg.upper()) for arg in args)
    return {member for member in found if member is not None}
