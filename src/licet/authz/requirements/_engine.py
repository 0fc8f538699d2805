"""Requirements compiled into closures, once for each guard.

One invalid answer denies the whole check that it stands in, under Not and in Or as well, and is
logged once. An HTTPException that a requirement raises stays what it is: the response.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import HTTPException

from licet.authz.requirements._answer import (
    COMPILE,
    Check,
    asking,
    describe,
    ensure_requirement,
    log_invalid,
    wants_request_too,
)
from licet.authz.requirements._current import request
from licet.errors import InvalidRequirement

__all__ = ["Checklist", "Node", "leaf", "node_of"]

Combine = Callable[[Sequence[Check]], Check]


@dataclass(slots=True, eq=False)
class Node:
    """A compiled requirement; a combinator also keeps its parts, to be combined anew."""

    requirement: object
    check: Check
    parts: Sequence[Node] = ()
    combine: Combine | None = None

    def without(self, overridden: Container[object]) -> Check:
        """The check that leaves out the overridden requirements, however deep they stand."""
        if self.combine is None:
            return self.check
        return self.combine(_checks_without(self.parts, overridden))


def _checks_without(parts: Iterable[Node], overridden: Container[object]) -> list[Check]:
    return [
        part.without(overridden) for part in parts if not _stands_in(part.requirement, overridden)
    ]


def _stands_in(requirement: object, overridden: Container[object]) -> bool:
    try:
        return requirement in overridden
    except TypeError:  # it has no hash, so nobody can have overridden it
        return False


def node_of(requirement: object, warned: set[int]) -> Node:
    """Compile one requirement; `warned` holds the ids of those whose deprecation was told.

    Raises:
        TypeError: it cannot be a requirement.
    """
    compile_it = getattr(type(requirement), COMPILE, None)
    if compile_it is None:
        return leaf(requirement, requirement, warned)
    node: Node = compile_it(requirement, warned)
    return node


def leaf(requirement: Any, called: Any, warned: set[int]) -> Node:
    """Compile a requirement that is asked by calling `called`, itself or its ``fulfill``."""
    ensure_requirement(requirement)
    with_request = wants_request_too(called)
    if with_request and id(requirement) not in warned:
        warned.add(id(requirement))
        warnings.warn(
            f"{requirement!r}: Passing request to requirements is now deprecated; take the "
            "identity alone and import request from flask.",
            DeprecationWarning,
            stacklevel=_level_of_program(),
        )
    through_fulfill = called is not requirement
    check = asking(requirement, through_fulfill=through_fulfill, with_request=with_request)
    return Node(requirement, check)


def _level_of_program() -> int:
    """How far up the first frame outside of licet is, as `warnings.warn` counts."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("licet."):
        frame, level = frame.f_back, level + 1
    return level


class Checklist(Collection[Any]):
    """Requirements that must all pass, compiled when the list is made.

    Raises:
        TypeError: one of them cannot be a requirement.
    """

    __slots__ = ("_checks", "_parts", "requirements")

    def __init__(self, requirements: Iterable[object]) -> None:
        self.requirements = tuple(requirements)
        self._parts: list[Node] = []
        self._checks: list[Check] = []
        warned: set[int] = set()
        for requirement in self.requirements:
            part = node_of(requirement, warned)
            self._parts.append(part)
            self._checks.append(part.check)

    def __contains__(self, requirement: object) -> bool:
        return requirement in self.requirements

    def __iter__(self) -> Iterator[Any]:
        return iter(self.requirements)

    def __len__(self) -> int:
        return len(self.requirements)

    def holds(
        self, user: object, additional: Iterable[object] = (), overridden: Container[object] = ()
    ) -> bool:
        """Whether `user` fulfills all of them and the additional ones, save those overridden."""
        try:
            checks = self._checks
            if additional or overridden:
                checks = self._changed(additional, overridden)
            for check in checks:
                if not check(user, request):
                    return False
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not let anybody in
            log_invalid(error, self)
            return False
        else:
            return True

    def _changed(self, additional: Iterable[object], overridden: Container[object]) -> list[Check]:
        warned: set[int] = set()
        added = [_added(each, warned) for each in additional if each not in self]
        return _checks_without([*added, *self._parts], overridden)


def _added(requirement: object, warned: set[int]) -> Node:
    try:
        return node_of(requirement, warned)
    except TypeError as error:
        raise InvalidRequirement(describe(requirement), f"was added in vain: {error}") from error
