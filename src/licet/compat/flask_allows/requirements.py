"""``requirements``: the base class, and what combines them."""

from licet.authz.requirements.combinators import (
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Requirement,
    wants_request,
)

__all__ = ["And", "C", "ConditionalRequirement", "Not", "Or", "Requirement", "wants_request"]
