"""`list_page`: one page of what the policy lets the caller LIST, and how many there are.

Source: seed document 004, its pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from licet.authz import LIST, list_objects
from licet.authz._places import invalid
from licet.authz.flask import current_caller
from licet.errors.names import refuse_unknown
from licet.rest.endpoints.answers import ListPage
from licet.rest.endpoints.requests import policy_for, session_of_app
from licet.rest.ordering import (
    SortKey,
    after_cursor,
    cursor_at,
    in_order,
    is_read_as_written,
    order_of,
    parsed_cursor,
)
from licet.rest.paging import DEFAULT_SIZE

__all__ = ["PAGING", "STATUS", "has_cursors", "list_page", "order_asked"]

PAGING: Final = ("page_num", "page_size", "sort_field", "sort_direction", "cursor")
STATUS: Final = 422


def order_asked(model: type[Any], pagination: Mapping[str, Any]) -> tuple[SortKey, ...]:
    """The order that `pagination_args` asks for: of the primary key, where they name no field."""
    name = pagination.get("sort_field")
    descends = pagination.get("sort_direction") == "desc"
    if name is None:
        primary = order_of(model)
        return order_of(model, [(key.name, True) for key in primary]) if descends else primary
    return order_of(model, [(name, descends)])


def has_cursors(order: tuple[SortKey, ...], model: type[Any]) -> bool:
    """Whether the caller sees the values that a cursor would have, on every row, and exactly."""
    dialect = session_of_app().get_bind(sa.inspect(model)).dialect.name
    if not all(is_read_as_written(key.column.type, dialect) for key in order):
        return False
    policy = policy_for(model)
    return policy is None or {key.name for key in order} <= policy.queryable_fields(
        current_caller()
    )


def list_page(
    statement: Any, pagination_args: Mapping[str, Any], *, model: type[Any] | None = None
) -> ListPage:
    """The page that is asked for, for `marshal_response`: what the policy lets the caller LIST.

    It takes two queries, however long the page is: the rows with their masks, and the count.

    Args:
        statement: a mapped class, or a ``select`` of it with conditions of the view's own.
        pagination_args: of `use_args_with_pagination`.
        model: the mapped class, where the statement does not select it first.

    Returns:
        ``{"_items": […], "_meta": {"total": n}}``, and in ``_meta`` a ``next`` cursor where there
        is another page and the caller sees the keys of the order on every row.

    Raises:
        UnknownName: `pagination_args` has a name that `use_args_with_pagination` does not give.
        InvalidRequest: the cursor is of another list.
    """
    refuse_unknown("pagination_args has no", pagination_args, PAGING)
    if isinstance(statement, type):
        statement = sa.select(statement)
    entity = model or _selected(statement)
    _require_whole(statement)
    _require_one_policy(sa.inspect(entity).mapper)
    order, size = (
        order_asked(entity, pagination_args),
        pagination_args.get("page_size", DEFAULT_SIZE),
    )
    paged = in_order(statement.order_by(None), order).limit(size + 1)
    if "cursor" in pagination_args:
        cursor = parsed_cursor(pagination_args["cursor"], order, status=STATUS)
        paged = paged.where(after_cursor(order, cursor))
    else:
        paged = paged.offset(pagination_args.get("page_num", 0) * size)
    return _page_of(entity, statement, paged, order, size)


def _selected(statement: Any) -> Any:
    """The class, or alias of one, that a statement selects.

    Raises:
        InvalidCondition: it selects something else first.
    """
    found = statement.column_descriptions[0]
    if found.get("entity") is None or found["expr"] is not found["entity"]:
        raise invalid(
            f"list_page pages through objects, and the statement selects {found['name']}: select a "
            "mapped class."
        )
    return found["entity"]


def _require_whole(statement: Any) -> None:
    """Refuse statements whose pages or count would be wrong.

    Raises:
        InvalidCondition: it is one.
    """
    clauses = {
        "limit": getattr(statement, "_limit_clause", None),
        "offset": getattr(statement, "_offset_clause", None),
        "fetch": getattr(statement, "_fetch_clause", None),
        "group_by": getattr(statement, "_group_by_clauses", ()) or None,
    }
    for name, clause in clauses.items():
        if clause is not None:
            raise invalid(
                f"list_page makes the pages of the list itself, and the statement has {name}: "
                "leave it out, or select from a subquery that has it."
            )


def _require_one_policy(mapper: Any) -> None:
    """Refuse a list of a class whose subclasses have policies of their own.

    Raises:
        InvalidCondition: one has.
    """
    policy = policy_for(mapper.class_)
    for inner in mapper.self_and_descendants:
        own = policy_for(inner.class_)
        if own is not None and own is not policy:
            raise invalid(
                f"list_page filters by one policy, and {inner.class_.__name__} has its own, "
                f"{own.name!r}, beside that of {mapper.class_.__name__}: list the classes apart, "
                "or give the rows to marshal_response, which asks the policy of each."
            )


def _page_of(
    entity: Any, statement: Any, paged: Any, order: tuple[SortKey, ...], size: int
) -> ListPage:
    session, policy = session_of_app(), policy_for(sa.inspect(entity).mapper.class_)
    whole = statement.order_by(None)
    if policy is None:
        owners = list(session.scalars(paged).unique())
        masks: list[Any] = [None] * len(owners)
    else:
        asking = current_caller()
        whole = policy.filter(whole, asking, LIST)
        listed = list(list_objects(policy, session, paged, asking))
        owners, masks = [one.object for one in listed], [one.visible_fields for one in listed]
    keys = (getattr(entity, key.name) for key in order_of(entity))
    rows = whole.with_only_columns(*keys, maintain_column_froms=True).subquery()
    total = session.scalar(sa.select(sa.func.count()).select_from(rows))
    meta: dict[str, Any] = {"total": total}
    if len(owners) > size and has_cursors(order, sa.inspect(entity).mapper.class_):
        meta["next"] = cursor_at(owners[size - 1], order)
    page = ListPage(_items=owners[:size], _meta=meta)
    page.masks = masks[:size]
    return page
