"""Roles: who a caller is, and which roles come with a role.

    everyone = Role("everyone")
    registered = Role("registered", caller.is_authenticated.is_true(), implies=[everyone])
    staff = Role("staff", caller.roles.contains("admin"), implies=[registered])
    organizer = Role("organizer", attr("memberships").any(attr("account_id") == caller.account_id))

A role on the caller counts wherever a role that it implies is granted something. One that is
relative to an object, as the last, counts only in policies that name it, whose model has its paths.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

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

__all__ = ["Role", "everyone", "registered"]


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
        self._implied_by: weakref.WeakSet[Role] = weakref.WeakSet()
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
            InvalidCondition: one of them implies this role already.
        """
        for role in roles:
            if not isinstance(role, Role):
                raise invalid(f"The role {self.name!r} can imply roles, not {role!r}.")
            if self in role.closure():
                raise invalid(
                    f"The roles {self.name!r} and {role.name!r} would imply each other: a cycle "
                    "gives everybody everything."
                )
            self._implied.append(role)
            role._implied_by.add(self)  # noqa: SLF001 - of its own kind

    def closure(self) -> Iterator[Role]:
        """This role and all that it implies, nearest first."""
        yield self
        for role in self._implied:
            yield from role.closure()

    def holders(self, known: Iterable[Role] = ()) -> list[Role]:
        """The roles whose holders have this role's grants: itself, and those that imply it.

        Of the roles that are relative to an object, only those in `known` count.
        """
        found = {self: None}
        pending = list(self._implied_by)
        known = set(known)
        while pending:
            role = pending.pop()
            if role not in found:
                if not role.asks_object or role in known:
                    found[role] = None
                pending.extend(role._implied_by)  # noqa: SLF001 - as above
        return sorted(found, key=lambda role: (role is not self, role.name))

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
