"""Requirements: questions about an identity, alone and combined.

Any function of the identity is a requirement; `Requirement` is the base of those that have
parameters; `And`, `Or`, `Not` and `C` combine both.

Source: seed document 002 ("Requirements").
"""

from __future__ import annotations

import inspect
import operator
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, Self, TypeVar

from licet.authz.requirements import _current
from licet.authz.requirements._answer import Check, answering, describe, ensure_requirement
from licet.authz.requirements._contexts import no_context_is_open
from licet.authz.requirements._engine import Node, leaf, node_of
from licet.authz.requirements.changes import overrides_in_force
from licet.errors.names import knows_its_options

__all__ = [
    "And",
    "C",
    "ConditionalRequirement",
    "Not",
    "Or",
    "Requirement",
    "wants_request",
]

F = TypeVar("F", bound=Callable[..., Any])


class Requirement(metaclass=ABCMeta):
    """Base of requirements with parameters; `fulfill` says whether an identity passes.

    Those that are to be overridden or added need ``__eq__`` and ``__hash__``.
    """

    @abstractmethod
    def fulfill(self, user: Any, request: Any = None) -> Any:
        """Whether `user` passes. Leave `request` out: taking it is deprecated."""
        raise NotImplementedError

    def __call__(self, user: Any, request: Any = None) -> bool:
        """Ask once, outside of any guard.

        Raises:
            InvalidRequirement: it gave no answer.
        """
        check = leaf(self, self.fulfill, set()).check
        return check(user, _current.request if request is None else request)

    def __licet_node__(self, warned: set[int]) -> Node:
        """Compile it; a class with a ``__call__`` of its own is asked by that."""
        called = self.fulfill if type(self).__call__ in _CALLS else self
        return leaf(self, called, warned)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}()>"


class ConditionalRequirement(Requirement):
    """Requirements combined into one; of none at all it is True.

    Args:
        requirements: asked in order.
        op: makes one answer of two.
        until: an answer so far that ends the asking.
        negated: turn the answer around.

    Raises:
        TypeError: one of them cannot be a requirement.
    """

    @knows_its_options
    def __init__(
        self,
        *requirements: Any,
        op: Callable[[Any, Any], Any] = operator.and_,
        until: bool | None = None,
        negated: bool | None = None,
    ) -> None:
        for requirement in requirements:
            ensure_requirement(requirement)
        self._said = (requirements, op, until, negated)
        self._node: Node | None = None

    @property
    def requirements(self) -> tuple[Any, ...]:
        """What is combined."""
        return self._said[0]

    @property
    def op(self) -> Callable[[Any, Any], Any]:
        """What makes one answer of two."""
        return self._said[1]

    @property
    def until(self) -> bool | None:
        """The answer that ends the asking."""
        return self._said[2]

    @property
    def negated(self) -> bool | None:
        """Whether the answer is turned around."""
        return self._said[3]

    @classmethod
    def And(cls, *requirements: Any) -> Self:  # noqa: N802 - the original's names
        """True when all are; asks up to the first False."""
        return cls(*requirements, op=operator.and_, until=False)

    @classmethod
    def Or(cls, *requirements: Any) -> Self:  # noqa: N802
        """True when one is; asks up to the first True."""
        return cls(*requirements, op=operator.or_, until=True)

    @classmethod
    def Not(cls, *requirements: Any) -> Self:  # noqa: N802
        """True when one is False; asks all."""
        return cls(*requirements, negated=True)

    def fulfill(self, user: Any, request: Any = None) -> bool:
        """Ask what is combined, save what is overridden.

        Raises:
            InvalidRequirement: one of them gave no answer.
        """
        node = self._compiled(set())
        overridden = None if no_context_is_open() else overrides_in_force()
        check = node.without(overridden) if overridden else node.check
        return check(user, _current.request if request is None else request)

    def __call__(self, user: Any, request: Any = None) -> bool:
        """The same, also where a subclass has a ``fulfill`` of its own."""
        if type(self).fulfill is not ConditionalRequirement.fulfill:
            return super().__call__(user, request)
        return self.fulfill(user, request)

    def __licet_node__(self, warned: set[int]) -> Node:
        """Compile it with all its parts, unless a subclass answers in a way of its own."""
        kind = type(self)
        if kind is ConditionalRequirement or (
            kind.fulfill is ConditionalRequirement.fulfill and kind.__call__ in _CALLS
        ):
            return self._node or self._compiled(warned)
        return super().__licet_node__(warned)

    def _compiled(self, warned: set[int]) -> Node:
        if self._node is None:
            parts = [node_of(requirement, warned) for requirement in self.requirements]
            check = self._combine([part.check for part in parts])
            self._node = Node(self, check, parts, self._combine)
        return self._node

    def _combine(self, checks: Sequence[Check]) -> Check:
        if not checks:
            return lambda _user, _request: True
        if len(checks) == 1:
            combined = checks[0]
        elif self.op is operator.and_ and self.until is False:
            combined = _all_of(checks)
        elif self.op is operator.or_ and self.until is True:
            combined = _any_of(checks)
        else:
            combined = _fold(checks, answering(self, self.op), self.until)
        return _inverted(combined) if self.negated else combined

    def __and__(self, other: Any) -> Self:
        return self.And(self, other)

    def __or__(self, other: Any) -> Self:
        return self.Or(self, other)

    def __invert__(self) -> Self:
        return self.Not(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ConditionalRequirement):
            return False
        return type(self) is type(other) and self._said == other._said  # one may answer otherwise

    def __hash__(self) -> int:
        return hash(self._said)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_node": None}  # closures are neither copied nor pickled

    def __repr__(self) -> str:
        parts = [describe(requirement) for requirement in self.requirements]
        name = next((name for name, said in _NAMES.items() if said == self._said[1:]), "C")
        if name == "C":
            parts += [f"op={describe(self.op)}", f"until={self.until}", f"negated={self.negated}"]
        return f"{name}({', '.join(parts)})"


