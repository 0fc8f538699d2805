"""What Globus Auth and Globus Groups answer, read strictly.

An answer of another shape is no answer: it raises `AuthenticationUnavailable`, so that it neither
accepts nor refuses a caller.

Source: RFC 7662 section 2.2; the Globus Auth and Groups API references.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from licet.authn._introspected import AnswerTime
from licet.errors import AuthenticationUnavailable

__all__ = ["Introspected", "group_ids", "lasts", "read_introspection"]

log = logging.getLogger(__name__)
_LEEWAY_SECONDS: Final = 60
_STRICT: Final = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class _Answer(BaseModel):
    model_config = _STRICT

    active: bool


class _ActiveAnswer(_Answer):
    sub: Any = None
    identity_set: list[str] | None = None
    scope: str | None = None
    exp: AnswerTime | None = None
    nbf: AnswerTime | None = None


class _Membership(BaseModel):
    model_config = _STRICT

    status: str = "active"


class _Group(BaseModel):
    model_config = _STRICT

    id: str
    my_memberships: list[_Membership] | None = None


_GROUPS: Final = TypeAdapter(list[_Group])


@dataclass(frozen=True, kw_only=True)
class Introspected:
    """A token, as Globus Auth sees it: of nobody when `subject` is empty."""

    subject: str
    identities: frozenset[str]
    scopes: frozenset[str]


_OF_NOBODY: Final = Introspected(subject="", identities=frozenset(), scopes=frozenset())


def read_introspection(answer: Any) -> Introspected:
    """What an introspection says now.

    Of a token that is inactive, out of its time or without a subject it says nothing.

    Raises:
        AuthenticationUnavailable: it does not say whether the token is active, or says something
            else in another form than documented.
    """
    try:
        found = answer if isinstance(answer, dict) else getattr(answer, "data", None)
        if not _Answer.model_validate(found).active:
            return _OF_NOBODY
        read = _ActiveAnswer.model_validate(found)
    except (ValueError, RecursionError) as error:
        log.warning("Globus Auth's introspection cannot be read")
        raise AuthenticationUnavailable from error
    now = time.time()
    is_over = read.exp is not None and read.exp <= now
    is_early = read.nbf is not None and read.nbf > now + _LEEWAY_SECONDS
    if is_over or is_early or not isinstance(read.sub, str):
        return _OF_NOBODY
    return Introspected(
        subject=read.sub,
        identities=frozenset((read.sub, *(read.identity_set or ()))),
        scopes=frozenset((read.scope or "").split()),
    )


def group_ids(listed: Any) -> frozenset[str]:
    """The groups of a list of the caller's, without those that they are only invited to, or left.

    Raises:
        AuthenticationUnavailable: it is no list of groups.
    """
    try:
        groups = _GROUPS.validate_python(list(listed))
    except (TypeError, ValueError, RecursionError) as error:
        log.warning("The Groups API's answer cannot be read")
        raise AuthenticationUnavailable from error
    return frozenset(group.id for group in groups if _is_member(group))


def _is_member(group: _Group) -> bool:
    return not group.my_memberships or any(m.status == "active" for m in group.my_memberships)


def lasts(token: dict[str, Any] | None, seconds: int) -> bool:
    """Whether a dependent token is there, and for so long."""
    expiry = None if token is None else token.get("expires_at_seconds")
    return token is not None and not (
        isinstance(expiry, int | float) and expiry <= time.time() + seconds
    )
