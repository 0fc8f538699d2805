"""Which relationships the conditions of a policy ask, and whether SQL can ask them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, RelationshipProperty

from licet.authz.policies._models.nodes import (
    AllOf,
    AnyOf,
    Exists,
    Leaf,
    LinkLeaf,
    Pair,
    Plan,
)
from licet.authz.policies._models.shape import Relation
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import CREATE, DELETE, UPDATE, Verb
from licet.errors import UntranslatableCondition

__all__ = ["asked_tables", "checks", "first_relations", "require_sql"]

Prop = RelationshipProperty[Any]
_DECIDED: Final = (CREATE, UPDATE, DELETE)


def checks(policy: Policy) -> Iterator[tuple[str, Plan]]:
    """The plan of each verb of a policy."""
    for name in policy.verbs:
        yield name, policy.check(Verb(name)).plan


def asked_tables(policy: Policy) -> Iterator[Any]:
    """The tables of related rows that the policy's conditions ask."""
    for _, plan in checks(policy):
        for prop in _relations(plan, sa.inspect(policy.model)):
            for mapper in prop.mapper.self_and_descendants:
                yield from mapper.tables
            if prop.secondary is not None:
                yield prop.secondary


def _relations(plan: Plan, mapper: Mapper[Any]) -> Iterator[Prop]:
    """Every relationship on the way of a condition."""
    match plan:
        case AllOf() | AnyOf():
            for part in plan.parts:
                yield from _relations(part, mapper)
        case Pair():
            for place in (plan.left, plan.right):
                yield from _on_the_way(place.hops, mapper)
        case Leaf() | LinkLeaf():
            yield from _on_the_way(plan.hops, mapper)
        case Exists():
            props = list(_on_the_way((*plan.hops, plan.relation), mapper))
            yield from props
            yield from _relations(plan.inner, props[-1].mapper)


def _on_the_way(hops: Sequence[Relation], mapper: Mapper[Any]) -> Iterator[Prop]:
    for hop in hops:
        prop = mapper.relationships[hop.name]
        yield prop
        mapper = prop.mapper


def first_relations(plan: Plan) -> Iterator[Relation]:
    """The relationships of the class itself that a condition asks."""
    match plan:
        case AllOf() | AnyOf():
            for part in plan.parts:
                yield from first_relations(part)
        case Pair():
            yield from (*plan.left.hops[:1], *plan.right.hops[:1])
        case Leaf() | LinkLeaf():
            yield from plan.hops[:1]
        case Exists():
            yield (*plan.hops, plan.relation)[0]


def require_sql(policy: Policy) -> None:
    """Refuse a policy that cannot guard writes.

    Raises:
        UntranslatableCondition: a Python function decides about one.
    """
    for verb in _DECIDED:
        if policy.check(verb).has_predicate:
            raise UntranslatableCondition(
                f"The policy {policy.name} cannot guard writes with a Python function, which is "
                f"part of its {verb}: they are decided by SQL on the rows as written. Use a "
                f"condition. Declared at {policy.declared}"
            )
        policy.check(verb).prepare()
