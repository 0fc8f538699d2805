"""What a policy declares: lines that allow and forbid, and rules about fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from licet.authz._places import declared_at, invalid
from licet.authz.policies.conditions import Always, Condition
from licet.authz.policies.fields import FieldRule, Unless, make_rule
from licet.authz.policies.roles import Role
from licet.authz.policies.verbs import USUAL, Verb
from licet.errors.names import knows_its_options

__all__ = ["DeclaredPolicy", "Denial", "Grant"]


@dataclass(frozen=True, eq=False)
class Grant:
    """One line of a policy: these verbs, for holders of the role, when the condition holds."""

    role: Role
    verbs: Verb
    when: Condition | None
    declared: str

    def __str__(self) -> str:
        when = "" if self.when is None else f" {self.when.footnote or f'when {self.when}'}"
        return f"{self.role.name}: {self.verbs}{when}"


@dataclass(frozen=True, eq=False)
class Denial:
    """One line of `Policy.forbid`: nobody may do these verbs who holds `role` and none of `unless`.

    `when` limits it to the objects that fulfil the condition.
    """

    role: Role
    verbs: Verb
    when: Condition | None
    unless: tuple[Role, ...]
    declared: str

    def __str__(self) -> str:
        when = "" if self.when is None else f" {self.when.footnote or f'when {self.when}'}"
        unless = f", unless {' / '.join(one.name for one in self.unless)}" if self.unless else ""
        return f"{self.role.name}: {self.verbs}{when}{unless}"

    def covers_all_of(self, role: Role) -> bool:
        """Whether every holder of `role` is forbidden the verbs, whatever the object."""
        is_of_all = isinstance(self.role.condition, Always) and self.role.condition.holds
        is_held = is_of_all or self.role in role.closure()
        return is_held and self.when is None and not self.unless


class DeclaredPolicy:
    """The lines of a policy and its rules about fields, until it is in use."""

    _built: Any = None

    def __init__(
        self, model: type[Any], name: str | None = None, *, naive_as_utc: bool = False
    ) -> None:
        if not isinstance(model, type):
            raise invalid(f"A policy is about a mapped class, not {model!r}.")
        self.model = model
        self.name = name or model.__name__
        self.naive_as_utc = naive_as_utc
        self.declared = declared_at()
        self.grants: list[Grant] = []
        self.denials: list[Denial] = []
        self.field_rules: dict[str, list[FieldRule]] = {"hide": [], "readonly": []}
        self.derived_fields: dict[str, tuple[str, ...]] = {}

    @knows_its_options
    def allow(self, role: Role, verbs: Verb, when: Condition | None = None) -> Self:
        """Let holders of `role` do `verbs`, with every object or with those that fulfil `when`.

        Raises:
            InvalidCondition: an argument is of the wrong kind, or the policy is in use already.
        """
        self._require_line("allows", role, verbs, when)
        self.grants.append(Grant(role, verbs, when, declared_at()))
        return self

    @knows_its_options
    def forbid(
        self,
        role: Role,
        verbs: Verb,
        when: Condition | None = None,
        *,
        unless: Role | Iterable[Role] = (),
    ) -> Self:
        """Deny holders of `role` these verbs, whatever any line allows them or others.

        A denial goes before every grant, `ALL` and those of implying roles included. Holders of one
        of `unless` are spared. `when` limits it to objects that fulfil the condition; of an UPDATE,
        before or after the change.

        Raises:
            InvalidCondition: an argument is of the wrong kind, or the policy is in use already.
        """
        self._require_line("forbids", role, verbs, when)
        spared = (unless,) if isinstance(unless, Role | Condition) else tuple(unless)
        for one in spared:
            if not isinstance(one, Role):
                raise invalid(
                    f"unless takes roles here, not {one!r}: put a condition into when, as ~(…)."
                )
        self.denials.append(Denial(role, verbs, when, spared, declared_at()))
        return self

    def _require_line(self, does: str, role: object, verbs: object, when: object) -> None:
        self._require_open()
        if not isinstance(role, Role):
            raise invalid(f"The policy {self.name} {does} roles something, not {role!r}.")
        if not isinstance(verbs, Verb):
            raise invalid(f"The policy {self.name} {does} verbs such as VIEW, not {verbs!r}.")
        if when is not None and not isinstance(when, Condition):
            raise invalid(f"when takes a condition made with attr or caller, not {when!r}.")

    @knows_its_options
    def hide(self, *fields: str, unless: Unless = None) -> Self:
        """Show these fields only to callers for whom one of `unless` holds."""
        return self._mask("hide", fields, unless)

    @knows_its_options
    def readonly(self, *fields: str, unless: Unless = None) -> Self:
        """Let these fields be written only by callers for whom one of `unless` holds."""
        return self._mask("readonly", fields, unless)

    @knows_its_options
    def writable_only(self, *fields: str, unless: Unless = None) -> Self:
        """Let only these fields be written, but by callers for whom one of `unless` holds."""
        return self._mask("readonly", fields, unless, is_only=True)

    @knows_its_options
    def derived(self, name: str, *sources: str) -> Self:
        """Say which fields a field is made of, when its mapping does not tell.

        What masks one of `sources` masks `name`, too. Without any, `name` shows nothing of others.
        """
        self._require_open()
        self.derived_fields[name] = sources
        return self

    def _mask(
        self, kind: str, fields: tuple[str, ...], unless: Unless, *, is_only: bool = False
    ) -> Self:
        self._require_open()
        rule = make_rule(fields, unless, declared_at(), is_only=is_only)
        self.field_rules[kind].append(rule)
        return self

    def _require_open(self) -> None:
        if self._built is not None:
            raise invalid(f"The policy {self.name} is in use already and cannot change.")

    @property
    def named_roles(self) -> tuple[Role, ...]:
        """The roles of the lines, and those that are spared a mask or a denial, each once."""
        rules = (*self.field_rules["hide"], *self.field_rules["readonly"])
        unless = [one for rule in rules for one in rule.unless if isinstance(one, Role)]
        unless += [one for denial in self.denials for one in denial.unless]
        return tuple(dict.fromkeys((*(line.role for line in self.lines), *unless)))

    @property
    def lines(self) -> tuple[Grant | Denial, ...]:
        """What the policy allows, then what it forbids."""
        return (*self.grants, *self.denials)

    @property
    def verbs(self) -> tuple[str, ...]:
        """The names of the verbs that the matrix prints: the usual ones, then the app's own."""
        own = {name for line in self.lines for name in line.verbs.names} - {"ALL", *USUAL}
        return (*USUAL, *sorted(own))
