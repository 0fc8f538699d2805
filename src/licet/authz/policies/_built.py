"""A policy with every path resolved and every rule checked: one check a verb, one a field rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from licet.authz._places import invalid
from licet.authz.policies._check import Check
from licet.authz.policies._declared import DeclaredPolicy, Denial, Grant
from licet.authz.policies._models.denials import NotForbidden
from licet.authz.policies._models.mapping import shape_of
from licet.authz.policies._models.shape import Shape
from licet.authz.policies._models.sources import Sources, sources_of
from licet.authz.policies.conditions import (
    NEVER,
    Always,
    Condition,
    Conjunction,
    Disjunction,
    Negation,
)
from licet.authz.policies.fields import FieldRule, Fields, unless_condition
from licet.authz.policies.roles import Role, holders_among
from licet.authz.policies.verbs import LIST
from licet.errors import InvalidCondition, UntranslatableCondition

__all__ = ["Built"]


class Built:
    """A policy whose every path is resolved; one check a verb, one a field rule."""

    def __init__(self, policy: DeclaredPolicy, roles: Iterable[Role] = ()) -> None:
        self.shape = self._shape(policy)
        self.relations: Final = tuple(self.shape.relations.values())
        self._policy = policy
        self._holders = holders_among(policy.named_roles, roles)
        self.checks: Final = {name: self._check(name) for name in policy.verbs}
        self.otherwise: Final = self._check("")  # verbs that only ALL covers
        for line in policy.lines:
            if line.verbs.covers(LIST.name):
                check = self.check_of(self.condition(line))
                self._require_sql(check, "guard a list", line.declared)
        self._sources = self._find_sources()
        self.shown = self._fields("hide")
        for rule, (_, check) in zip(policy.field_rules["hide"], self.shown.rules, strict=True):
            self._require_sql(check, "hide a field", rule.declared)
        self.written = self._fields("readonly")
        rules = (check for fields in (self.shown, self.written) for _, check in fields.rules)
        checks = itertools.chain(self.checks.values(), [self.otherwise], rules)
        self.asks_now: Final = any(check.asks_now for check in checks)

    def _shape(self, policy: DeclaredPolicy) -> Shape:
        try:
            return shape_of(policy.model)
        except InvalidCondition as error:
            raise type(error)(f"{error} (for the policy at {policy.declared})") from error

    def require_roles(self, roles: Iterable[Role]) -> None:
        """Refuse to be used where other roles would count than those it was built with."""
        for role, wanted in holders_among(self._policy.named_roles, roles).items():
            found = self._holders[role]
            if missing := [one for one in wanted if one not in found]:
                raise invalid(
                    f"The policy {self._policy.name} was built without the role "
                    f"{missing[0].name!r} (declared at {missing[0].declared}), which implies "
                    f"{role.name!r}: register the app's policies in one call before any is used, "
                    "or name the role in the first call with register_policies(app, …, roles=[…]). "
                    "A policy that apps share has the same roles in all of them."
                )
            if more := [one for one in found if one not in wanted]:
                raise invalid(
                    f"The policy {self._policy.name} was built with the role {more[0].name!r} "
                    f"(declared at {more[0].declared}), which implies {role.name!r}, and the app "
                    "has no such role: name it with register_policies(app, …, roles=[…]), or make "
                    "a policy for each app."
                )

    def check(self, name: str) -> Check:
        """What decides about the verb of that name."""
        return self.checks.get(name, self.otherwise)

    def check_of(self, condition: Condition) -> Check:
        """What decides about a condition on the policy's class."""
        return Check(condition, self.shape, naive_as_utc=self._policy.naive_as_utc)

    def _check(self, name: str) -> Check:
        lines = [line for line in self._policy.lines if line.verbs.covers(name)]
        for line in lines:  # each alone first, so that an error names its line
            self._single(line)
        grants = [line for line in lines if isinstance(line, Grant)]
        denials = [line for line in lines if isinstance(line, Denial)]
        whole = _either(map(self.condition, grants), self._policy.declared)
        if grants and denials:
            not_forbidden = map(self.exemption, denials)
            parts = (whole.named("some role is allowed it"), *not_forbidden)
            whole = Conjunction(self._policy.declared, None, parts)
        return self.check_of(whole.named(f"{self._policy.name} {name or 'ALL'}"))

    def _single(self, line: Grant | Denial) -> None:
        try:
            self.check_of(self.condition(line))
        except UntranslatableCondition as error:
            kind = "grant" if isinstance(line, Grant) else "denial"
            raise type(error)(f"{error} (in the {kind} at {line.declared})") from error

    def condition(self, line: Grant | Denial) -> Condition:
        """When the line of the policy holds."""
        parts = [self._held(line.role, line.declared)]
        if line.when is not None:
            parts.append(line.when)
        if isinstance(line, Denial):
            spared = (self._held(role, line.declared) for role in line.unless)
            parts.extend(Negation(line.declared, None, role) for role in spared)
        return Conjunction(line.declared, str(line), tuple(parts))

    def exemption(self, denial: Denial) -> Condition:
        """When the denial does not hold."""
        return NotForbidden(denial.declared, f"not forbidden to {denial}", self.condition(denial))

    def _held(self, role: Role, declared: str) -> Condition:
        """Somebody holds the role, or one that implies it."""
        parts = [holder.condition for holder in self._holders[role]]
        everybody = [part for part in parts if isinstance(part, Always) and part.holds]
        return _either(everybody or parts, declared, f"is {role.name}")

    def _require_sql(self, check: Check, purpose: str, declared: str) -> None:
        if check.has_predicate:
            raise UntranslatableCondition(
                f"The policy {self._policy.name} cannot {purpose} with a Python function, which no "
                f"list can ask: use a condition, or leave it out. Declared at {declared}"
            )
        check.prepare()

    def _find_sources(self) -> Sources:
        derived = self._policy.derived_fields
        sources = sources_of(sa.inspect(self._policy.model), derived)
        named = {*derived, *itertools.chain(*derived.values())}
        self._require_fields(named, sources, self._policy.declared)
        return sources

    def _require_fields(self, names: Iterable[str], sources: Sources, declared: str) -> None:
        if unknown := sorted(set(names) - set(sources.own)):
            raise InvalidCondition(
                f"{self.shape.name} has no field {', '.join(unknown)}; it has "
                f"{', '.join(sorted(sources.own))}. Declared at {declared}"
            )

    def _fields(self, kind: str) -> Fields:
        rules = self._policy.field_rules[kind]
        fields = Fields(self._sources)
        for rule in rules:
            self._require_fields(rule.names, self._sources, rule.declared)
            of_role = {
                one: self._held(one, rule.declared) for one in rule.unless if isinstance(one, Role)
            }
            check = self.check_of(unless_condition(rule, of_role))
            fields.add(rule, check)
        self._require_known([rule for rule in rules if not rule.is_only])
        return fields

    def _require_known(self, rules: Sequence[FieldRule]) -> None:
        """Refuse masks beside a field that may show the same by another name."""
        named = frozenset().union(*(rule.names for rule in rules))
        for name, reason in sorted(self._sources.unknown.items()):
            if rules and name not in named:
                raise InvalidCondition(
                    f"The policy {self._policy.name} masks fields, and {self.shape.name}.{name} "
                    f"{reason}: whether it shows them is not known. Say what it is made of with "
                    f"derived({name!r}, …), without any field when it shows none, or mask it, "
                    f"too. Declared at {rules[0].declared}"
                )


def _either(parts: Iterable[Condition], declared: str, footnote: str | None = None) -> Condition:
    listed = tuple(parts)
    return Disjunction(declared, footnote, listed) if listed else NEVER
