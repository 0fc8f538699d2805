"""Roles: who a caller is, and which roles come with a role.

    everyone = Role("everyone")
    registered = Role("registered", caller.is_authenticated.is_true(), implies=[everyone])
    staff = Role("staff", caller.roles.contains("admin"), implies=[registered])
    organizer = Role("organizer", attr("memberships").any(attr("account_id") == caller.account_id))

A role that implies another counts wherever that is granted something, in the policies of every app
that knows it: its policies name it, or ``register_policies(app, …, roles=[…])``. One that is
relative to an object, as the last, counts only in policies that name it, whose model has its paths.
A policy keeps the roles with which it was built, whatever is declared afterwards or elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from licet.authz._places import declared_at, invalid
from licet.authz.policies.conditions import (
    Always,
    CallerCheck,
    CallerTest,
    Condition,
    Conjunction,
    Disjunction,
    IsNull,
    Negation,
    caller,
)
from licet.errors.names import knows_its_options

__all__ = ["Holders", "Role", "everyone", "holders_among", "refuse_unnamed", "registered"]


class Role:
    """A name for who fulfils a condition on the caller, or on the caller and the object.

    Args:
        name: as the access matrix prints it.
        condition: a condition, a function of the identity, or None for everybody.
        implies: roles whose grants its holders have as well.

    Raises:
        InvalidCondition: an argument is of the wrong kind, or the role would imply itself.
    """

    @knows_its_options
    def __init__(
        self,
        name: str,
        condition: Condition | Callable[[Any], bool] | None = None,
        *,
        implies: Iterable[Role] = (),
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise invalid(f"A role's name is some text, not {name!r}.")
        self.name = name
        self.declared = declared_at()
        self.condition = self._checked(condition)
        self._implied: list[Role] = []
        self._is_in_use = False
        self.imply(*implies)

    def _checked(self, condition: object) -> Condition:
        if condition is None:
            return Always(self.declared, None)
        if isinstance(condition, Condition):
            return condition
        if callable(condition) and not isinstance(condition, type):
            return CallerCheck(self.declared, None, condition)
        raise invalid(
            f"The role {self.name!r} needs a condition or a function of the identity, not "
            f"{condition!r}."
        )

    def imply(self, *roles: Role) -> None:
        """Give this role's holders everything that `roles` are granted.

        Raises:
            InvalidCondition: one of them implies this role already, or a policy was built with this
                role, or it is one of licet's own, which all apps share.
        """
        for role in roles:
            if not isinstance(role, Role):
                raise invalid(f"The role {self.name!r} can imply roles, not {role!r}.")
            if role in self._implied:
                continue
            if self._is_in_use:
                raise invalid(
                    f"The role {self.name!r} is in use already and cannot imply {role.name!r} from "
                    "now on: say so before a policy is built with it. Licet's own roles are always "
                    "in use; imply the other way round, or make a role of your own."
                )
            if self in role.closure():
                raise invalid(
                    f"The roles {self.name!r} and {role.name!r} would imply each other: a cycle "
                    "gives everybody everything."
                )
            self._implied.append(role)

    def closure(self) -> Iterator[Role]:
        """This role and all that it implies, nearest first."""
        yield self
        for role in self._implied:
            yield from role.closure()

    def holders(self, known: Iterable[Role]) -> tuple[Role, ...]:
        """The roles whose holders have this role's grants: itself, then those of `known`."""
        implying = {role for role in known if role is not self and self in role.closure()}
        return (self, *sorted(implying, key=lambda role: role.name))

    def keep(self) -> None:
        """Imply nothing more from now on: a policy is built with the role."""
        self._is_in_use = True

    @property
    def asks_object(self) -> bool:
        """Whether the role is relative to an object."""
        return _asks_object(self.condition)

    def __repr__(self) -> str:
        return f"Role({self.name!r})"


def _asks_object(condition: Condition) -> bool:
    match condition:
        case Always() | CallerTest() | CallerCheck():
            return False
        case IsNull():
            return not condition.of_caller
        case Negation():
            return _asks_object(condition.inner)
        case Conjunction() | Disjunction():
            return any(map(_asks_object, condition.parts))
        case _:
            return True


everyone: Final = Role("everyone")
registered: Final = Role("registered", caller.is_authenticated.is_true(), implies=[everyone])
_OWN: Final = (everyone, registered)
for _role in _OWN:
    _role.keep()

Holders: TypeAlias = Mapping[Role, tuple[Role, ...]]
"""For each role that a policy names, the roles whose holders have its grants."""


def holders_among(named: Iterable[Role], others: Iterable[Role]) -> Holders:
    """Who has what the roles that a policy names are granted; all of them are in use from now on.

    Args:
        named: the roles that the policy names.
        others: the roles that the app knows besides.

    Raises:
        InvalidCondition: two roles have one name.
    """
    named = dict.fromkeys(named)
    closures = (role.closure() for role in (*named, *others))
    known = dict.fromkeys(itertools.chain.from_iterable(closures))
    counting = [role for role in known if role in named or not role.asks_object]
    by_name: dict[str, Role] = {}
    for role in counting:
        first = by_name.setdefault(role.name, role)
        if first is not role:
            raise invalid(
                f"Two roles are called {role.name!r}, at {first.declared} and at {role.declared}: "
                "nobody could tell them apart. Give one of them another name."
            )
    for role in known:
        role.keep()
    return {role: role.holders(counting) for role in named}


def refuse_unnamed(roles: Iterable[Role]) -> None:
    """Refuse roles that are implied by these and are not among them; licet's own need not be.

    Raises:
        InvalidCondition: with both roles, and what to do.
    """
    known = {*roles, *_OWN}
    for role in known:
        for implied in role.closure():
            if implied not in known:
                raise invalid(
                    f"The role {role.name!r} implies {implied.name!r} (declared at "
                    f"{implied.declared}), which no policy of the app names, so that it gives "
                    "nobody anything. Allow it something, or leave it out of implies; if another "
                    "policy follows, register both in one call, or this one with "
                    "register_policies(app, …, roles=[…])."
                )
