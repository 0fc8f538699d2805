"""Who is calling: one frozen record for every kind of credential."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "ANONYMOUS",
    "GROUP_PREFIXES",
    "Identity",
    "group_principal",
    "group_principals",
    "identity_principal",
    "is_principal",
    "names_a_group",
    "principal_urn_regex",
    "uuid_regex",
]


uuid_regex: Final = "([a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12})"
principal_urn_regex: Final = (
    rf"^(urn:globus:(auth:identity|groups:id):{uuid_regex}"
    rf"|urn:licet:(identity:{uuid_regex}|group:[A-Za-z0-9._:@-]{{1,128}}))$"
)
GROUP_PREFIXES: Final = ("urn:globus:groups:id:", "urn:licet:group:")
_PRINCIPAL = re.compile(principal_urn_regex.removeprefix("^").removesuffix("$"))
_MAX_NAME: Final = 255
_FOREIGN = uuid.UUID("7a5d1f0c-6c5b-5f0e-9a55-0f3d0a1c8e11")


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


@lru_cache(maxsize=4096)
def is_principal(value: str) -> bool:
    """Whether `value` is a whole principal URN, with nothing before or after."""
    return _PRINCIPAL.fullmatch(value) is not None


def names_a_group(principals: Iterable[str]) -> bool:
    """Whether any of them is a group, so that the caller's groups must be known to decide."""
    return any(principal.startswith(GROUP_PREFIXES) for principal in principals)


def identity_principal(issuer: str, subject: str, *, local_issuer: str | None = None) -> str:
    """The URN of somebody that `issuer` calls `subject`.

    Our own issuer's subjects are UUIDs and are used as they are. Anybody else's are hashed together
    with the issuer, so that no foreign issuer can name one of our people.
    """
    if issuer == local_issuer:
        return f"urn:licet:identity:{subject}"
    hashed = uuid.uuid5(_FOREIGN, f"{issuer}\n{subject}")
    return f"urn:licet:identity:{hashed}"


def group_principal(name: str, *, issuer: str | None = None) -> str:
    """The URN of one of our own groups; or of the group that a foreign `issuer` calls `name`.

    A foreign name is hashed together with the issuer, so that no foreign issuer can name one of our
    groups, nor another issuer's.
    """
    if issuer is not None:
        name = str(uuid.uuid5(_FOREIGN, f"group\n{issuer}\n{name}"))
    return f"urn:licet:group:{name}"


def group_principals(names: Iterable[object], *, issuer: str | None) -> frozenset[str]:
    """The URNs of the groups in a token, as `group_principal`; what cannot be a name gives none."""
    texts = (name for name in names if isinstance(name, str) and 0 < len(name) <= _MAX_NAME)
    urns = (group_principal(name, issuer=issuer) for name in texts if name.isprintable())
    return frozenset(urn for urn in urns if is_principal(urn))
