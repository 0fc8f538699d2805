"""Which fields of an object a caller sees, and which they may write.

Every mapped field is seen and written by whoever may view and update the object, unless a policy
says otherwise. What hides a field from some rows also keeps it out of sorting, filtering and
includes on all of them: an order tells a hidden value as surely as showing it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from licet.authz._places import invalid
from licet.authz.policies._check import Check
from licet.authz.policies._in_sql._terms import Term
from licet.authz.policies._models.sources import Sources
from licet.authz.policies.conditions import (
    NEVER,
    Condition,
    Disjunction,
)
from licet.authz.policies.roles import Role

__all__ = ["FieldRule", "Fields"]

Unless = Role | Condition | Iterable[Role | Condition] | None


@dataclass(frozen=True, eq=False)
class FieldRule:
    """Fields that are masked unless a condition holds."""

    names: frozenset[str]
    unless: tuple[Role | Condition, ...]
    declared: str
    is_only: bool = False  # the rule masks all fields but its own


@dataclass(eq=False)
class Fields:
    """The fields of a model under rules of one kind, each rule one check."""

    sources: Sources
    rules: list[tuple[frozenset[str], Check]] = field(default_factory=list)

    def add(self, rule: FieldRule, check: Check) -> None:
        """Mask what the rule says, under each of its names, unless its check holds."""
        if rule.is_only:
            masked = self.names - self.sources.within(rule.names)
        else:
            masked = self.sources.touching(rule.names)
        self.rules.append((masked, check))

    @property
    def names(self) -> frozenset[str]:
        """All fields."""
        return frozenset(self.sources.own)

    def free(self, owner: Any, identity: Any) -> frozenset[str]:
        """The fields of one object that no rule masks."""
        masked: frozenset[str] = frozenset()
        for names, check in self.rules:
            if not names <= masked and not check.holds(owner, identity):
                masked |= names
        return self.names - masked

    @property
    def masked(self) -> frozenset[str]:
        """The fields that some rule masks, on some row or for some caller."""
        return frozenset().union(*(names for names, _ in self.rules))

    def sometimes_free(self, identity: Any) -> frozenset[str]:
        """The fields that are masked on some rows at most for this caller."""
        masked = (names for names, check in self.rules if not check.may_hold(identity))
        return self.names.difference(*masked)

    def always_free(self, identity: Any) -> frozenset[str]:
        """The fields that are masked on no row at all for this caller."""
        masked = (names for names, check in self.rules if check.criterion(identity) is not True)
        return self.names.difference(*masked)

    def terms(self, identity: Any, entity: Any = None) -> list[Term]:
        """For each rule, where it does not mask; to be selected with the class or an alias."""
        return [check.column(identity, entity) for _, check in self.rules]

    def free_given(self, outcomes: Iterable[bool]) -> frozenset[str]:
        """The fields that no rule masks, given each rule's outcome in the order of `terms`."""
        masked = [names for (names, _), ok in zip(self.rules, outcomes, strict=True) if not ok]
        return self.names.difference(*masked)


def make_rule(names: tuple[str, ...], unless: Unless, declared: str, *, is_only: bool) -> FieldRule:
    """The rule that a call of `hide`, `readonly` or `writable_only` stands for.

    Raises:
        InvalidCondition: a name is no text, or `unless` holds something else than roles and
            conditions.
    """
    if not names or not all(isinstance(name, str) for name in names):
        raise invalid(f"Fields are given by their names, not {names!r}.")
    if unless is None:
        given: tuple[Any, ...] = ()
    elif isinstance(unless, Role | Condition):
        given = (unless,)
    else:
        given = tuple(unless) if isinstance(unless, Iterable) else (unless,)
    for one in given:
        if not isinstance(one, Role | Condition):
            raise invalid(f"unless takes roles and conditions, not {one!r}.")
    return FieldRule(frozenset(names), given, declared, is_only)


def unless_condition(rule: FieldRule, of_role: Mapping[Role, Condition]) -> Condition:
    """What lifts a rule, as one condition."""
    parts = tuple(of_role[one] if isinstance(one, Role) else one for one in rule.unless)
    return Disjunction(rule.declared, None, parts) if parts else NEVER
