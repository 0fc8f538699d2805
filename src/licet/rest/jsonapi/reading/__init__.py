"""What a caller sees: lists, single objects, what is included with them, and how many there are.

Every row has passed its policy's filter in SQL, and every field the mask, which is selected with
the rows. The number of statements depends on what is asked for, never on how many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session, aliased

from licet.authz.callers.nobody import is_nobody, refusal_of_nobody
from licet.authz.policies._check import KnownCaller, known_caller
from licet.authz.policies._in_sql._filter import apart
from licet.authz.policies._in_sql._terms import as_column, as_where
from licet.authz.policies.verbs import DELETE, LIST, VIEW, Verb
from licet.rest.jsonapi.errors import in_query
from licet.rest.jsonapi.query import Includes, Query
from licet.rest.jsonapi.reading.rows import Layout, Listed, Prepared, Row, listed, masks_of
from licet.rest.jsonapi.reading.statements import (
    belongs,
    key_masks,
    select_of,
    shown_of,
    values_are_told,
)
from licet.rest.jsonapi.resource import Bound, Link
from licet.rest.jsonapi.where import (
    Order,
    beyond_cursor,
    criterion_of,
    order_of,
    ordering,
)
from licet.rest.ordering import is_read_as_written

__all__ = ["MOST_INCLUDED", "Listed", "Reader", "Row"]

MOST_INCLUDED: Final = 500
_KEYS: Final = "licet_keys"  # a parameter
MOST_LINKS: Final = 10_000  # of one relationship of all rows


class Reader:
    """What one caller sees, by one session."""

    def __init__(self, session: Session, identity: Any) -> None:
        self.session, self.identity = session, identity
        self._searched: dict[Bound, frozenset[str]] = {}

    def searched(self, bound: Bound) -> frozenset[str]:
        """The fields that the caller may filter on, sort by and include."""
        if bound not in self._searched:
            self._searched[bound] = bound.policy.queryable_fields(self.identity)
        return self._searched[bound]

    def seen(self, link: Link, entity: Any) -> list[ColumnElement[bool]]:
        """The criteria of related rows that the caller may see; none when that is all of them."""
        bound = link.target
        criteria = self._allowed(bound, entity, LIST if link.is_many else VIEW)
        if bound.resource.soft_delete is not None:
            criteria.append(getattr(entity, bound.resource.soft_delete).is_(None))
        return [*criteria, *self._unmasked(link, entity)]

    def _unmasked(self, link: Link, entity: Any) -> list[ColumnElement[bool]]:
        """The criteria of related rows that show the caller the foreign key that links them.

        From the other end a link would tell the key that the row's own policy hides.
        """
        with link.target.policy.at(None):
            terms = [check.criterion(self.identity, entity) for check in key_masks(link)]
        return [as_where(term) for term in terms if term is not True]

    def _allowed(self, bound: Bound, entity: Any, verb: Verb) -> list[ColumnElement[bool]]:
        """The policy's criterion; none when the caller may do it with every row."""
        with bound.policy.at(None):
            term = bound.policy.check(verb).criterion(self.identity, entity)
        return [] if term is True else [as_where(term)]

    # --- lists -----------------------------------------------------------------------------------

    def may_ask_for_lists(self, bound: Bound) -> bool:
        """Whether the caller is somebody, or some row might be one that nobody may list."""
        return not is_nobody(self.identity) or bound.policy.may_allow(self.identity, LIST)

    def require_caller(self, bound: Bound) -> None:
        """Ask who it is, before anything that is asked for is looked at.

        Raises:
            MissingToken, NotRegistered: the caller is nobody, and nobody may list any row.
        """
        if not self.may_ask_for_lists(bound):
            raise refusal_of_nobody(self.identity)

    def page(self, bound: Bound, query: Query, *within: ColumnElement[bool]) -> Listed:
        """One page of the rows that fulfil the query, and `within`.

        Raises:
            MissingToken, NotRegistered: as `require_caller`.
        """
        self.require_caller(bound)
        conditions = [*within, *self._kept(bound, is_trash=query.is_trash)]
        if query.where is not None:
            conditions.append(criterion_of(query.where, bound.model, self.seen))
        conditions = list(map(apart, conditions))  # from the policy's criterion of the count
        orders = order_of(query.sort, bound, self.seen)
        has_cursors = self._has_cursors(bound, orders)
        page, is_back = query.page, query.page.before is not None
        if page.is_by_cursor and not has_cursors:
            raise in_query("page", "This order has no cursors, as its numbers are read rounded.")
        # one more row tells whether there are more; pages by number know that by the count
        size = page.size + page.is_by_cursor
        statement = select_of(bound, query).where(*conditions)
        statement = statement.order_by(*ordering(orders, is_reversed=is_back)).limit(size)
        if page.is_by_cursor:
            statement = statement.where(*self._from_cursor(query, orders))
        elif page.offset:
            statement = statement.offset(page.offset)
        counted = sa.select(sa.func.count()).select_from(bound.model).where(*conditions)
        counted = counted.where(*self._allowed(bound, bound.model, LIST))
        with values_are_told(query):
            rows = list(self._run(self._prepared(bound, query, statement, orders)))
            count = self.session.scalar(counted) or 0
        return listed(rows, count, query, orders if has_cursors else ())

    def _has_cursors(self, bound: Bound, orders: Sequence[Order]) -> bool:
        """Whether the values of an order are read as the database has them."""
        types = [order.expression.type for order in orders]
        if all(is_read_as_written(one, "sqlite") for one in types):
            return True
        return self.session.get_bind(sa.inspect(bound.model)).dialect.name != "sqlite"

    def _from_cursor(self, query: Query, orders: list[Order]) -> list[ColumnElement[bool]]:
        is_back = query.page.before is not None
        text = query.page.before if is_back else query.page.after
        if not text:
            return []
        parameter = "page[before]" if is_back else "page[after]"
        return [beyond_cursor(text, orders, parameter, is_reversed=is_back)]

    def _kept(self, bound: Bound, *, is_trash: bool = False) -> list[ColumnElement[bool]]:
        """What keeps the trash out; or what leaves only the trash, for those who may delete."""
        if bound.resource.soft_delete is None:
            return []
        column = getattr(bound.model, bound.resource.soft_delete)
        if not is_trash:
            return [column.is_(None)]
        return [column.is_not(None), bound.policy.criterion(self.identity, DELETE)]

    def one(self, bound: Bound, key: Any, query: Query | None = None) -> Row | None:
        """The object with the key, if the caller may view it."""
        query = Query() if query is None else query
        return next(self._of_keys(bound, query, [key]), None)

    def related(self, bound: Bound, link: Link, key: Any, query: Query) -> Listed:
        """One page of the objects that a link of an object leads to."""
        criteria = self._unmasked(link, link.target.model)
        return self.page(link.target, query, belongs(bound, link, key), *criteria)

    # --- rows ------------------------------------------------------------------------------------

    def _of_keys(self, bound: Bound, query: Query, keys: list[Any]) -> Iterator[Row]:
        """The objects with these keys that the caller may view, in no order.

        Callers of whom the policies know the same have the same statement, which is kept; not one
        with a hybrid, whose function may make another each time.
        """
        is_alone = len(keys) == 1
        columns, others = shown_of(bound, query)
        is_kept = all(bound.attributes[name].is_fixed for name in others)
        caller = self._known(bound, query) if is_kept else None
        if caller is None:
            prepared = self.statement_of_keys(bound, query, is_alone=is_alone)
        else:
            shown = (*columns, *others, *(link.name for link in self._linked(bound, query)))
            reader = Reader(self.session, caller)
            prepared = bound.kept.get(
                (is_alone, query.is_trash, shown, caller.key),
                lambda: reader.statement_of_keys(bound, query, is_alone=is_alone),
            )
        return self._run(prepared, {_KEYS: keys[0] if is_alone else keys})

    def _known(self, bound: Bound, query: Query) -> KnownCaller | None:
        """The caller as the policies know them that say which rows with which keys are seen."""
        policy = bound.policy
        checks = [policy.check(VIEW), *(check for _, check in policy.shown.rules)]
        checks += [policy.check(DELETE)] if query.is_trash else []
        # their own rows have the keys of these links, so that no mask of the other end counts
        checks += [link.target.policy.check(VIEW) for link in self._linked(bound, query)]
        return known_caller(checks, self.identity)

    def statement_of_keys(self, bound: Bound, query: Query, *, is_alone: bool) -> Prepared:
        """The statement of the objects with the keys that it is executed with, or with the one."""
        key = getattr(bound.model, bound.key.name)
        given = sa.bindparam(_KEYS, type_=key.type, expanding=not is_alone)
        statement = select_of(bound, query).where(key == given if is_alone else key.in_(given))
        statement = statement.where(*self._kept(bound, is_trash=query.is_trash))
        return self._prepared(bound, query, statement, (), verb=VIEW)

    def _prepared(
        self,
        bound: Bound,
        query: Query,
        statement: sa.Select[Any],
        orders: Sequence[Order],
        *,
        verb: Verb = LIST,
    ) -> Prepared:
        """A statement that begins as `_select` does, restricted, with masks and links."""
        policy, model = bound.policy, bound.model
        columns, others = shown_of(bound, query)
        links = self._linked(bound, query)
        is_tagged = verb is VIEW and bound.version is not None
        versions = [getattr(model, bound.version or "")] if is_tagged else []
        with policy.at(None):
            terms = policy.shown.terms(self.identity)
            filtered = policy.filter(statement, self.identity, verb)
        more = [
            *(getattr(model, name) for name in others),
            *(self._linkage(bound, link) for link in links),
            *(order.expression for order in orders),
            *versions,
            *(as_column(term) for term in terms if not isinstance(term, bool)),
        ]
        if more:
            labelled = [column.label(f"column_{n}") for n, column in enumerate(more)]
            filtered = filtered.add_columns(*labelled)
        at_links = 1 + len(columns) + len(others)
        at_order = at_links + len(links)
        at_version = at_order + len(orders)
        layout = Layout(
            {name: place for place, name in enumerate([*columns, *others], 1)},
            {link.name: place for place, link in enumerate(links, at_links)},
            slice(at_order, at_version),
            at_version if is_tagged else None,
            slice(at_version + len(versions), None),
        )
        return Prepared(bound, filtered, layout, masks_of(policy.shown, terms))

    def _run(self, prepared: Prepared, parameters: dict[str, Any] | None = None) -> Iterator[Row]:
        """The rows of a statement."""
        bound, layout, visible_of = prepared.bound, prepared.layout, prepared.visible_of
        links, masks = tuple(layout.links.items()), layout.masks
        for found in self.session.execute(prepared.statement, parameters).all():
            one = {name: found[place] for name, place in links}
            yield Row(bound, found, layout, visible_of(found[masks]), one, {})

    def _linked(self, bound: Bound, query: Query) -> list[Link]:
        """The to-one links whose key is selected with the rows."""
        return [
            link
            for link in bound.links.values()
            if link.keys and (query.shows(bound, link.name) or link in query.includes)
        ]

    def _linkage(self, bound: Bound, link: Link) -> Any:
        """The key of the object that a to-one link leads to; NULL when the caller sees none.

        Callers of whom its policy knows the same have the same expression, which is kept.
        """
        if isinstance(self.identity, KnownCaller):  # the whole statement is going to be kept
            return self._linkage_of(link, bound.model)
        checks = [link.target.policy.check(VIEW), *key_masks(link)]
        caller = known_caller(checks, self.identity)
        if caller is None:
            return self._linkage_of(link, bound.model)
        reader = Reader(self.session, caller)
        known = ("link", link.name, caller.key)
        return bound.kept.get(known, lambda: reader._linkage_of(link, bound.model))

    def _linkage_of(self, link: Link, entity: Any) -> Any:
        ((own, related),) = link.keys
        target = aliased(link.target.model)
        criteria = self.seen(link, target)
        if not criteria:
            return getattr(entity, own)
        key = getattr(target, link.target.key.name)
        is_it = getattr(target, related) == getattr(entity, own)
        found = sa.select(key).select_from(target).where(is_it, *criteria)
        return found.correlate(entity).scalar_subquery()

    # --- includes --------------------------------------------------------------------------------

    def include(self, rows: Sequence[Row], query: Query) -> list[Row]:
        """What the query includes with the rows, each object once, and the links to it.

        Raises:
            Refused: 400; it is more than an answer may have.
        """
        found: dict[tuple[str, Any], Row] = {(row.bound.type, row.key): row for row in rows}
        n_primary = len(found)
        for link, branch in query.includes.items():
            self._include(rows, link, branch, query, found, n_primary)
        return list(found.values())[n_primary:]

    def _include(
        self,
        rows: Sequence[Row],
        link: Link,
        branch: Includes,
        query: Query,
        found: dict[tuple[str, Any], Row],
        n_primary: int,
    ) -> None:
        keys = self._link_all(rows, link) if rows else []
        target = link.target
        new = [key for key in keys if (target.type, key) not in found]
        if len(found) - n_primary + len(new) > MOST_INCLUDED:
            detail = (
                f"An answer includes at most {MOST_INCLUDED} resources: ask for a smaller page."
            )
            raise in_query("include", detail)
        if new:
            self._add(target, query, branch, new, found)
        reached = [found[target.type, key] for key in keys if (target.type, key) in found]
        for inner, inner_branch in branch.items():
            self._include(reached, inner, inner_branch, query, found, n_primary)

    def _add(
        self,
        target: Bound,
        query: Query,
        branch: Includes,
        keys: list[Any],
        found: dict[tuple[str, Any], Row],
    ) -> None:
        """Read the objects with these keys; in their order, as the database has none of its own."""
        of_target = Query(includes=branch, fields=query.fields)
        rows = {row.key: row for row in self._of_keys(target, of_target, keys)}
        found.update(((target.type, key), rows[key]) for key in keys if key in rows)

    def _link_all(self, rows: Sequence[Row], link: Link) -> list[Any]:
        """Note on each row where the link leads to, and return all these keys, each once."""
        if link.keys and all(link.name in row.one for row in rows):
            keys = (row.one[link.name] for row in rows)
            return list(dict.fromkeys(key for key in keys if key is not None))
        pairs = self.pairs(rows[0].bound, link, [row.key for row in rows])
        by_owner: dict[Any, list[Any]] = {}
        for owner, key in pairs:
            by_owner.setdefault(owner, []).append(key)
        for row in rows:
            keys_of_row = by_owner.get(row.key, [])
            if link.is_many:
                row.many[link.name] = keys_of_row
            else:
                row.one[link.name] = next(iter(keys_of_row), None)
        return list(dict.fromkeys(key for _, key in pairs))

    def pairs(self, bound: Bound, link: Link, owners: Iterable[Any]) -> list[tuple[Any, Any]]:
        """The keys of these owners and of what a link leads to, by the latter's key.

        Raises:
            Refused: 400; they are more than an answer may have.
        """
        target, seen = self._reached(bound, link)
        own = getattr(bound.model, bound.key.name)
        key = getattr(target, link.target.key.name)
        statement = (
            sa.select(own, key)
            .join(getattr(bound.model, link.name).of_type(target))
            .where(own.in_(list(owners)), *seen)
            .order_by(key)
            .limit(MOST_LINKS + 1)
        )
        found = [(one, other) for one, other in self.session.execute(statement)]
        if len(found) > MOST_LINKS:
            detail = f"{link.member} has more than {MOST_LINKS} links: ask for a smaller page."
            raise in_query("include", detail)
        return found

    def _reached(self, bound: Bound, link: Link) -> tuple[Any, list[ColumnElement[bool]]]:
        """An alias of what a link leads to, and what the caller may see of it; as in `_linkage`."""
        checks = [link.target.policy.check(LIST if link.is_many else VIEW), *key_masks(link)]
        caller = known_caller(checks, self.identity)
        reader = self if caller is None else Reader(self.session, caller)

        def make() -> tuple[Any, list[ColumnElement[bool]]]:
            target = aliased(link.target.model)
            return target, reader.seen(link, target)

        known = None if caller is None else ("reached", link.name, caller.key)
        return bound.kept.get(known, make)

    def members(self, bound: Bound, link: Link, owner: Any, keys: Sequence[Any]) -> set[Any]:
        """Those of the keys, of objects that the caller may view, that a link of one leads to."""
        target = aliased(link.target.model)
        key = getattr(target, link.target.key.name)
        statement = (
            sa.select(key)
            .select_from(bound.model)
            .join(getattr(bound.model, link.name).of_type(target))
            .where(getattr(bound.model, bound.key.name) == owner, key.in_(keys))
            .where(*self._unmasked(link, target))
        )
        return set(self.session.scalars(statement)) if keys else set()
