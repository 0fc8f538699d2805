"""What `can` and `allowed` of `licet.authz.templates` answer, by a policy or by requirements."""

from __future__ import annotations

from typing import Any

from licet.authz.flask import caller_beside, current_caller, decision_about, policies_of
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.authz.requirements._current import registered_allows
from licet.authz.requirements._engine import Checklist
from licet.errors import AccessDenied, AuthenticationError, UsageError
from licet.errors.names import suggestion, with_article
from licet.settings.state import app_itself

__all__ = ["answer", "answer_verb"]


def answer(asked: tuple[Any, ...], identity: Any) -> bool:
    """Whether the caller, or `identity`, may do what is asked; see `allowed`."""
    if not asked:
        raise UsageError("allowed() was asked nothing: " + _FORMS)
    try:
        if isinstance(asked[0], str | Policy):
            return _by_policy(asked, identity)
        return _by_requirements(asked, identity)
    except (AuthenticationError, AccessDenied):
        return False


def answer_verb(verb: Any, asked: Any, identity: Any) -> bool:
    """Whether the caller, or `identity`, may do the verb with the object or policy; see `can`."""
    is_policy = isinstance(asked, str | Policy)
    policy = _policy(asked) if is_policy else _policy_of(asked)
    wanted = _verb(policy, verb)
    try:
        asking = current_caller() if identity is None else identity
    except (AuthenticationError, AccessDenied):
        return False
    if is_policy:
        return policy.may_allow(asking, wanted)
    return decision_about(policy, wanted, asked, asking).allowed


def _policy_of(owner: object) -> Policy:
    """The app's policy of the object's class, or of the nearest one above it."""
    known = {policy.model: policy for policy in policies_of(app_itself())}
    for model in type(owner).__mro__:
        if model in known:
            return known[model]
    names = ", ".join(sorted(model.__name__ for model in known)) or "none"
    raise UsageError(
        f"can() takes an object of a class that the app has a policy for ({names}), a policy or "
        f"its name, and was given {with_article(type(owner).__name__)}."
    )


_FORMS = 'write allowed("posts", "UPDATE", post) or allowed(a_requirement).'


def _by_policy(asked: tuple[Any, ...], identity: Any) -> bool:
    if len(asked) != 3:
        raise UsageError(
            f"allowed() needs a policy, a verb and an object (for CREATE a draft), and was given "
            f"{len(asked)} of them: {_FORMS}"
        )
    policy = _policy(asked[0])
    verb = _verb(policy, asked[1])
    asking = caller_beside(asked[2]) if identity is None else identity
    return decision_about(policy, verb, asked[2], asking).allowed


def _policy(named: str | Policy) -> Policy:
    if isinstance(named, Policy):
        return named
    known = {policy.name: policy for policy in policies_of(app_itself())}
    if named not in known:
        raise UsageError(f"The app has no policy {named!r}: {suggestion(str(named), known)}")
    return known[named]


def _verb(policy: Policy, named: str | Verb) -> Verb:
    verb = named if isinstance(named, Verb) else None
    name = named if verb is None else verb.name
    if name not in policy.verbs:
        raise UsageError(
            f"The policy {policy.name} has no verb {name!r}: "
            f"{suggestion(str(name), set(policy.verbs))}"
        )
    return Verb(name) if verb is None else verb


def _by_requirements(asked: tuple[Any, ...], identity: Any) -> bool:
    allows = registered_allows()
    if allows is not None:
        return bool(allows.fulfill(asked, identity))
    checklist = Checklist(asked)
    return checklist.holds(current_caller() if identity is None else identity)
