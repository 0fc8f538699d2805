"""Who is calling: one frozen record for every kind of credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from licet.authn.principals import GROUP_PREFIXES

__all__ = ["ANONYMOUS", "Identity"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A caller, as vouched for by `issuer`.

    `principal` is the URN that stands for the caller in new records; `principals` holds every URN
    that speaks for them, `principal` and known groups included. `claims` is what the issuer said,
    read-only; it is never logged.
    """

    issuer: str
    subject: str
    principal: str
    principals: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", MappingProxyType(dict(self.claims)))
        if self.principal:
            object.__setattr__(self, "principals", self.principals | {self.principal})

    @property
    def is_authenticated(self) -> bool:
        """Whether anybody vouched for this caller."""
        return bool(self.principal)

    @cached_property
    def identities(self) -> frozenset[str]:
        """The principals that are no groups."""
        return self.principals - self.groups

    @cached_property
    def groups(self) -> frozenset[str]:
        """The principals that are groups."""
        return frozenset(p for p in self.principals if p.startswith(GROUP_PREFIXES))


ANONYMOUS: Final = Identity(issuer="", subject="", principal="")
