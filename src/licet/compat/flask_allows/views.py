"""``views``: guards for views, blueprints and apps."""

from licet.authz.requirements.views import exempt_from_requirements, guard_entire, requires

__all__ = ["exempt_from_requirements", "guard_entire", "requires"]
