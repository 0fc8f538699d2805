"""Flask-Allows 0.7's names: a port is the import root changed from ``flask_allows``.

What differs is what was unsafe; the guide on porting lists it.

Source: seed document 002.
"""

from licet.authz import (
    Additional,
    AdditionalManager,
    And,
    C,
    ConditionalRequirement,
    Not,
    Or,
    Override,
    OverrideManager,
    Permission,
    Requirement,
    current_additions,
    current_overrides,
    exempt_from_requirements,
    guard_entire,
    requires,
    wants_request,
)
from licet.compat.flask_allows.allows import Allows, allows

__all__ = [
    "Additional",
    "AdditionalManager",
    "Allows",
    "And",
    "C",
    "ConditionalRequirement",
    "Not",
    "Or",
    "Override",
    "OverrideManager",
    "Permission",
    "Requirement",
    "allows",
    "current_additions",
    "current_overrides",
    "exempt_from_requirements",
    "guard_entire",
    "requires",
    "wants_request",
]
