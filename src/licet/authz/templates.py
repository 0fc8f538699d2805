"""`allowed`: may the caller do this? Asked in a template or a view, answered by yes or no.

    {% if allowed("posts", "UPDATE", post) %}<a href="…">Edit</a>{% endif %}
    {% if allowed(is_moderator) %}<a href="/queue">Queue</a>{% endif %}

The answer is the one that a guard would give at the same moment. Nothing is raised and nothing is
logged for a caller who may not; a name or a verb that does not exist is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from flask import Flask

from licet._state import app_itself, app_state
from licet.authz.flask import current_caller, decision_about, policies_of
from licet.authz.policies.policy import Policy
from licet.authz.policies.verbs import Verb
from licet.authz.requirements._current import IN_TEMPLATES, registered_allows
from licet.authz.requirements._engine import Checklist
from licet.errors import AccessDenied, AuthenticationError, UsageError

__all__ = ["allowed", "install_allowed"]


def allowed(*asked: Any, identity: Any = None) -> bool:
    """Whether the caller may.

    Args:
        asked: either a policy of the app, or its name; a verb, or its name; and the object, a draft
            for CREATE. Or requirements, all of which must hold, as for `requires`.
        identity: about whom, instead of the current caller: for requirements whom the app's
            `Allows` loads if it has one, else who asks as the app's policies see them.

    Returns:
        False also for a caller whose token is not acceptable, or whose account may not be used.

    Raises:
        UsageError: the app has no such policy, the policy no such verb, or something is missing.
        InvalidCondition: the object is not of the policy's class.
        TypeError: what is asked is neither.
    """
    if not asked:
        raise UsageError("allowed() was asked nothing: " + _FORMS)
    try:
        if isinstance(asked[0], str | Policy):
            return _by_policy(asked, identity)
        return _by_requirements(asked, identity)
    except (AuthenticationError, AccessDenied):
        return False


_FORMS = 'write allowed("posts", "UPDATE", post) or allowed(a_requirement).'


def _by_policy(asked: tuple[Any, ...], identity: Any) -> bool:
    if len(asked) != 3:
        raise UsageError(
            f"allowed() needs a policy, a verb and an object (for CREATE a draft), and was given "
            f"{len(asked)} of them: {_FORMS}"
        )
    policy = _policy(asked[0])
    verb = _verb(policy, asked[1])
    asking = current_caller() if identity is None else identity
    return decision_about(policy, verb, asked[2], asking).allowed


def _policy(named: str | Policy) -> Policy:
    if isinstance(named, Policy):
        return named
    known = {policy.name: policy for policy in policies_of(app_itself())}
    if named not in known:
        raise UsageError(f"The app has no policy {named!r}: {_near(named, known)}.")
    return known[named]


def _verb(policy: Policy, named: str | Verb) -> Verb:
    verb = named if isinstance(named, Verb) else None
    name = named if verb is None else verb.name
    if name not in policy.verbs:
        raise UsageError(
            f"The policy {policy.name} has no verb {name!r}: {_near(name, policy.verbs)}."
        )
    return Verb(name) if verb is None else verb


def _near(name: Any, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(str(name).upper(), names) or difflib.get_close_matches(
        str(name), names
    )
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"


def _by_requirements(asked: tuple[Any, ...], identity: Any) -> bool:
    allows = registered_allows()
    if allows is not None:
        return bool(allows.fulfill(asked, identity))
    checklist = Checklist(asked)
    return checklist.holds(current_caller() if identity is None else identity)


def install_allowed(app: Flask) -> None:
    """Give the app's templates `allowed`; a name of the app's own that is the same goes before."""
    app_state(app).put(IN_TEMPLATES, allowed)

    def allowed_in_templates() -> dict[str, Any]:
        return {} if "allowed" in app.jinja_env.globals else {"allowed": allowed}

    app.template_context_processors[None].insert(0, allowed_in_templates)