_NAMES = {
    "And": (operator.and_, False, None),
    "Or": (operator.or_, True, None),
    "Not": (operator.and_, None, True),
}
_CALLS = (Requirement.__call__, ConditionalRequirement.__call__)

C = ConditionalRequirement
And = ConditionalRequirement.And
Or = ConditionalRequirement.Or
Not = ConditionalRequirement.Not


def _all_of(checks: Sequence[Check]) -> Check:
    def check(user: Any, given: Any) -> bool:
        for one in checks:  # noqa: SIM110 - a generator takes longer than the requirements
            if not one(user, given):
                return False
        return True

    return check


def _any_of(checks: Sequence[Check]) -> Check:
    def check(user: Any, given: Any) -> bool:
        for one in checks:  # noqa: SIM110 - a generator takes longer than the requirements
            if one(user, given):
                return True
        return False

    return check


def _inverted(check: Check) -> Check:
    return lambda user, given: not check(user, given)


def _fold(checks: Sequence[Check], join: Check, until: object) -> Check:
    ends = tuple(answer for answer in (False, True) if until == answer)

    def check(user: Any, given: Any) -> bool:
        reduced = checks[0](user, given)
        for one in checks[1:]:
            if reduced in ends:
                break
            reduced = join(reduced, one(user, given))
        return reduced

    return check


def wants_request(requirement: F) -> F:
    """A requirement that takes (user, request) as one that takes the identity alone.

    Of a function a new one is given, of a `Requirement` class the class itself, changed.

    Raises:
        TypeError: another class, or what cannot be a requirement.
    """
    if not inspect.isclass(requirement):
        ensure_requirement(requirement)
        return update_wrapper(lambda user: requirement(user, _current.request), requirement)  # type: ignore[return-value]
    if not issubclass(requirement, Requirement):
        raise TypeError(f"{requirement.__name__} is not a class of requirements: use Requirement.")
    taking_both = requirement.fulfill

    def fulfill(self: Any, user: Any) -> Any:
        return taking_both(self, user, _current.request)

    requirement.fulfill = update_wrapper(fulfill, taking_both)  # type: ignore[method-assign, assignment]
    return requirement
