"""`allowed`: may the caller do this? Asked in a template or a view, answered by yes or no.

    {% if allowed("posts", "UPDATE", post) %}<a href="…">Edit</a>{% endif %}
    {% if allowed(is_moderator) %}<a href="/queue">Queue</a>{% endif %}

The answer is the one that a guard would give at the same moment. Nothing is raised and nothing is
logged for a caller who may not; a name or a verb that does not exist is an error.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

from licet.authz.requirements._current import IN_TEMPLATES
from licet.settings.state import app_state

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
    from licet.authz._allowed import answer  # noqa: PLC0415 - policies, in apps that ask

    return answer(asked, identity)


def install_allowed(app: Flask) -> None:
    """Give the app's templates `allowed`; a name of the app's own that is the same goes before."""
    app_state(app).put(IN_TEMPLATES, allowed)

    def allowed_in_templates() -> dict[str, Any]:
        return {} if "allowed" in app.jinja_env.globals else {"allowed": allowed}

    app.template_context_processors[None].insert(0, allowed_in_templates)
