"""What of a resource no request changes, whoever sends it."""

from __future__ import annotations

import sqlalchemy as sa

from licet.rest.jsonapi.mapping import pairs_of
from licet.rest.jsonapi.resource import Bound, Link
from licet.rest.openapi.access import never_written

__all__ = ["always_belongs", "back_link", "is_fixed", "is_set_by_changes"]


def is_fixed(bound: Bound, name: str) -> bool:
    """Whether the policy or the model lets nobody write a field."""
    link, attribute = bound.links.get(name), bound.attributes.get(name)
    if link is not None and link.is_read_only:
        return True
    if attribute is not None and (not attribute.is_column or name == bound.version):
        return True
    return name in never_written(bound.policy)


def is_set_by_changes(bound: Bound, name: str) -> bool:
    """Whether every change of a row sets a column, such as the time of the latest one."""
    return sa.inspect(bound.model).columns[name].onupdate is not None


def back_link(bound: Bound, link: Link) -> Link | None:
    """The link by which what a link to many leads to knows its owner; the URL says it then."""
    pairs = pairs_of(sa.inspect(bound.model).relationships[link.name])
    turned = tuple((related, own) for own, related in pairs)
    found = (one for one in link.target.links.values() if turned and one.keys == turned)
    return next(found, None)


def always_belongs(bound: Bound, link: Link) -> bool:
    """Whether what a link to many leads to cannot be without an owner, so that none is removed."""
    prop = sa.inspect(bound.model).relationships[link.name]
    return any(not prop.mapper.columns[related].nullable for _, related in pairs_of(prop))
